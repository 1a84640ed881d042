/** `sotto presence` and `sotto receipts`: who is there, who may see that we are, and who hears what we have read. */
import type { Command } from 'commander'
import type { ContactView, PresenceView } from '#client/chat/events.ts'
import { Member } from '#client/member.ts'
import { SottoError } from '#protocol/errors.ts'
import type { AddCommand, Ground } from './commands.ts'
import { contactNamed, nameOf } from './contact-names.ts'
import { REACH_MS } from './leaving.ts'
import { createOutput, type Output } from './report.ts'
import { describeSeconds, parseSeconds } from './text.ts'

interface Options {
  readonly json?: boolean
  readonly look?: string
}

/** Seconds between two rounds, at the least: a round of many friends takes a minute. */
const LEAST_SECONDS = 60
/** At the most: a day. */
const MOST_SECONDS = 86_400

const words = {
  themselves: { online: 'is online', offline: 'is offline', unknown: 'status unknown' },
  friends: {
    online: 'is online, as a friend of both says',
    offline: 'is offline, as a friend of both says',
    unknown: '',
  },
  tracker: { online: '', offline: 'is offline', unknown: 'status unknown' },
} as const

export const describePresence = ({ state, by }: PresenceView): string => words[by][state]

/** A mark before or behind a name. */
export function presenceMark(presence: PresenceView | undefined): string {
  if (presence === undefined || presence.state === 'unknown') return ''
  return presence.state === 'online' ? '●' : '○'
}

/** Of who may see us, as a person reads it. */
export function describeShowing({ showing, all }: { showing: string; all: readonly ContactView[] }): string {
  const named = (sees: boolean): string =>
    all
      .filter((contact) => contact.sees === sees)
      .map(nameOf)
      .join(', ')
  const [chosen, hidden] = [named(true), named(false)]
  if (showing === 'invisible') {
    return chosen === '' ? 'Nobody sees that you are there.' : `Nobody sees that you are there, but ${chosen}.`
  }
  return hidden === ''
    ? 'Your contacts see when you are there.'
    : `Your contacts see when you are there, but not ${hidden}.`
}

/** @throws SottoError E_USAGE */
export function roundSeconds(text: string): number {
  const seconds = parseSeconds(text)
  if (seconds === 0 || (seconds !== undefined && seconds >= LEAST_SECONDS && seconds <= MOST_SECONDS)) return seconds
  throw new SottoError('E_USAGE', 'the time between two rounds is off, or from 1m to 1d')
}

/** @throws SottoError E_USAGE */
export function isOn(text: string): boolean {
  if (text === 'on' || text === 'off') return text === 'on'
  throw new SottoError('E_USAGE', 'it is on or off')
}

export function registerPresence(program: Command, add: AddCommand, ground: Ground): void {
  const presence = program.command('presence').description('See who is there, and decide who sees that you are.')
  const run = new PresenceCommands(ground)
  add('ask', 'Ask whether somebody, or everybody, is there (where no verb is given).', presence, true)
    .argument('[name...]', 'whom; everybody where nobody is named')
    .action((names, options) => run.ask(names.join(' '), options))
  add('visible', 'Let your contacts see when you are there.', presence).action((options) => run.set('visible', options))
  add('invisible', 'Let nobody see that you are there, but those you have chosen.', presence).action((options) =>
    run.set('invisible', options),
  )
  for (const [verb, what, sees] of [
    ['show', 'Let one contact see when you are there, whatever the others may.', true],
    ['hide', 'Let one contact not see when you are there.', false],
    ['forget', 'Let one contact see as much as the others.', undefined],
  ] as const) {
    add(verb, what, presence)
      .argument('<name>')
      .action((name, options) => run.setOne(name, sees, options))
  }
  add('every', 'Ask from time to time while a chat is open: 10m, 1h, or off.', presence)
    .argument('<time>')
    .action((time, options) => run.every(time, options))
  add('settings', 'Show who may see that you are there.', presence).action((options) => run.settings(options))
  add('receipts', 'Let contacts know, or not, what you have read: all of them, or one.')
    .argument('[state]', 'on or off; shown where it is missing')
    .argument('[name]', 'whom; everybody where nobody is named')
    .action((state, name, options) => run.receipts(state, name, options))
}

class PresenceCommands {
  private readonly ground: Ground

  constructor(ground: Ground) {
    this.ground = ground
  }

  async ask(name: string, options: Options): Promise<void> {
    await this.with(options, true, async (member, output) => {
      const { chat } = member
      await member.reached(REACH_MS)
      const friends = chat.contacts().filter(({ status }) => status === 'accepted')
      const asked = name === '' ? friends : [contactNamed(friends, name)]
      if (asked.length === 0) output.note('You have no contacts yet. Next: sotto friend add, or sotto contacts add')
      const found = await member.presence.checkAll(asked.map(({ id }) => id))
      for (const contact of asked) {
        const presence = found.get(contact.id)!
        output.result(
          { contact: contact.id, name: nameOf(contact), ...presence },
          `${nameOf(contact)} ${describePresence(presence)}`,
        )
      }
      const unseen = asked.filter(({ id }) => !chat.presence.isSeenBy(id))
      if (unseen.length > 0) {
        output.note(`Not asked, since they are not to see you: ${unseen.map(nameOf).join(', ')}.`)
      }
    })
  }

  async set(showing: 'visible' | 'invisible', options: Options): Promise<void> {
    await this.with(options, true, async (member, output) => {
      member.chat.presence.setShowing(showing)
      this.show(member, output)
      await this.tellTrackers(member, output)
    })
  }

  async setOne(name: string, sees: boolean | undefined, options: Options): Promise<void> {
    await this.with(options, false, async (member, output) => {
      member.chat.presence.setSees(contactNamed(member.chat.contacts(), name).id, sees)
      this.show(member, output)
    })
  }

  async every(time: string, options: Options): Promise<void> {
    const seconds = roundSeconds(time)
    await this.with(options, false, async (member, output) => {
      member.chat.presence.setAskEvery(seconds)
      const text =
        seconds === 0
          ? 'Nobody is asked from time to time.'
          : `Asked about every ${describeSeconds(seconds)} while a chat is open.`
      output.result({ every: seconds }, text)
    })
  }

  async settings(options: Options): Promise<void> {
    await this.with(options, false, async (member, output) => this.show(member, output))
  }

  async receipts(state: string | undefined, name: string | undefined, options: Options): Promise<void> {
    const wanted = state === undefined ? undefined : isOn(state)
    await this.with(options, false, async ({ chat }, output) => {
      const contact = name === undefined ? undefined : contactNamed(chat.contacts(), name)
      if (wanted !== undefined && contact === undefined) chat.setAllReadReceipts(wanted)
      if (wanted !== undefined && contact !== undefined) chat.setReadReceipts(contact.id, wanted)
      const off = chat.contacts().filter(({ readReceipts }) => !readReceipts)
      const except = off.length === 0 ? '' : `, but not ${off.map(nameOf).join(', ')}`
      const text = chat.readReceipts
        ? `Your contacts hear what you have read${except}.`
        : 'Nobody hears what you have read.'
      output.result({ readReceipts: chat.readReceipts, off: off.map(({ id }) => id) }, text)
    })
  }

  private show({ chat }: Member, output: Output): void {
    const { showing, askEvery } = chat.presence
    const all = chat.contacts().filter(({ status }) => status === 'accepted')
    const one = (sees: boolean): string[] => all.filter((contact) => contact.sees === sees).map(({ id }) => id)
    output.result({ showing, shown: one(true), hidden: one(false), every: askEvery }, describeShowing({ showing, all }))
  }

  /** What a tracker says of us follows. */
  private async tellTrackers(member: Member, output: Output): Promise<void> {
    if (member.finding.wished !== 'online') return
    await member.reached(REACH_MS)
    await member.finding.refresh()
    output.note('The trackers know.')
  }

  private async with(
    options: Options,
    online: boolean,
    work: (member: Member, output: Output) => Promise<void>,
  ): Promise<void> {
    const output = createOutput(options.json === true, this.ground.streams.stdout, this.ground.streams.stderr)
    const member = await Member.open({ ...this.ground, template: options.look, online })
    try {
      await work(member, output)
    } finally {
      await member.close()
    }
  }
}
