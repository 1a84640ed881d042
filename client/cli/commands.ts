/** The member's commands: noun, verb, few options. Results on stdout, everything else on stderr. */
import { writeSync } from 'node:fs'
import { type Command, Option } from 'commander'
import { readNamed, writeNew } from '#client/backup/files.ts'
import type { Card } from '#client/chat/card.ts'
import { cardLink, cardQrText, parseCard } from '#client/chat/card-text.ts'
import type { ContactView, MessageView } from '#client/chat/events.ts'
import { ChatLimits } from '#client/chat/limits.ts'
import { isLockedCard, lockCard, openLockedCard } from '#client/chat/locked-card.ts'
import type { Clockwork } from '#client/clockwork.ts'
import { Member } from '#client/member.ts'
import type { Broker } from '#firewall/permit.ts'
import { ask, askSecret, readText } from '#firewall/prompt.ts'
import { fromUtf8 } from '#protocol/bytes.ts'
import { isSottoError, SottoError } from '#protocol/errors.ts'
import { runChatView } from './chat-view.ts'
import { contactNamed, nameOf, newKeysOf } from './contact-names.ts'
import { registerDoctor } from './doctor-view.ts'
import { registerFiles } from './files.ts'
import { registerFriend } from './friend.ts'
import { registerIdentity } from './identity.ts'
import { describeWaiting, leftHere, REACH_MS } from './leaving.ts'
import { runLineProtocol } from './line-protocol.ts'
import { askNewSecret } from './new-secret.ts'
import { registerPassword } from './password.ts'
import { registerPeer } from './peer.ts'
import { registerPresence } from './presence.ts'
import { registerProfile } from './profile.ts'
import { describeProof } from './proof-view.ts'
import type { Output } from './report.ts'
import { createOutput, endWithReader } from './report.ts'
import { sanitize } from './sanitize.ts'
import { reportStatus, watchStatus } from './status-view.ts'
import { marks, textOf, timeOf } from './text.ts'
import { describeMetadata, describeTransfer, moved, sendFile } from './transfers.ts'
import { registerWays } from './ways-view.ts'

/** What the commands run on. */
export interface Ground {
  readonly broker: Broker
  readonly clockwork: Clockwork
  readonly folder: string
  readonly streams: {
    readonly stdin: NodeJS.ReadStream
    readonly stdout: NodeJS.WriteStream
    readonly stderr: NodeJS.WriteStream
  }
}

/** Makes a command of the program, or of one below it, with the options that all have. */
export type AddCommand = (name: string, what: string, below?: Command, isDefault?: boolean) => Command

interface Options {
  readonly json?: boolean
  readonly look?: string
}

interface SendOptions extends Options {
  readonly direct?: boolean
  readonly file?: string
  readonly keepMetadata?: boolean
}

/** Milliseconds for receipts to leave; what has not left by then goes out the next time. */
const SETTLE_MS = 10_000

export function registerCommands(program: Command, ground: Ground): void {
  endWithReader(ground.streams.stdout, ground.streams.stderr, () => process.exit())
  const add: AddCommand = (name, what, below = program, isDefault = false) =>
    below
      .command(name, { isDefault })
      .description(what)
      .addOption(new Option('--state <folder>', 'where everything is kept'))
      .addOption(new Option('--password-file <file>', 'its first line is the password of that folder'))
      .addOption(new Option('--json', 'results and errors as lines of JSON'))
      .addOption(new Option('--look <template>', 'what the traffic looks like'))
      .addOption(new Option('--ipv6-only', 'dial no address of IPv4'))
      .addOption(
        new Option(
          '--http2',
          'speak HTTP/2 where the site does, in looks of Node: some inspectors take it for a tunnel',
        ),
      )
      .addOption(new Option('--browser <program>', 'go through an installed browser, such as chromium'))
  const run = new Commands(ground)
  add('join', 'Join a gateway with an invite; the link is asked for, or read from standard input.')
    .option('--name <name>', 'what your contacts see (asked for where it is missing)')
    .option('--node', 'the link is of your own node: sotto node link')
    .action((options) => run.join(options))
  add('card', 'Print your card: whoever has it can write to you.')
    .option('--qr', 'as a QR code as well')
    .option('--file <file>', 'into a new file: the line, or the QR code where it is called .png')
    .option('--password', 'locked: whoever reads it needs a password, which is asked for')
    .action((options) => run.card(options))
  registerContacts(add, run)
  registerFriend(program, add, ground)
  registerPeer(program, add, ground)
  registerPresence(program, add, ground)
  registerIdentity(program, add, ground)
  registerProfile(program, add, ground)
  registerWays(program, add, ground)
  registerPassword(program, add, ground)
  registerFiles(program, add, ground)
  registerDoctor(add, ground)
  add('send', 'Send a message; the text from the arguments or standard input.')
    .argument('<name>')
    .argument('[text...]')
    .option('--direct', 'no gateway keeps it: it waits here until they are there; a file goes through its memory alone')
    .option('--file <file>', 'send this file instead of a text')
    .option('--keep-metadata', 'send a picture with all that it tells: place, time, camera')
    .action((name, text, options) => run.send(name, text, options))
  add('recv', 'Print what has arrived and not been seen.')
    .option('--follow', 'go on until stopped')
    .action((options) => run.recv(options))
  add('history', 'Print a conversation, oldest first.')
    .argument('<name>')
    .option('--limit <count>', 'messages', '50')
    .action((name, options) => run.history(name, options))
  add('chat', 'Talk: a conversation on this terminal, or with --json lines of JSON in and out.')
    .argument('[name]')
    .option('--files <folder>', 'files are sent from there, and saved there')
    .addOption(new Option('--events-fd <number>', 'what is said also goes to this descriptor, as lines of JSON'))
    .action((name, options) => run.chat(name, options))
  add('status', 'Show how you are connected, why so, and what it cost today.')
    .option('--watch', 'go on until stopped, and tell every change')
    .action((options) => run.status(options))
}

function registerContacts(add: AddCommand, run: Commands): void {
  add('contacts', 'Show contacts, or do something with one: add, accept, block, rename, address, remove, verify.')
    .argument('[verb]', 'list, add, accept, block, rename, address, remove, verify', 'list')
    .argument('[name]', 'whom; for add a card (else it is read from standard input)')
    .argument('[new-name]', 'for rename; for address, host:port of their gateway (none: as their card says)')
    .option('--file <file>', 'for add: a file with the card, or a PNG picture of its QR code')
    .option('--yes', 'for verify: the digits are equal')
    .action((verb, name, newName, options) => run.contacts(verb, name, newName, options))
}

class Commands {
  private readonly ground: Ground

  constructor(ground: Ground) {
    this.ground = ground
  }

  private output({ json }: Options): Output {
    return createOutput(json === true, this.ground.streams.stdout, this.ground.streams.stderr)
  }

  /** Opens the state, does the work, closes it whatever happens. */
  private async with<T>(
    how: Options & { online: boolean; newName?: string },
    work: (member: Member) => Promise<T>,
  ): Promise<T> {
    const { look: template, online, newName } = how
    const member = await Member.open({
      ...this.ground,
      template,
      online,
      ...(newName === undefined ? {} : { newName }),
    })
    try {
      return await work(member)
    } finally {
      await member.close()
    }
  }

  async join(options: Options & { name?: string; node?: boolean }): Promise<void> {
    const { stdin, stderr } = this.ground.streams
    const output = this.output(options)
    const endpoints = await this.ground.broker.joined()
    if (options.node) return await this.joinNode(options, output)
    const newName =
      options.name ?? (stdin.isTTY ? await ask('What shall your contacts call you? ', stdin, stderr) : 'someone')
    await this.with({ ...options, online: true, newName }, async (member) => {
      await member.reached(REACH_MS).catch((error: unknown) => {
        throw withInviteKept(error)
      })
      const [{ name: place } = { name: '' }] = endpoints
      const joined = endpoints.map(({ name, host }) => ({ name, host }))
      output.result({ joined, me: member.chat.me }, `You have joined ${sanitize(place)}.`)
      output.note(
        'Next: sotto card shows your card to give away, sotto contacts add takes in another’s, sotto chat talks.',
      )
    })
  }

  /** Our own node, beside the gateways. */
  private async joinNode(options: Options, output: Output): Promise<void> {
    await this.with({ ...options, online: true }, async (member) => {
      await member.peers?.reached(REACH_MS).catch((error: unknown) => {
        throw withInviteKept(error)
      })
      output.result({ joined: true, me: member.chat.me }, 'You have joined your own node.')
      output.note('Next: sotto peer offer NAME tells a contact of it, if you wish.')
    })
  }

  async card(options: Options & { qr?: boolean; password?: boolean; file?: string }): Promise<void> {
    const output = this.output(options)
    const password = options.password ? await askNewSecret('Password of the card: ', this.ground.streams) : undefined
    const card = await this.with({ ...options, online: true }, async (member) => {
      await member.reached(REACH_MS)
      return await member.chat.myCard()
    })
    // Locking takes seconds in which nothing else is done here: the network is let go of before.
    const { link, qr } =
      password === undefined
        ? { link: cardLink(card), qr: cardQrText(card) }
        : lockCard(card, password, this.ground.clockwork.random)
    if (options.file !== undefined) {
      const content = /\.png$/i.test(options.file) ? (await codes()).codeImage(qr) : `${link}\n`
      writeNew(options.file, content, this.ground.folder)
      output.result({ file: options.file }, `The card is in ${options.file}.`)
    }
    const code = options.qr ? `\n${(await codes()).cardCode(qr)}` : ''
    if (options.file === undefined || options.qr) output.result({ card: link }, link + code)
    if (password !== undefined) output.note('Tell the password by another way than the card.')
  }

  async contacts(
    verb: string,
    name: string | undefined,
    newName: string | undefined,
    options: Options & { yes?: boolean; file?: string },
  ): Promise<void> {
    const output = this.output(options)
    // What others hear of needs the network; looking does not.
    const online = ['add', 'accept'].includes(verb)
    // A locked card takes seconds to open: before anything else is begun.
    const given = options.file === undefined ? name : await cardInFile(options.file)
    const card = verb === 'add' ? await this.givenCard(given) : undefined
    await this.with({ ...options, online }, async (member) => {
      const { chat } = member
      const named = (): ContactView => contactNamed(chat.contacts(), need(name, 'a name'))
      const show = (contact: ContactView): void => output.result(contact, `${nameOf(contact)} (${contact.status})`)
      switch (verb) {
        case 'list':
          return listContacts(chat.contacts(), output)
        case 'add':
          return show(chat.addContact(card!))
        case 'address':
          return show(chat.setAddress(named().id, newName ?? ''))
        case 'accept':
          return show(chat.accept(named().id))
        case 'block':
          return show(chat.block(named().id))
        case 'rename':
          return show(chat.rename(named().id, need(newName, 'the new name')))
        case 'remove': {
          const contact = named()
          chat.remove(contact.id)
          return output.result({ removed: contact.id }, `${nameOf(contact)} is removed.`)
        }
        case 'verify': {
          const contact = named()
          if (options.yes) return show(chat.verify(contact.id, true))
          const digits = chat.fingerprint(contact.id)
          output.note(
            `Compare with ${nameOf(contact)}, in person or by voice; then: sotto contacts verify ${nameOf(contact)} --yes`,
          )
          return output.result({ contact: contact.id, digits }, digits.replace(/(\d{5})(?=\d)/g, '$1 '))
        }
        default:
          throw new SottoError('E_USAGE', `contacts cannot ${sanitize(verb)}`, {
            next: 'It can list, add, accept, block, rename, address, remove, verify.',
          })
      }
    })
  }

  /** A card is no secret: it may stand on the command line. The password of a locked one does not; in a pipe it follows the card. */
  private async givenCard(given: string | undefined): Promise<Card> {
    const { stdin, stderr } = this.ground.streams
    const text = given ?? (await readText('Card: ', stdin, stderr))
    if (!isLockedCard(text)) return parseCard(text)
    const [card = '', password] = given === undefined && !stdin.isTTY ? text.trim().split(/\r?\n/) : [text]
    return openLockedCard(card, password ?? (await askSecret('Password of the card: ', stdin, stderr)))
  }

  async send(name: string, words: readonly string[], options: SendOptions): Promise<void> {
    if (options.file !== undefined) return await this.sendFile(name, options.file, words, options)
    const output = this.output(options)
    const text =
      words.length > 0
        ? words.join(' ')
        : await readText('Message: ', this.ground.streams.stdin, this.ground.streams.stderr)
    await this.with({ ...options, online: true }, async (member) => {
      const contact = contactNamed(member.chat.contacts(), name)
      const message = member.chat.send(contact.id, text, { noStore: options.direct === true })
      const status = await leftHere(member, message)
      const why = status === 'pending' ? member.hindrance() : undefined
      const waits = why && { code: why.code, what: why.message, kept: why.kept, next: why.next }
      output.result({ ...message, status, ...(waits && { waits }) }, `${marks[status]} ${nameOf(contact)}`)
      if (status === 'pending') output.note(describeWaiting(why))
    })
  }

  private async sendFile(
    name: string,
    path: string,
    words: readonly string[],
    { direct, keepMetadata, ...options }: SendOptions,
  ): Promise<void> {
    const output = this.output(options)
    if (words.length > 0) throw new SottoError('E_USAGE', 'a text beside a file goes in a message of its own')
    await this.with({ ...options, online: true }, async (member) => {
      const contact = contactNamed(member.chat.contacts(), name)
      const how = { noStore: direct === true, keepMetadata: keepMetadata === true }
      const { view, metadata } = await sendFile(member, contact.id, path, how)
      const warning = describeMetadata(metadata)
      if (warning !== undefined) output.note(warning)
      const sent = await moved(member, view.id, (now) => output.note(describeTransfer(now)))
      const told = member.chat.history(contact.id, { limit: 50 }).find(({ id }) => id === sent.message)
      const status = told === undefined ? 'pending' : await leftHere(member, told)
      output.result({ ...sent, status, metadata }, `${marks[status]} ${nameOf(contact)}`)
      if (told === undefined) output.note('It is kept here, sealed, and goes on with: sotto files finish')
      else if (status === 'pending') output.note(describeWaiting(member.hindrance()))
    })
  }

  async recv(options: Options & { follow?: boolean }): Promise<void> {
    const output = this.output(options)
    await this.with({ ...options, online: true }, async (member) => {
      const show = (message: MessageView): void => {
        const contact = member.chat.contacts().find(({ id }) => id === message.contact)
        const who = contact === undefined ? message.contact.slice(0, 8) : nameOf(contact)
        const text = `${timeOf(message.time)} ${who}  ${textOf(message)}`
        output.result({ ...message, name: who }, text, () => member.chat.markRead(message.contact, message.id))
      }
      for (const contact of member.chat.contacts()) {
        if (contact.unread === 0) continue
        for (const message of member.chat.history(contact.id, { limit: contact.unread + 50 })) {
          if (message.from === 'them' && message.status !== 'read') show(message)
        }
      }
      member.chat.onEvent((event) => {
        if (event.type === 'message' && event.message.from === 'them') show(event.message)
      })
      if (options.follow) await this.stopped()
      else {
        await member.reached(REACH_MS)
        await quiet(member, this.ground.clockwork)
        await member.settled(ChatLimits.receiptMs + ChatLimits.receiptJitterMs, SETTLE_MS)
      }
    })
  }

  async history(name: string, options: Options & { limit: string }): Promise<void> {
    const output = this.output(options)
    const limit = Number(options.limit)
    if (!Number.isInteger(limit) || limit < 1) throw new SottoError('E_USAGE', '--limit takes a whole number from 1 on')
    await this.with({ ...options, online: false }, async (member) => {
      const contact = contactNamed(member.chat.contacts(), name)
      for (const message of member.chat.history(contact.id, { limit })) {
        const who = message.from === 'me' ? 'you' : nameOf(contact)
        const state = message.from === 'me' ? ` ${marks[message.status]}` : ''
        const when = `${new Date(message.time).toISOString().slice(0, 10)} ${timeOf(message.time)}`
        output.result(message, `${when} ${who}  ${textOf(message)}${state}`)
      }
    })
  }

  async chat(name: string | undefined, options: Options & { eventsFd?: string; files?: string }): Promise<void> {
    const { stdin: input, stdout: output } = this.ground.streams
    const said = mirrorTo(options.eventsFd)
    await this.with({ ...options, online: true }, async (member) => {
      const { files: folder } = options
      if (options.json) await runLineProtocol({ member, input, output, folder })
      else await runChatView({ member, input, output, to: name, said, folder })
    })
  }

  async status(options: Options & { watch?: boolean }): Promise<void> {
    const output = this.output(options)
    const ways = await this.ground.broker.ways()
    await this.with({ ...options, online: true }, async (member) => {
      if (options.watch) return await watchStatus(member, ways, output, this.ground.clockwork, this.stopped())
      await member.reached(REACH_MS).catch(() => {})
      reportStatus(member, ways, output)
    })
  }

  private stopped(): Promise<void> {
    return new Promise((resolve) => {
      process.once('SIGINT', () => resolve())
      process.once('SIGTERM', () => resolve())
    })
  }
}

/** A program that started us may want to know what is said; the launcher has checked the number. */
function mirrorTo(descriptor: string | undefined): (message: MessageView) => void {
  if (descriptor === undefined) return () => {}
  return (message) => void writeSync(Number(descriptor), `${JSON.stringify({ type: 'message', message })}\n`)
}

function need(value: string | undefined, what: string): string {
  if (value === undefined) throw new SottoError('E_USAGE', `${what} is missing`)
  return value
}

function listContacts(contacts: readonly ContactView[], output: Output): void {
  if (contacts.length === 0) output.note('You have no contacts yet. Next: sotto contacts add')
  for (const contact of contacts) {
    const unread = contact.unread > 0 ? `, ${contact.unread} unread` : ''
    const trust = contact.changed ? ', NEW KEYS: compare the digits' : contact.verified ? ', verified' : ''
    const address = contact.address === undefined ? '' : `, at ${sanitize(contact.address)} by hand`
    const avatar = contact.avatar === undefined ? '' : `, picture ${contact.avatar.slice(0, 8)}`
    output.result(contact, `${nameOf(contact)} (${contact.status}${trust}${unread}${address}${avatar})`)
    if (contact.changed) output.note(newKeysOf(contact))
    const proof = describeProof(contact)
    if (proof !== undefined) output.note(proof)
  }
}

/** The invite was taken in before its gateway was asked. */
function withInviteKept(error: unknown): unknown {
  if (!isSottoError(error)) return error
  const kept = 'The invite is kept: sotto chat, or sotto join with the same link, goes on from here.'
  return new SottoError(error.code, error.message, { kept, next: error.next, cause: error })
}

/** Milliseconds without a message after which what waited has arrived. */
const QUIET_MS = 1_500

function quiet(member: Member, clockwork: Clockwork): Promise<void> {
  return new Promise((resolve) => {
    let cancel = clockwork.after(QUIET_MS, resolve)
    member.chat.onEvent((event) => {
      if (event.type !== 'message') return
      cancel()
      cancel = clockwork.after(QUIET_MS, resolve)
    })
  })
}

/** Loaded where a picture is wanted: most commands draw none, and every start would wait for it. */
const codes = (): Promise<typeof import('#client/backup/codes.ts')> => import('#client/backup/codes.ts')

/** The text of a card in a file, or in a picture. @throws SottoError E_FILE, E_CARD_FORMAT */
async function cardInFile(path: string): Promise<string> {
  const content = readNamed(path)
  const { isPng, readCodeImage } = await codes()
  try {
    return (isPng(content) ? readCodeImage(content) : fromUtf8(content)) ?? ''
  } catch (cause) {
    throw new SottoError('E_CARD_FORMAT', 'No card can be read in this picture.', { cause })
  }
}
