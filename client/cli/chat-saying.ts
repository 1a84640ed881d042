/** What a person says in a chat, and does to what was said: texts, answers, changes, symbols, the time until it disappears. */

import type { MessageId, MessageView } from '#client/chat/events.ts'
import type { SendOptions } from '#client/chat/message-book.ts'
import { isTimer } from '#client/chat/says.ts'
import type { Member } from '#client/member.ts'
import type { ChatScreen } from './chat-screen.ts'
import type { Conversation } from './conversation.ts'
import { parseSeconds } from './text.ts'

export interface ChatSayingInput {
  readonly member: Member
  readonly screen: ChatScreen
  readonly conversation: Conversation
  /** Hears every message of ours. */
  readonly said: (message: MessageView) => void
  /** Whether they are there is asked in passing. */
  readonly glance: (contact: string) => void
}

export class ChatSaying {
  private readonly input: ChatSayingInput

  constructor(input: ChatSayingInput) {
    this.input = input
  }

  /** By name. @throws as the methods of `Chat` */
  readonly commands: Readonly<Record<string, (argument: string) => void>> = {
    reply: (argument) => this.reply(argument),
    edit: (text) => this.edit(text),
    withdraw: () => this.withdraw(),
    react: (symbol) => this.react(symbol),
    vanish: (argument) => this.vanish(argument),
    direct: (text) => this.say(text, { noStore: true }),
  }

  say(text: string, options: SendOptions = {}): void {
    const { member, screen, conversation, said, glance } = this.input
    if (conversation.contact === undefined) {
      screen.print('Say first to whom: /to NAME, or /contacts to see who there is.')
      return
    }
    const message = member.chat.send(conversation.contact.id, text, options)
    said(message)
    conversation.show(message)
    glance(message.contact)
  }

  /** One that something else has sent, as a file. */
  told(id: MessageId): void {
    const { conversation, said } = this.input
    const own = conversation.latest('me').find((message) => message.id === id)
    if (own === undefined) return
    said(own)
    conversation.show(own)
  }

  private reply(argument: string): void {
    const { screen, conversation } = this.input
    const [, back = '0', text] = /^(?:(\d+)\s+)?(.+)$/s.exec(argument) ?? []
    const answered = conversation.latest('them')[Number(back)]
    if (answered === undefined || text === undefined) {
      return screen.print('There is nothing to answer. /reply [N] TEXT')
    }
    this.say(text, { answers: answered.id })
  }

  private edit(text: string): void {
    const { member, screen, conversation } = this.input
    const [own] = conversation.latest('me')
    if (own === undefined || text === '') return screen.print('There is nothing to edit. /edit TEXT')
    member.chat.edit(own.contact, own.id, text)
  }

  private withdraw(): void {
    const { member, screen, conversation } = this.input
    const [own] = conversation.latest('me')
    if (own === undefined) return screen.print('There is nothing to take back.')
    member.chat.withdraw(own.contact, own.id)
  }

  private react(symbol: string): void {
    const { member, screen, conversation } = this.input
    const [theirs] = conversation.latest('them')
    if (theirs === undefined) return screen.print('They have not said anything yet.')
    member.chat.react(theirs.contact, theirs.id, symbol)
  }

  private vanish(argument: string): void {
    const { member, screen, conversation } = this.input
    const seconds = parseSeconds(argument)
    if (conversation.contact === undefined) return screen.print('Say first with whom: /to NAME.')
    if (seconds === undefined || !isTimer(seconds)) {
      return screen.print('/vanish takes a time such as 30s, 5m, 1h, 2d, 4w at the most, or off.')
    }
    conversation.contact = member.chat.setTimer(conversation.contact.id, seconds)
    conversation.showTimer(seconds)
  }
}
