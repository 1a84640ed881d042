/** `sotto friend`: letting in who knows a password or an answer, and comparing a secret with a contact. */
import type { Command } from 'commander'
import type { ContactView } from '#client/chat/events.ts'
import type { GateView } from '#client/chat/proof-book.ts'
import { Member } from '#client/member.ts'
import { ask, askSecret } from '#firewall/prompt.ts'
import { SottoError } from '#protocol/errors.ts'
import type { AddCommand, Ground } from './commands.ts'
import { contactNamed } from './contact-names.ts'
import { REACH_MS } from './leaving.ts'
import { askNewSecret } from './new-secret.ts'
import { describeProof } from './proof-view.ts'
import { createOutput, type Output } from './report.ts'
import { sanitize } from './sanitize.ts'

interface Options {
  readonly json?: boolean
  readonly look?: string
}

interface GateOptions extends Options {
  readonly off?: boolean
}

/** Milliseconds for what was typed to leave this machine. */
const LEAVE_MS = 30_000
/** Milliseconds to wait for the other side's answer: their program answers at once where it runs, a person does not. */
const ANSWER_MS = 10_000

export function registerFriendProof(friend: Command, add: AddCommand, ground: Ground): void {
  const run = new ProofCommands(ground)
  add('password', 'Let in who knows a password, without asking you; it is asked for.', friend)
    .option('--off', 'nobody is let in by a password any more')
    .action((options) => run.setPassword(options))
  add('question', 'Let in who answers a question, without asking you; the answer is asked for.', friend)
    .argument('[question...]', 'what new people are asked')
    .option('--off', 'nobody is asked any more')
    .action((words, options) => run.setQuestion(words.join(' '), options))
  add('door', 'Show how new people are let in.', friend).action((options) => run.door(options))
  add('knock', 'Say to a contact that you know their password; it is asked for.', friend)
    .argument('<name>')
    .action((name, options) => run.prove(name, 'password', options))
  add('answer', 'Answer the question of a contact; the answer is asked for.', friend)
    .argument('<name>')
    .action((name, options) => run.prove(name, 'answer', options))
  add('same', 'Find out whether a contact types the same secret; it is asked for.', friend)
    .argument('<name>')
    .option('--decline', 'do not compare the one that they asked for')
    .action((name, options) => run.same(name, options))
}

class ProofCommands {
  private readonly ground: Ground

  constructor(ground: Ground) {
    this.ground = ground
  }

  private output({ json }: Options): Output {
    return createOutput(json === true, this.ground.streams.stdout, this.ground.streams.stderr)
  }

  async setPassword(options: GateOptions): Promise<void> {
    const output = this.output(options)
    const password = options.off ? undefined : await askNewSecret('Password for new people: ', this.ground.streams)
    await this.with(options, false, async ({ chat }) => {
      showGate(chat.proofs.setPassword(password), output)
      if (password !== undefined)
        output.note('Tell it by a way you trust. Who knows it is accepted: sotto friend knock')
    })
  }

  async setQuestion(words: string, options: GateOptions): Promise<void> {
    const output = this.output(options)
    if (options.off) requireNone(words === '' ? [] : [words])
    const { stdin, stderr } = this.ground.streams
    const set = async (): Promise<{ question: string; answer: string }> => {
      const question = words !== '' || !stdin.isTTY ? words : await ask('Question: ', stdin, stderr)
      return { question, answer: await askNewSecret('Answer: ', this.ground.streams) }
    }
    const wanted = options.off ? undefined : await set()
    await this.with(options, false, async ({ chat }) => showGate(chat.proofs.setQuestion(wanted), output))
  }

  async door(options: Options): Promise<void> {
    await this.with(options, false, async ({ chat }) => showGate(chat.proofs.gate, this.output(options)))
  }

  async prove(name: string, kind: 'password' | 'answer', options: Options): Promise<void> {
    const output = this.output(options)
    await this.with(options, true, async (member) => {
      const contact = contactNamed(member.chat.contacts(), name)
      if (kind === 'answer') askedBy(contact, output)
      const secret = await this.secret(kind === 'password' ? 'Their password: ' : 'Answer: ')
      await member.reached(REACH_MS)
      await report(member, () => member.chat.proofs[kind](contact.id, secret), output)
    })
  }

  async same(name: string, options: Options & { readonly decline?: boolean }): Promise<void> {
    const output = this.output(options)
    await this.with(options, true, async (member) => {
      const { chat } = member
      const { id } = contactNamed(chat.contacts(), name)
      const secret = options.decline ? undefined : await this.secret('Secret: ')
      await member.reached(REACH_MS)
      const work = (): ContactView => (secret === undefined ? chat.proofs.decline(id) : chat.proofs.check(id, secret))
      await report(member, work, output)
    })
  }

  /** Never on the command line, where every user of the machine can read it. */
  private secret(prompt: string): Promise<string> {
    return askSecret(prompt, this.ground.streams.stdin, this.ground.streams.stderr)
  }

  private async with(options: Options, online: boolean, work: (member: Member) => Promise<void>): Promise<void> {
    const member = await Member.open({ ...this.ground, template: options.look, online })
    try {
      await work(member)
    } finally {
      await member.close()
    }
  }
}

/** Taking back ends all that is asked: who names one question means something else. @throws SottoError E_USAGE */
export function requireNone(questions: readonly string[]): void {
  if (questions.length === 0) return
  throw new SottoError('E_USAGE', '--off ends all that is asked, and takes no question', {
    kept: 'Everything is as it was.',
    next: 'Give --off alone, or the questions alone: they take the place of those that there are.',
  })
}

function askedBy({ proof }: ContactView, output: Output): void {
  if (proof?.question !== undefined) output.note(`They ask: ${sanitize(proof.question)}`)
}

function showGate(gate: GateView, output: Output): void {
  const { password, question } = gate
  const lines = [
    password ? 'Who knows the password is accepted.' : 'There is no password.',
    question === undefined ? 'There is no question.' : `Who answers this is accepted: ${sanitize(question)}`,
  ]
  output.result(gate, lines.join('\n'))
}

/** Does it, waits until it has left and for an answer that comes at once, and says how it stands. */
export async function report(member: Member, work: () => ContactView, output: Output): Promise<ContactView> {
  const { chat } = member
  const begun = work()
  await member.settled(0, LEAVE_MS)
  const left = chat.contact(begun.id)
  const contact = left.proof?.state === 'waiting' ? await answered(member, begun.id) : left
  // How it ended is told to the other side as well.
  await member.settled(0, LEAVE_MS)
  output.result(contact, describeProof(contact) ?? '')
  if (contact.proof?.state === 'waiting')
    output.note('It goes on by itself; sotto contacts, or sotto chat, shows how it ended.')
  return contact
}

function answered({ chat }: Member, id: string): Promise<ContactView> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer)
      stop()
      resolve(chat.contact(id))
    }
    const timer = setTimeout(done, ANSWER_MS)
    const stop = chat.onEvent((event) => {
      if (event.type === 'proof' && event.contact.id === id && event.contact.proof?.state !== 'waiting') done()
    })
  })
}
