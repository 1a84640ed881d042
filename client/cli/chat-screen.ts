/** The terminal of a chat: what is printed, in which manner, and the one line that can still change in place. */
import type { MessageView } from '#client/chat/events.ts'
import { isSottoError } from '#protocol/errors.ts'
import type { Terminal } from './terminal.ts'

export class ChatScreen {
  readonly terminal: Terminal
  /** Our own message, where it is the last thing printed: its mark can still change in place. */
  own: MessageView | undefined

  constructor(terminal: Terminal) {
    this.terminal = terminal
  }

  print(text: string): void {
    this.own = undefined
    this.terminal.print(text)
  }

  /** What only goes with something else. */
  aside(text: string): void {
    this.print(this.terminal.style('dim', text))
  }

  /** What the person is to notice. */
  news(text: string): void {
    this.print(this.terminal.style('yellow', text))
  }

  error(error: unknown): void {
    const text = isSottoError(error)
      ? [`${error.message} (${error.code})`, error.kept, error.next].filter((part) => part !== undefined).join('\n  ')
      : `Something went wrong: ${error instanceof Error ? error.message : 'unknown'}`
    this.print(this.terminal.style('red', text))
  }
}
