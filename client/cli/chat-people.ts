/** The people of a chat: who there is, who is let in, who is there now, who may see what, and whether they are who they say. */
import { cardLink, cardQrText } from '#client/chat/card-text.ts'
import type { ContactView } from '#client/chat/events.ts'
import type { Member } from '#client/member.ts'
import type { ChatScreen } from './chat-screen.ts'
import { nameOf } from './contact-names.ts'
import type { Conversation } from './conversation.ts'
import { describePresence, describeShowing, isOn, presenceMark } from './presence.ts'

export class ChatPeople {
  private readonly member: Member
  private readonly screen: ChatScreen
  private readonly conversation: Conversation

  constructor(member: Member, screen: ChatScreen, conversation: Conversation) {
    this.member = member
    this.screen = screen
    this.conversation = conversation
  }

  /** By name. @throws as the methods of `Chat` */
  readonly commands: Readonly<Record<string, (argument: string) => void | Promise<void>>> = {
    contacts: () => this.list(),
    card: () => this.showCard(),
    accept: () => this.answerRequest(true),
    block: () => this.answerRequest(false),
    presence: (argument) => this.ask(argument === 'all'),
    invisible: () => this.setShowing('invisible'),
    visible: () => this.setShowing('visible'),
    receipts: (argument) => this.receipts(argument),
    verify: (argument) => this.verify(argument),
  }

  list(): void {
    const { screen } = this
    const contacts = this.member.chat.contacts()
    if (contacts.length === 0) {
      screen.print('You have no contacts yet. /card shows your card to give away, /add LINK takes in another’s.')
      return
    }
    for (const contact of contacts) {
      const unread = contact.unread > 0 ? screen.terminal.style('yellow', ` ${contact.unread} unread`) : ''
      const state = screen.terminal.style('dim', describeContact(contact))
      screen.print(`  ${nameOf(contact)}${this.markOf(contact)} ${state}${unread}`)
    }
  }

  /** Behind a name: whether they are there, as far as is known. */
  markOf(contact: ContactView | undefined): string {
    const mark = contact === undefined ? '' : presenceMark(this.member.chat.presence.of(contact.id))
    return mark === '' ? '' : ` ${this.screen.terminal.style(mark === '●' ? 'green' : 'dim', mark)}`
  }

  /** Asked in passing: what comes of it is shown when it comes. */
  glance(id: string): void {
    void this.member.presence.glance(id).catch((error: unknown) => this.screen.error(error))
  }

  private async showCard(): Promise<void> {
    const card = await this.member.chat.myCard()
    this.screen.print('Whoever has this card can write to you. Give it to those you want to hear from:')
    this.screen.print(cardLink(card))
    const { cardCode } = await import('#client/backup/codes.ts')
    this.screen.print(cardCode(cardQrText(card)))
  }

  private answerRequest(accept: boolean): void {
    const { conversation, screen } = this
    const { chat } = this.member
    const { contact } = conversation
    if (contact === undefined) return screen.print('Say first whom: /to NAME.')
    if (accept) chat.accept(contact.id)
    else chat.block(contact.id)
    screen.print(accept ? `You and ${nameOf(contact)} can talk now.` : `${nameOf(contact)} is blocked.`)
    conversation.contact = chat.contacts().find(({ id }) => id === contact.id)
  }

  private async ask(everybody: boolean): Promise<void> {
    const { member, screen } = this
    const { contact: current } = this.conversation
    const friends = member.chat.contacts().filter(({ status }) => status === 'accepted')
    const asked = everybody || current === undefined ? friends : friends.filter(({ id }) => id === current.id)
    if (asked.length === 0) return screen.print('There is nobody to ask yet.')
    const found = await member.presence.checkAll(asked.map(({ id }) => id))
    for (const contact of asked) screen.print(`  ${nameOf(contact)} ${describePresence(found.get(contact.id)!)}`)
  }

  private setShowing(showing: 'visible' | 'invisible'): void {
    const { chat, finding } = this.member
    chat.presence.setShowing(showing)
    void finding.refresh().catch((error: unknown) => this.screen.error(error))
    this.screen.print(describeShowing({ showing, all: chat.contacts() }))
  }

  private receipts(argument: string): void {
    const { chat } = this.member
    if (argument !== '') chat.setAllReadReceipts(isOn(argument))
    this.screen.print(chat.readReceipts ? 'Your contacts hear what you have read.' : 'Nobody hears what you have read.')
  }

  private verify(argument: string): void {
    const { screen } = this
    const { chat } = this.member
    const { contact } = this.conversation
    if (contact === undefined) return screen.print('Say first whom: /to NAME.')
    if (argument === 'yes') {
      chat.verify(contact.id, true)
      return screen.print(`${nameOf(contact)} is verified.`)
    }
    const digits = chat.fingerprint(contact.id)
    screen.print(`Compare these digits with ${nameOf(contact)}, in person or by voice:`)
    const groups = digits.replace(/(\d{5})(?=\d)/g, '$1 ').replace(/((?:\d{5} ){6})/, '$1\n')
    screen.print(screen.terminal.style('bold', groups))
    screen.print('If they are equal on both sides: /verify yes')
  }
}

export function describeContact({ status, verified, changed }: ContactView): string {
  if (status !== 'accepted') return `(${status})`
  if (changed) return '(new keys: compare the digits)'
  return verified ? '(verified)' : ''
}
