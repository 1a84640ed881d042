/** One conversation on the screen of a chat: whom the person talks to, and its messages as they come and change. */
import type { ContactView, MessageId, MessageView } from '#client/chat/events.ts'
import type { Member } from '#client/member.ts'
import { pictureLines } from './chat-files.ts'
import type { ChatScreen } from './chat-screen.ts'
import { nameOf } from './contact-names.ts'
import { describeSeconds, marks, textOf, timeOf } from './text.ts'

export const HISTORY_AT_START = 20
/** Messages that are looked through for the one that is meant. */
const REACH_BACK = 200

export class Conversation {
  /** Who is talked to; undefined for nobody yet. */
  contact: ContactView | undefined
  private readonly member: Member
  private readonly screen: ChatScreen
  /** The last day that was printed, so that a new one gets a line. */
  private day = ''

  constructor(member: Member, screen: ChatScreen) {
    this.member = member
    this.screen = screen
  }

  /** Another one, from its newest messages on. */
  open(contact: ContactView): void {
    this.contact = contact
    this.showHistory(HISTORY_AT_START)
  }

  /** The newest messages of one side, the newest first. */
  latest(from: MessageView['from']): MessageView[] {
    if (this.contact === undefined) return []
    const messages = this.member.chat.history(this.contact.id, { limit: REACH_BACK })
    return messages.filter((message) => message.from === from && !message.withdrawn).reverse()
  }

  showHistory(limit: number): void {
    if (this.contact === undefined) return
    const messages = this.member.chat.history(this.contact.id, { limit })
    this.day = ''
    for (const message of messages) this.show(message)
  }

  show(message: MessageView): void {
    const { screen } = this
    const day = new Date(message.time).toDateString()
    if (day !== this.day) {
      this.day = day
      screen.aside(`   ${day}`)
    }
    if (message.gapBefore) screen.aside('   (something sent before this is not here yet)')
    screen.print(this.lineOf(message))
    if (message.from === 'me') screen.own = message
  }

  private lineOf(message: MessageView): string {
    const { terminal } = this.screen
    const time = terminal.style('dim', timeOf(message.time))
    const who = message.from === 'me' ? terminal.style('green', 'you') : terminal.style('cyan', nameOf(this.contact!))
    const state = message.from === 'me' ? ` ${terminal.style('dim', marks[message.status])}` : ''
    const picture = pictureLines(message, terminal.hasColours)
    return `${time} ${who}  ${textOf(message, this.answeredBy(message))}${state}${picture}`
  }

  private answeredBy({ answers, contact }: MessageView): MessageView | undefined {
    if (answers === undefined) return undefined
    return this.member.chat.history(contact, { limit: REACH_BACK }).find(({ id }) => id === answers)
  }

  // ---- what happens in it -----------------------------------------------------------------------------------------------

  /** Of theirs; false where it belongs to another conversation. */
  arrived(message: MessageView): boolean {
    if (message.contact !== this.contact?.id) return false
    this.show(message)
    this.member.chat.markRead(message.contact)
    return true
  }

  /** Our own last line changes in place; anything else is shown again. */
  changed(message: MessageView): void {
    const { screen } = this
    if (message.contact !== this.contact?.id) return
    if (message.id !== screen.own?.id) {
      return screen.print(`${screen.terminal.style('dim', 'changed:')} ${this.lineOf(message)}`)
    }
    screen.own = message
    screen.terminal.amend(this.lineOf(message))
  }

  received(contact: string, status: 'sent' | 'delivered' | 'read', messages: readonly MessageId[]): void {
    const { screen } = this
    if (contact !== this.contact?.id) return
    if (screen.own !== undefined && messages.includes(screen.own.id)) {
      screen.own = { ...screen.own, status }
      return screen.terminal.amend(this.lineOf(screen.own))
    }
    if (status !== 'read') return
    const what = messages.length === 1 ? 'your message' : `${messages.length} of your messages`
    screen.aside(`      ✓✓ ${what} read`)
  }

  /** Something about whom the person talks to is other than before. */
  became(contact: ContactView): void {
    if (contact.timer !== this.contact?.timer) this.showTimer(contact.timer)
    this.contact = contact
  }

  showTimer(seconds: number): void {
    if (seconds === 0) return this.screen.aside('   what is said from now on stays')
    this.screen.aside(`   what is said from now on disappears ${describeSeconds(seconds)} after reading`)
  }
}
