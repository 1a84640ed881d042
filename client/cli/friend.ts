/** `sotto friend`: being found by an id, and finding others by theirs. */
import type { Command } from 'commander'
import type { Card } from '#client/chat/card.ts'
import type { ContactView, MessageView } from '#client/chat/events.ts'
import { questionsOf } from '#client/finding/answers.ts'
import type { Found } from '#client/finding/finder.ts'
import { presenceOf } from '#client/finding/finder.ts'
import type { Finding } from '#client/finding/finding.ts'
import { parseTrackerId } from '#client/finding/tracker-id.ts'
import { Member } from '#client/member.ts'
import { askSecret, askSecrets, readText } from '#firewall/prompt.ts'
import { hex } from '#protocol/bytes.ts'
import { SottoError } from '#protocol/errors.ts'
import type { AddCommand, Ground } from './commands.ts'
import { nameOf } from './contact-names.ts'
import { registerFriendProof, report as reportProof, requireNone } from './friend-proof.ts'
import { describeWaiting, leftHere, REACH_MS } from './leaving.ts'
import { askNewSecrets } from './new-secret.ts'
import { createOutput, type Output } from './report.ts'
import { sanitize } from './sanitize.ts'
import { marks } from './text.ts'

interface Options {
  readonly json?: boolean
  readonly look?: string
}

const said = {
  online: 'is online, by their own account',
  offline: 'is offline, by their own account',
  unknown: 'was there; what they said of being online is too old',
  none: 'is at no tracker',
} as const

/** One of two may not have been reached: what it was told before holds there. */
function noteOther(output: Output, trackers: number): void {
  if (trackers !== 1) return
  output.note('One tracker knows it. If there is another one, it shows what it was told before until it is reached:')
  output.note('Sotto tries that whenever it is started, and every hour.')
}

export function registerFriend(program: Command, add: AddCommand, ground: Ground): void {
  const friend = program.command('friend').description('Be found by an id, and find others by theirs.')
  const run = new FriendCommands(ground)
  add('id', 'Show the id that others find you by, and let yourself be found.', friend)
    .option('--offline', 'without saying that you are online')
    .action((options) => run.id(options))
  add('hide', 'Let yourself not be found any more.', friend).action((options) => run.hide(options))
  add('guard', 'Have those who find you by your id answer questions first; the answers are asked for.', friend)
    .argument('[question...]', 'up to three, each in quotation marks; without any, those that there are are shown')
    .option('--off', 'nobody is asked any more')
    .action((questions, options) => run.guard(questions, options))
  add('find', 'Look somebody up by their id; nothing is sent to them.', friend)
    .argument('<id...>', 'as sotto friend id shows it')
    .action((id, options) => run.find(id.join(' '), options))
  add('add', 'Find somebody by their id, and write to them.', friend)
    .argument('<id>', 'as sotto friend id shows it, in quotation marks or without spaces')
    .argument('[text...]', 'the first message (else it is read from standard input)')
    .option('--password', 'say that you know their password, which is asked for')
    .action((id, text, options) => run.add(id, text, options))
  add(
    'state',
    'Ask the trackers which of your contacts say that they are online (where no verb is given).',
    friend,
    true,
  ).action((options) => run.state(options))
  registerFriendProof(friend, add, ground)
}

const promptsOf = (questions: readonly string[]): string[] => questions.map((question) => `${sanitize(question)} `)

class FriendCommands {
  private readonly ground: Ground

  constructor(ground: Ground) {
    this.ground = ground
  }

  private output({ json }: Options): Output {
    return createOutput(json === true, this.ground.streams.stdout, this.ground.streams.stderr)
  }

  async id(options: Options & { readonly offline?: boolean }): Promise<void> {
    const output = this.output(options)
    await this.reached(options, async ({ finding }) => {
      const trackers = await finding.wish(options.offline ? 'offline' : 'online')
      const where = trackers === 1 ? 'one tracker' : `${trackers} trackers`
      output.result({ id: finding.id.replaceAll(' ', ''), trackers }, finding.id)
      output.note(`Whoever has this id can find you from now on (${where} know it): sotto friend add "ID".`)
      if (!options.offline) output.note('It shows them when you are online. Without that: sotto friend id --offline')
      output.note('To end it: sotto friend hide')
    })
  }

  async hide(options: Options): Promise<void> {
    const output = this.output(options)
    await this.reached(options, async ({ finding }) => {
      const trackers = await finding.wish('hidden')
      output.result(
        { hidden: true, trackers },
        'You cannot be found any more. Who has your card can still write to you.',
      )
      noteOther(output, trackers)
    })
  }

  async guard(questions: readonly string[], options: Options & { readonly off?: boolean }): Promise<void> {
    const output = this.output(options)
    if (options.off) requireNone(questions)
    else if (questions.length === 0) return await this.showGuard(options)
    const answers = options.off ? [] : await askNewSecrets(promptsOf(questions), this.ground.streams)
    await this.reached(options, async ({ finding }) => {
      if (options.off) {
        const trackers = await finding.askNothing()
        return output.result({ questions: [], trackers }, 'Whoever has your id reaches you, and is asked nothing.')
      }
      const { bits, trackers } = await finding.ask(questions, answers)
      output.result({ questions: finding.questions, bits, trackers }, 'Only who answers reaches you by your id.')
      noteOther(output, trackers)
      output.note(`By estimate it takes 2^${bits} guesses of two seconds each. Who has your id can try them at home,`)
      output.note('and you would not know: ask for nothing that is written down anywhere, or that many people know.')
      output.note('Who has looked you up before knows where you are reached already.')
      if (finding.wished === 'hidden') output.note('You cannot be found at all before: sotto friend id')
    })
  }

  private async showGuard(options: Options): Promise<void> {
    const output = this.output(options)
    const member = await Member.open({ ...this.ground, template: options.look, online: false })
    try {
      const { questions } = member.finding
      const text =
        questions.length === 0 ? 'Whoever has your id reaches you, and is asked nothing.' : questions.join('\n')
      output.result({ questions }, text)
    } finally {
      await member.close()
    }
  }

  async find(id: string, options: Options): Promise<void> {
    const output = this.output(options)
    const root = parseTrackerId(id)
    await this.reached(options, async ({ finding }) => {
      const found = await finding.find(root)
      const state = this.stateOf(found)
      if (found.locked !== undefined) {
        const questions = questionsOf((await finding.question(root, found)).text)
        return output.result(
          { questions, state },
          `Who answers this ${said[state]}:\n${sanitize(questions.join('\n'), true)}`,
        )
      }
      const card = await finding.card(root, found)
      output.result({ name: card.name, uid: hex(card.uid), state }, `${sanitize(card.name)} ${said[state]}`)
    })
  }

  async add(id: string, words: readonly string[], options: Options & { readonly password?: boolean }): Promise<void> {
    const output = this.output(options)
    const root = parseTrackerId(id)
    const { stdin, stderr } = this.ground.streams
    const text = words.length > 0 || options.password ? words.join(' ') : await readText('Message: ', stdin, stderr)
    const password = options.password ? await askSecret('Their password: ', stdin, stderr) : undefined
    await this.reached(options, async (member) => {
      const { chat, finding } = member
      const card = await this.cardOf(finding, root, await finding.find(root))
      const contact = chat.addContact(card)
      if (password !== undefined) await reportProof(member, () => chat.proofs.password(contact.id, password), output)
      if (text === '') return
      const message = chat.send(contact.id, text)
      const status = await leftHere(member, message)
      this.report(output, member, { contact, message, status })
    })
  }

  /** Where they ask something first, the person answers it. */
  private async cardOf(finding: Finding, root: Uint8Array, found: Found): Promise<Card> {
    if (found.locked === undefined) return await finding.card(root, found)
    const question = await finding.question(root, found)
    const { stdin, stderr } = this.ground.streams
    if (stdin.readableEnded)
      throw new SottoError(
        'E_USAGE',
        'they ask a question: give the first message as an argument, and the answers on standard input',
      )
    const answers = await askSecrets(promptsOf(questionsOf(question.text)), stdin, stderr)
    return await finding.card(root, finding.answer(found, question, answers))
  }

  private report(
    output: Output,
    member: Member,
    sent: { contact: ContactView; message: MessageView; status: MessageView['status'] },
  ): void {
    const { contact, message, status } = sent
    const why = status === 'pending' ? member.hindrance() : undefined
    output.result({ contact, message: { ...message, status } }, `${marks[status]} ${nameOf(contact)}`)
    if (status === 'pending') output.note(describeWaiting(why))
    else output.note('They see it as a request, and decide whether to accept it.')
  }

  async state(options: Options): Promise<void> {
    const output = this.output(options)
    await this.reached(options, async ({ chat, finding }) => {
      const presences = await finding.presences()
      if (presences.size === 0) output.note('You have no contacts yet. Next: sotto friend add, or sotto contacts add')
      for (const contact of chat.contacts()) {
        const state = presences.get(contact.id)
        if (state !== undefined) output.result({ contact: contact.id, state }, `${nameOf(contact)} ${said[state]}`)
      }
    })
  }

  private stateOf(found: Found): keyof typeof said {
    return presenceOf(found, this.ground.clockwork.now())
  }

  /** Opens the state, waits for a gateway, does the work, closes whatever happens. */
  private async reached(options: Options, work: (member: Member) => Promise<void>): Promise<void> {
    const member = await Member.open({ ...this.ground, template: options.look, online: true })
    try {
      await member.reached(REACH_MS)
      await work(member)
    } finally {
      await member.close()
    }
  }
}
