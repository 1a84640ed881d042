/** `sotto peer`: the straight way between two people, past the mailboxes, where one of them has a node of their own. */
import type { Command } from 'commander'
import type { ContactView } from '#client/chat/events.ts'
import { Member } from '#client/member.ts'
import type { PeerView } from '#client/peers.ts'
import { SottoError } from '#protocol/errors.ts'
import type { AddCommand, Ground } from './commands.ts'
import { contactNamed, nameOf } from './contact-names.ts'
import { REACH_MS } from './leaving.ts'
import { createOutput, type Output } from './report.ts'
import { sanitize } from './sanitize.ts'
import { timeOf } from './text.ts'

interface Options {
  readonly json?: boolean
  readonly look?: string
  readonly yes?: boolean
}

/** Milliseconds for what a contact is told to leave. */
const LEAVE_MS = 10_000

export function registerPeer(program: Command, add: AddCommand, ground: Ground): void {
  const peer = program
    .command('peer')
    .description('The straight way to a contact, past the mailboxes. Off until both want it.')
  const run = new PeerCommands(ground)
  add('list', 'Show who offers a node, and to whom yours is offered (where no verb is given).', peer, true).action(
    (options) => run.list(options),
  )
  add('offer', 'Offer a contact to reach you at your own node.', peer)
    .argument('<name>')
    .option('--yes', 'do it: what it shows to whom was read')
    .action((name, options) => run.offer(name, options))
  add('withdraw', 'Let a contact reach you at your node no more.', peer)
    .argument('<name>')
    .action((name, options) => run.withdraw(name, options))
  add(
    'allow',
    'Connect to a contact’s own node. The firewall asks, and this program does not: give the command alone.',
    peer,
  )
    .argument('<name>')
    .option('--yes', 'do it: what it shows to whom was read')
    .action(() => {
      throw new SottoError('E_USAGE', 'allow comes right behind peer: sotto peer allow NAME')
    })
}

class PeerCommands {
  private readonly ground: Ground

  constructor(ground: Ground) {
    this.ground = ground
  }

  async list(options: Options): Promise<void> {
    const output = this.output(options)
    await this.with(options, false, async ({ chat }) => {
      const views = chat.nodes().filter(({ ours, theirs }) => ours !== 'no' || theirs !== undefined)
      for (const view of views) output.result(peerValue(view), describePeer(view))
      if (views.length === 0)
        output.note('Nobody offers you a node, and you offer yours to nobody. Yours: sotto node init')
    })
  }

  async offer(name: string, options: Options): Promise<void> {
    const output = this.output(options)
    await this.with(options, true, async (member) => {
      const contact = contactNamed(member.chat.contacts(), name)
      if (!options.yes) return output.result({ contact: contact.id, offered: false }, whatIsShown(nameOf(contact)))
      const told =
        isTold(member, contact) || (await this.telling(member, contact, () => member.chat.offerNode(contact.id)))
      const text = told
        ? `${nameOf(contact)} is told of your node.`
        : `${nameOf(contact)} is told once your node is reached.`
      output.result({ contact: contact.id, offered: true, told }, text)
      if (member.peers?.hasNode !== true)
        output.note('You have joined no node of your own yet: sotto node init, sotto join --node')
    })
  }

  async withdraw(name: string, options: Options): Promise<void> {
    const output = this.output(options)
    await this.with(options, true, async (member) => {
      const contact = contactNamed(member.chat.contacts(), name)
      const withdraw = (): unknown => member.chat.withdrawNode(contact.id)
      if (isTold(member, contact)) await this.telling(member, contact, withdraw)
      else withdraw()
      await member.peers?.attend()
      output.result({ contact: contact.id, offered: false }, `${nameOf(contact)} may come to your node no more.`)
    })
  }

  /** Does what a contact is to hear of, and waits until our node knows and the contact is told; false where that takes too long. */
  private async telling({ chat, peers }: Member, { id }: ContactView, change: () => unknown): Promise<boolean> {
    const told = new Promise<boolean>((resolve) =>
      chat.onEvent((event) => {
        if (event.type === 'node-told' && event.contact === id) resolve(true)
      }),
    )
    change()
    await peers?.reached(REACH_MS).catch(() => {})
    await peers?.attend()
    const { promise: late, resolve: giveUp } = Promise.withResolvers<boolean>()
    const cancel = this.ground.clockwork.after(LEAVE_MS, () => giveUp(false))
    return await Promise.race([told, late]).finally(cancel)
  }

  private output({ json }: Options): Output {
    return createOutput(json === true, this.ground.streams.stdout, this.ground.streams.stderr)
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

const isTold = ({ chat }: Member, { id }: ContactView): boolean =>
  chat.nodes().some(({ contact, ours }) => contact.id === id && ours === 'told')

const whatIsShown = (name: string): string =>
  [
    `${name} would learn the name of your node, and could see when it is up.`,
    `  Your node would see the address of ${name}’s computer, and when ${name} writes.`,
    `  ${name}’s network would see visits to your node’s website. Messages go by the mailbox where your node does not answer.`,
    `  Until ${name} agrees, nothing changes. To end it: sotto peer withdraw ${JSON.stringify(name)}`,
    `To offer it: sotto peer offer ${JSON.stringify(name)} --yes`,
  ].join('\n')

/** For programs. */
export function peerValue({ contact, ours, theirs, way }: PeerView): object {
  return {
    contact: contact.id,
    name: contact.name,
    ours,
    ...(theirs === undefined ? {} : { host: theirs.host }),
    ...(way === undefined ? {} : { way }),
  }
}

/** One line on the nodes between a contact and us. */
export function describePeer({ contact, ours, theirs, way }: PeerView): string {
  const name = nameOf(contact)
  const own = { no: undefined, waits: 'your node is offered, and they are not told yet', told: 'your node is offered' }[
    ours
  ]
  const host = theirs && sanitize(theirs.host)
  const other =
    host === undefined
      ? undefined
      : way === undefined
        ? `offers a node at ${host}`
        : `node at ${host}, ${describeWay(way)}`
  return `${name}: ${[own, other].filter((each) => each !== undefined).join('; ')}`
}

function describeWay(way: NonNullable<PeerView['way']>): string {
  if (way.kind === 'unused') return 'connected to when there is something to send'
  if (way.kind !== 'out of reach') return way.kind === 'ready' ? 'connected' : 'connecting'
  return `out of reach, messages go by the mailbox${way.until === undefined ? '' : `; tried again from ${timeOf(way.until)} on`}`
}
