/** The terminal chat: one conversation at a time, everything else a command away. */
import type { Readable } from 'node:stream'
import { cardLink, cardQrText, parseCard } from '#client/chat/card-text.ts'
import type { SendOptions } from '#client/chat/chat.ts'
import type { ChatEvent, ContactView, MessageId, MessageView } from '#client/chat/events.ts'
import { isTimer } from '#client/chat/says.ts'
import type { Member } from '#client/member.ts'
import type { TunnelStatus } from '#client/tunnel/status.ts'
import { isSottoError } from '#protocol/errors.ts'
import { AVATAR_HELP, ChatAvatar } from './chat-avatar.ts'
import { ChatFiles, pictureLines } from './chat-files.ts'
import { contactNamed, nameOf, newKeysOf, nodeNews } from './contact-names.ts'
import { describePresence, describeShowing, isOn, presenceMark } from './presence.ts'
import { describeProof, PROOF_HELP, proofCommands, SECRET_COMMANDS } from './proof-view.ts'
import { sanitize } from './sanitize.ts'
import type { Terminal } from './terminal.ts'
import { openTerminal } from './terminal.ts'
import { describePath, describeSeconds, marks, parseSeconds, textOf, timeOf } from './text.ts'

const HISTORY_AT_START = 20
/** Messages that are looked through for the one that is meant. */
const REACH_BACK = 200
const HELP: readonly (readonly [string, string])[] = [
  ['/to NAME', 'talk to somebody'],
  ['/contacts', 'who there is, and what is unread'],
  ['/add LINK', 'add the person whose card link this is'],
  ['/card', 'show your own card, to give away'],
  ['/accept, /block', 'answer a request of the person you are talking to'],
  ['/reply [N] TEXT', 'answer their last message, or the one N before it'],
  ['/edit TEXT', 'replace the text of your last message'],
  ['/withdraw', 'take your last message back'],
  ['/react SYMBOL', 'a symbol to their last message; without one, take it back'],
  ['/vanish 1h', 'what is said from now on disappears so long after reading; off: it stays'],
  ['/direct TEXT', 'say something that no gateway keeps: it waits here until they are there'],
  ['/send FILE', 'send a file of the folder that sotto chat --files FOLDER names'],
  ['/files', 'files of this conversation, and how far they are'],
  ['/save [ID]', 'fetch their last file, or the one that /files shows so, into that folder'],
  ['/cancel [ID]', 'stop the last file, or that one, and keep nothing of it'],
  ...AVATAR_HELP,
  ['/presence', 'ask whether they are there; /presence all asks everybody'],
  ['/invisible, /visible', 'who sees that you are there: nobody but those you have chosen, or your contacts'],
  ['/receipts on', 'whether your contacts hear what you have read; off: nobody does'],
  ...PROOF_HELP,
  ['/verify', 'show the 60 digits to compare; /verify yes once they are equal'],
  ['/history [N]', 'show earlier messages'],
  ['/status', 'how you are connected'],
  ['/look [NAME]', 'what your traffic looks like from now on'],
  ['/quit', 'end; so does Ctrl-D'],
]

export interface ChatViewInput {
  readonly member: Member
  readonly input: Readable
  readonly output: NodeJS.WritableStream
  /** Name of the contact to begin with. */
  readonly to: string | undefined
  /** The folder for files; undefined for none. */
  readonly folder: string | undefined
  /** Hears every message of this conversation, ours and theirs. */
  readonly said: (message: MessageView) => void
}

/** Runs until the person leaves. */
export function runChatView(input: ChatViewInput): Promise<void> {
  return new Promise((resolve) => new ChatView(input, resolve))
}

class ChatView {
  private readonly member: Member
  private readonly terminal: Terminal
  private readonly said: (message: MessageView) => void
  private readonly files: ChatFiles
  private readonly avatar: ChatAvatar
  private current: ContactView | undefined
  /** Our own message, where it is the last thing printed: its mark can still change in place. */
  private last: MessageView | undefined
  /** The last day that was printed, so that a new one gets a line. */
  private day = ''
  private connected: boolean | undefined

  constructor({ member, input, output, to, said, folder }: ChatViewInput, done: () => void) {
    this.member = member
    this.said = said
    this.terminal = openTerminal({
      input,
      output,
      onLine: (line) => void this.onLine(line.trim()),
      onClose: () => {
        member.rounds.end()
        done()
      },
      complete: (line) => this.complete(line),
      isSecret: (line) => SECRET_COMMANDS.some((command) => line.trimStart().startsWith(`${command} `)),
    })
    this.files = new ChatFiles({
      ...{ member, folder, current: () => this.current },
      print: (text) => this.print(this.terminal.style('dim', text)),
      printError: (error) => this.showError(error),
      told: (message) => this.showOwn(message),
    })
    const { hasColours } = this.terminal
    this.avatar = new ChatAvatar({
      ...{ member, folder, hasColours, print: (text) => this.print(text) },
      printError: (error) => this.showError(error),
    })
    member.chat.onEvent((event) => this.onEvent(event))
    member.onStatus((status) => this.onStatus(status))
    member.onRefusal((error) => this.showError(error))
    this.greet()
    member.rounds.begin()
    const contacts = member.chat.contacts()
    const first = to === undefined ? (contacts.length === 1 ? contacts[0] : undefined) : contactNamed(contacts, to)
    if (first === undefined) this.showContacts()
    else this.talkTo(first)
    this.prompt()
  }

  private print(text: string): void {
    this.last = undefined
    this.terminal.print(text)
  }

  private greet(): void {
    const { terminal } = this
    this.print(`${terminal.style('bold', 'Sotto')}  ${terminal.style('dim', '/help shows what you can do here')}`)
  }

  private prompt(): void {
    const to = this.current === undefined ? 'nobody yet' : nameOf(this.current)
    this.terminal.setPrompt(`${this.terminal.style('cyan', to)}${this.markOf(this.current)} > `)
  }

  /** Behind a name: whether they are there, as far as is known. */
  private markOf(contact: ContactView | undefined): string {
    const { terminal, member } = this
    const mark = contact === undefined ? '' : presenceMark(member.chat.presence.of(contact.id))
    return mark === '' ? '' : ` ${terminal.style(mark === '●' ? 'green' : 'dim', mark)}`
  }

  // ---- what is typed --------------------------------------------------------------------------------------------------

  private async onLine(line: string): Promise<void> {
    if (line === '') return
    try {
      if (line.startsWith('/')) await this.command(line)
      else this.say(line)
    } catch (error) {
      this.showError(error)
    }
  }

  private say(text: string, options: SendOptions = {}): void {
    if (this.current === undefined) {
      this.print('Say first to whom: /to NAME, or /contacts to see who there is.')
      return
    }
    const message = this.member.chat.send(this.current.id, text, options)
    this.said(message)
    this.showMessage(message)
    this.glance(message.contact)
  }

  /** Asked in passing: what comes of it is shown when it comes. */
  private glance(id: string): void {
    void this.member.presence.glance(id).catch((error: unknown) => this.showError(error))
  }

  private showOwn(id: MessageId): void {
    const own = this.latest('me').find((message) => message.id === id)
    if (own === undefined) return
    this.said(own)
    this.showMessage(own)
  }

  /** The newest messages of one side, the newest first. */
  private latest(from: MessageView['from']): MessageView[] {
    if (this.current === undefined) return []
    const messages = this.member.chat.history(this.current.id, { limit: REACH_BACK })
    return messages.filter((message) => message.from === from && !message.withdrawn).reverse()
  }

  private reply(argument: string): void {
    const [, back = '0', text] = /^(?:(\d+)\s+)?(.+)$/s.exec(argument) ?? []
    const answered = this.latest('them')[Number(back)]
    if (answered === undefined || text === undefined) return this.print('There is nothing to answer. /reply [N] TEXT')
    this.say(text, { answers: answered.id })
  }

  private edit(text: string): void {
    const [own] = this.latest('me')
    if (own === undefined || text === '') return this.print('There is nothing to edit. /edit TEXT')
    this.member.chat.edit(own.contact, own.id, text)
  }

  private withdraw(): void {
    const [own] = this.latest('me')
    if (own === undefined) return this.print('There is nothing to take back.')
    this.member.chat.withdraw(own.contact, own.id)
  }

  private react(symbol: string): void {
    const [theirs] = this.latest('them')
    if (theirs === undefined) return this.print('They have not said anything yet.')
    this.member.chat.react(theirs.contact, theirs.id, symbol)
  }

  private vanish(argument: string): void {
    const seconds = parseSeconds(argument)
    if (this.current === undefined) return this.print('Say first with whom: /to NAME.')
    if (seconds === undefined || !isTimer(seconds)) {
      return this.print('/vanish takes a time such as 30s, 5m, 1h, 2d, 4w at the most, or off.')
    }
    this.current = this.member.chat.setTimer(this.current.id, seconds)
    this.print(this.terminal.style('dim', this.describeTimer(seconds)))
  }

  private describeTimer(seconds: number): string {
    if (seconds === 0) return '   what is said from now on stays'
    return `   what is said from now on disappears ${describeSeconds(seconds)} after reading`
  }

  private async command(line: string): Promise<void> {
    const [name, ...rest] = line.slice(1).split(/\s+/)
    const argument = rest.join(' ')
    const commands: Record<string, (argument: string) => void | Promise<void>> = {
      help: () => this.showHelp(),
      to: () => this.talkTo(contactNamed(this.member.chat.contacts(), argument)),
      contacts: () => this.showContacts(),
      add: () => this.add(argument),
      card: () => this.showCard(),
      accept: () => this.answerRequest(true),
      block: () => this.answerRequest(false),
      reply: () => this.reply(argument),
      edit: () => this.edit(argument),
      withdraw: () => this.withdraw(),
      react: () => this.react(argument),
      vanish: () => this.vanish(argument),
      direct: () => this.say(argument, { noStore: true }),
      send: () => this.files.send(argument),
      files: () => this.files.list(),
      save: () => this.files.save(argument),
      cancel: () => this.files.cancel(argument),
      avatar: () => this.avatar.command(argument, this.current),
      presence: () => this.ask(argument === 'all'),
      invisible: () => this.setShowing('invisible'),
      visible: () => this.setShowing('visible'),
      receipts: () => this.receipts(argument),
      verify: () => this.verify(argument),
      ...proofCommands(
        this.member.chat,
        () => this.current,
        (text) => this.print(text),
      ),
      history: () => this.showHistory(Number(argument) || 2 * HISTORY_AT_START),
      status: () => this.showStatus(),
      look: () => this.look(argument),
      quit: () => this.terminal.close(),
    }
    const run = Object.hasOwn(commands, name!) ? commands[name!] : undefined
    if (run === undefined) this.print(`There is no /${sanitize(name!)}. /help shows what there is.`)
    else await run(argument)
  }

  private complete(line: string): string[] {
    if (line.startsWith('/to ')) {
      return this.member.chat
        .contacts()
        .map((contact) => `/to ${nameOf(contact)}`)
        .filter((text) => text.startsWith(line))
    }
    if (!line.startsWith('/')) return []
    return HELP.flatMap(([usage]) => usage.split(', '))
      .map((usage) => usage.split(' ')[0]!)
      .filter((text) => text.startsWith(line))
  }

  private talkTo(contact: ContactView): void {
    this.current = contact
    this.day = ''
    this.print(this.terminal.style('dim', `-- ${nameOf(contact)} ${this.describe(contact)}`))
    this.showHistory(HISTORY_AT_START)
    if (contact.status === 'request') {
      this.print(`${nameOf(contact)} wrote to you first. /accept to talk, /block to hear no more.`)
    }
    if (contact.proof?.state === 'wanted') this.onProof(contact)
    this.member.chat.markRead(contact.id)
    this.prompt()
    if (contact.status === 'accepted') this.glance(contact.id)
    this.avatar.look(contact)
  }

  private add(text: string): void {
    if (text === '') {
      this.print('Paste the link of a card behind it: /add sotto-card:...')
      return
    }
    this.talkTo(this.member.chat.addContact(parseCard(text)))
  }

  private answerRequest(accept: boolean): void {
    const { current, member } = this
    if (current === undefined) return this.print('Say first whom: /to NAME.')
    if (accept) member.chat.accept(current.id)
    else member.chat.block(current.id)
    this.print(accept ? `You and ${nameOf(current)} can talk now.` : `${nameOf(current)} is blocked.`)
    this.current = member.chat.contacts().find(({ id }) => id === current.id)
  }

  private async ask(everybody: boolean): Promise<void> {
    const { member, current } = this
    const friends = member.chat.contacts().filter(({ status }) => status === 'accepted')
    const asked = everybody || current === undefined ? friends : friends.filter(({ id }) => id === current.id)
    if (asked.length === 0) return this.print('There is nobody to ask yet.')
    const found = await member.presence.checkAll(asked.map(({ id }) => id))
    for (const contact of asked) this.print(`  ${nameOf(contact)} ${describePresence(found.get(contact.id)!)}`)
  }

  private setShowing(showing: 'visible' | 'invisible'): void {
    const { chat, finding } = this.member
    chat.presence.setShowing(showing)
    void finding.refresh().catch((error: unknown) => this.showError(error))
    this.print(describeShowing({ showing, all: chat.contacts() }))
  }

  private receipts(argument: string): void {
    const { chat } = this.member
    if (argument !== '') chat.setAllReadReceipts(isOn(argument))
    this.print(chat.readReceipts ? 'Your contacts hear what you have read.' : 'Nobody hears what you have read.')
  }

  private verify(argument: string): void {
    const { current, member } = this
    if (current === undefined) return this.print('Say first whom: /to NAME.')
    if (argument === 'yes') {
      member.chat.verify(current.id, true)
      return this.print(`${nameOf(current)} is verified.`)
    }
    const digits = member.chat.fingerprint(current.id)
    this.print(`Compare these digits with ${nameOf(current)}, in person or by voice:`)
    this.print(this.terminal.style('bold', digits.replace(/(\d{5})(?=\d)/g, '$1 ').replace(/((?:\d{5} ){6})/, '$1\n')))
    this.print('If they are equal on both sides: /verify yes')
  }

  private look(id: string): void {
    if (id === '') {
      this.print(`Your traffic looks like ${this.member.template}. There are: ${this.member.templates.join(', ')}.`)
      return
    }
    this.member.use(id)
    this.print(`From now on your traffic looks like ${id}.`)
  }

  // ---- what is shown --------------------------------------------------------------------------------------------------

  private showHelp(): void {
    const width = Math.max(...HELP.map(([usage]) => usage.length))
    for (const [usage, what] of HELP) this.print(`  ${usage.padEnd(width)}  ${this.terminal.style('dim', what)}`)
  }

  private showContacts(): void {
    const contacts = this.member.chat.contacts()
    if (contacts.length === 0) {
      this.print('You have no contacts yet. /card shows your card to give away, /add LINK takes in another’s.')
      return
    }
    for (const contact of contacts) {
      const unread = contact.unread > 0 ? this.terminal.style('yellow', ` ${contact.unread} unread`) : ''
      const state = this.terminal.style('dim', this.describe(contact))
      this.print(`  ${nameOf(contact)}${this.markOf(contact)} ${state}${unread}`)
    }
  }

  private describe({ status, verified, changed }: ContactView): string {
    if (status !== 'accepted') return `(${status})`
    if (changed) return '(new keys: compare the digits)'
    return verified ? '(verified)' : ''
  }

  private async showCard(): Promise<void> {
    const card = await this.member.chat.myCard()
    this.print('Whoever has this card can write to you. Give it to those you want to hear from:')
    this.print(cardLink(card))
    const { cardCode } = await import('#client/backup/codes.ts')
    this.print(cardCode(cardQrText(card)))
  }

  private showHistory(limit: number): void {
    if (this.current === undefined) return
    const messages = this.member.chat.history(this.current.id, { limit })
    this.day = ''
    for (const message of messages) this.showMessage(message)
  }

  private showMessage(message: MessageView): void {
    const { terminal } = this
    const day = new Date(message.time).toDateString()
    if (day !== this.day) {
      this.day = day
      this.print(terminal.style('dim', `   ${day}`))
    }
    if (message.gapBefore) this.print(terminal.style('dim', '   (something sent before this is not here yet)'))
    this.print(this.lineOf(message))
    if (message.from === 'me') this.last = message
  }

  private lineOf(message: MessageView): string {
    const { terminal } = this
    const time = terminal.style('dim', timeOf(message.time))
    const who = message.from === 'me' ? terminal.style('green', 'you') : terminal.style('cyan', nameOf(this.current!))
    const state = message.from === 'me' ? ` ${terminal.style('dim', marks[message.status])}` : ''
    const picture = pictureLines(message, terminal.hasColours)
    return `${time} ${who}  ${textOf(message, this.answeredBy(message))}${state}${picture}`
  }

  private answeredBy({ answers, contact }: MessageView): MessageView | undefined {
    if (answers === undefined) return undefined
    return this.member.chat.history(contact, { limit: REACH_BACK }).find(({ id }) => id === answers)
  }

  private async showStatus(): Promise<void> {
    for (const status of this.member.status()) this.print(`  ${describePath(status)}`)
  }

  private showError(error: unknown): void {
    const { terminal } = this
    const text = isSottoError(error)
      ? [`${error.message} (${error.code})`, error.kept, error.next].filter((part) => part !== undefined).join('\n  ')
      : `Something went wrong: ${error instanceof Error ? error.message : 'unknown'}`
    this.print(terminal.style('red', text))
  }

  // ---- what happens ------------------------------------------------------------------------------------------------------

  private onEvent(event: ChatEvent): void {
    switch (event.type) {
      case 'message':
        return this.onMessage(event.message)
      case 'changed':
        return this.onChanged(event.message)
      case 'gone':
        return undefined
      case 'receipt':
        return this.onReceipt(event.contact, event.status, event.messages)
      case 'contact':
        return this.onContact(event.contact)
      case 'keys':
        this.terminal.bell()
        return this.print(this.terminal.style('yellow', newKeysOf(event.contact)))
      case 'node':
        return this.print(this.terminal.style('yellow', nodeNews(event.contact, event.offered)))
      case 'node-told':
        return
      case 'presence':
        return this.prompt()
      case 'proof':
        this.terminal.bell()
        return this.onProof(event.contact)
      case 'removed':
        if (this.current?.id === event.contact) this.current = undefined
        return this.prompt()
      case 'problem':
        return this.showError(event.error)
    }
  }

  private onMessage(message: MessageView): void {
    if (message.from === 'me') return
    if (message.contact === this.current?.id) {
      this.showMessage(message)
      this.member.chat.markRead(message.contact)
      return
    }
    const contact = this.member.chat.contacts().find(({ id }) => id === message.contact)
    if (contact === undefined) return
    this.terminal.bell()
    this.print(this.terminal.style('yellow', `${nameOf(contact)} wrote to you. /to ${nameOf(contact)}`))
  }

  /** Our own last line changes in place; anything else is shown again. */
  private onChanged(message: MessageView): void {
    if (message.contact !== this.current?.id) return
    if (message.id === this.last?.id) {
      this.last = message
      this.terminal.amend(this.lineOf(message))
    } else this.print(`${this.terminal.style('dim', 'changed:')} ${this.lineOf(message)}`)
  }

  private onReceipt(contact: string, status: 'sent' | 'delivered' | 'read', messages: readonly string[]): void {
    if (contact !== this.current?.id) return
    const { last } = this
    if (last !== undefined && messages.includes(last.id)) {
      this.last = { ...last, status }
      this.terminal.amend(this.lineOf(this.last))
      return
    }
    if (status !== 'read') return
    const what = messages.length === 1 ? 'your message' : `${messages.length} of your messages`
    this.print(this.terminal.style('dim', `      ✓✓ ${what} read`))
  }

  private onContact(contact: ContactView): void {
    if (contact.id === this.current?.id) {
      if (contact.timer !== this.current.timer)
        this.print(this.terminal.style('dim', this.describeTimer(contact.timer)))
      const before = this.current
      this.current = contact
      this.avatar.changed(before, contact)
      this.prompt()
    } else if (contact.status === 'request') {
      this.print(this.terminal.style('yellow', `${nameOf(contact)} asks to talk to you. /to ${nameOf(contact)}`))
    }
  }

  private onProof(contact: ContactView): void {
    const text = describeProof(contact)
    if (text !== undefined) this.print(this.terminal.style('yellow', text))
  }

  private onStatus(status: TunnelStatus): void {
    const connected = status.state.kind === 'ready'
    if (connected === this.connected || status.state.kind === 'connecting') return
    this.connected = connected
    this.print(this.terminal.style('dim', describePath(status)))
  }
}
