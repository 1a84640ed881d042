/** The terminal chat: one conversation at a time, everything else a command away. */
import type { Readable } from 'node:stream'
import { parseCard } from '#client/chat/card-text.ts'
import type { ChatEvent, ContactView, MessageView } from '#client/chat/events.ts'
import type { Member } from '#client/member.ts'
import type { TunnelStatus } from '#client/tunnel/status.ts'
import { ChatAvatar } from './chat-avatar.ts'
import { ChatFiles } from './chat-files.ts'
import { completions, helpLines } from './chat-help.ts'
import { ChatPeople, describeContact } from './chat-people.ts'
import { ChatSaying } from './chat-saying.ts'
import { ChatScreen } from './chat-screen.ts'
import { contactNamed, nameOf, newKeysOf, nodeNews } from './contact-names.ts'
import { Conversation, HISTORY_AT_START } from './conversation.ts'
import { describeProof, proofCommands, SECRET_COMMANDS } from './proof-view.ts'
import { sanitize } from './sanitize.ts'
import { openTerminal } from './terminal.ts'
import { describePath } from './text.ts'

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
  private readonly screen: ChatScreen
  private readonly conversation: Conversation
  private readonly people: ChatPeople
  private readonly saying: ChatSaying
  private readonly avatar: ChatAvatar
  private readonly commands: Readonly<Record<string, (argument: string) => void | Promise<void>>>
  private connected: boolean | undefined
  private isLeft = false
  /** Those whose requests were told. */
  private readonly announced = new Set<string>()

  constructor(input: ChatViewInput, done: () => void) {
    const { member, folder, said } = input
    this.member = member
    const screen = this.open(input, done)
    this.screen = screen
    const conversation = new Conversation(member, screen)
    this.conversation = conversation
    this.people = new ChatPeople(member, screen, conversation)
    const glance = (id: string): void => this.people.glance(id)
    this.saying = new ChatSaying({ member, screen, conversation, said, glance })
    const files = new ChatFiles({
      ...{ member, folder, current: () => conversation.contact },
      print: (text) => screen.aside(text),
      printError: (error) => screen.error(error),
      told: (message) => this.saying.told(message),
    })
    const { hasColours } = screen.terminal
    this.avatar = new ChatAvatar({
      ...{ member, folder, hasColours, print: (text) => screen.print(text) },
      printError: (error) => screen.error(error),
    })
    this.commands = this.commandsWith(files)
    member.chat.onEvent((event) => this.onEvent(event))
    member.onStatus((status) => this.onStatus(status))
    member.onRefusal((error) => screen.error(error))
    this.begin(input.to)
  }

  private open({ member, input, output }: ChatViewInput, done: () => void): ChatScreen {
    const terminal = openTerminal({
      input,
      output,
      onLine: (line) => void this.onLine(line.trim()),
      onClose: () => {
        this.isLeft = true
        member.rounds.end()
        done()
      },
      complete: (line) => completions(line, () => member.chat.contacts()),
      isSecret: (line) => SECRET_COMMANDS.some((command) => line.trimStart().startsWith(`${command} `)),
    })
    return new ChatScreen(terminal)
  }

  private begin(to: string | undefined): void {
    const { member, screen } = this
    const { terminal } = screen
    screen.print(`${terminal.style('bold', 'Sotto')}  ${terminal.style('dim', '/help shows what you can do here')}`)
    member.rounds.begin()
    const contacts = member.chat.contacts()
    const first = to === undefined ? (contacts.length === 1 ? contacts[0] : undefined) : contactNamed(contacts, to)
    if (first === undefined) this.people.list()
    else this.talkTo(first)
    this.prompt()
  }

  private prompt(): void {
    const { contact } = this.conversation
    const { terminal } = this.screen
    const to = contact === undefined ? 'nobody yet' : nameOf(contact)
    terminal.setPrompt(`${terminal.style('cyan', to)}${this.people.markOf(contact)} > `)
  }

  private async onLine(line: string): Promise<void> {
    if (line === '') return
    try {
      if (line.startsWith('/')) await this.command(line)
      else this.saying.say(line)
    } catch (error) {
      this.screen.error(error)
    }
  }

  private async command(line: string): Promise<void> {
    const [name, ...rest] = line.slice(1).split(/\s+/)
    const run = Object.hasOwn(this.commands, name!) ? this.commands[name!] : undefined
    if (run === undefined) this.screen.print(`There is no /${sanitize(name!)}. /help shows what there is.`)
    else await run(rest.join(' '))
  }

  private commandsWith(files: ChatFiles): ChatView['commands'] {
    const { member, screen, conversation } = this
    return {
      help: () => helpLines((text) => screen.terminal.style('dim', text)).forEach((text) => void screen.print(text)),
      to: (name) => this.talkTo(contactNamed(member.chat.contacts(), name)),
      add: (link) => this.add(link),
      ...this.people.commands,
      ...this.saying.commands,
      send: (name) => files.send(name),
      files: () => files.list(),
      save: (id) => files.save(id),
      cancel: (id) => files.cancel(id),
      avatar: (argument) => this.avatar.command(argument, conversation.contact),
      ...proofCommands(
        member.chat,
        () => conversation.contact,
        (text) => screen.print(text),
      ),
      history: (count) => conversation.showHistory(Number(count) || 2 * HISTORY_AT_START),
      status: () => member.status().forEach((status) => void screen.print(`  ${describePath(status)}`)),
      look: (id) => this.look(id),
      quit: () => screen.terminal.close(),
    }
  }

  private talkTo(contact: ContactView): void {
    const { screen } = this
    screen.aside(`-- ${nameOf(contact)} ${describeContact(contact)}`)
    this.conversation.open(contact)
    if (contact.status === 'request') {
      screen.print(`${nameOf(contact)} wrote to you first. /accept to talk, /block to hear no more.`)
    }
    if (contact.proof?.state === 'wanted') this.onProof(contact)
    this.member.chat.markRead(contact.id)
    this.prompt()
    if (contact.status === 'accepted') this.people.glance(contact.id)
    this.avatar.look(contact)
  }

  private add(text: string): void {
    if (text === '') this.screen.print('Paste the link of a card behind it: /add sotto-card:...')
    else this.talkTo(this.member.chat.addContact(parseCard(text)))
  }

  private look(id: string): void {
    const { member, screen } = this
    if (id === '') {
      screen.print(`Your traffic looks like ${member.template}. There are: ${member.templates.join(', ')}.`)
      return
    }
    member.use(id)
    screen.print(`From now on your traffic looks like ${id}.`)
  }

  // ---- what happens ------------------------------------------------------------------------------------------------------

  private onEvent(event: ChatEvent): void {
    const { conversation, screen } = this
    switch (event.type) {
      case 'message':
        return this.onMessage(event.message)
      case 'changed':
        return conversation.changed(event.message)
      case 'gone':
        return undefined
      case 'receipt':
        return conversation.received(event.contact, event.status, event.messages)
      case 'contact':
        return this.onContact(event.contact)
      case 'keys':
        screen.terminal.bell()
        return screen.news(newKeysOf(event.contact))
      case 'node':
        return screen.news(nodeNews(event.contact, event.offered))
      case 'node-told':
        return
      case 'presence':
        return this.prompt()
      case 'proof':
        screen.terminal.bell()
        return this.onProof(event.contact)
      case 'removed':
        if (conversation.contact?.id === event.contact) conversation.contact = undefined
        return this.prompt()
      case 'problem':
        return screen.error(event.error)
    }
  }

  private onMessage(message: MessageView): void {
    if (message.from === 'me' || this.conversation.arrived(message)) return
    const contact = this.member.chat.contacts().find(({ id }) => id === message.contact)
    if (contact === undefined) return
    this.screen.terminal.bell()
    this.screen.news(`${nameOf(contact)} wrote to you. /to ${nameOf(contact)}`)
  }

  private onContact(contact: ContactView): void {
    const { contact: before } = this.conversation
    if (contact.id === before?.id) {
      this.conversation.became(contact)
      this.avatar.changed(before, contact)
      this.prompt()
    } else if (contact.status === 'request' && !this.announced.has(contact.id)) {
      this.announced.add(contact.id)
      this.screen.news(`${nameOf(contact)} asks to talk to you. /to ${nameOf(contact)}`)
    }
  }

  private onProof(contact: ContactView): void {
    const text = describeProof(contact)
    if (text !== undefined) this.screen.news(text)
  }

  private onStatus(status: TunnelStatus): void {
    const connected = status.state.kind === 'ready'
    // Who leaves is not told that the way ends.
    if (this.isLeft || connected === this.connected || status.state.kind === 'connecting') return
    this.connected = connected
    this.screen.aside(describePath(status))
  }
}
