/** When friends are asked: as soon as there is a way after the chat was opened, and from time to time while it is, if wished. */
import type { Chat } from '#client/chat/chat.ts'
import type { Clockwork } from '#client/clockwork.ts'
import { readU32 } from '#protocol/bytes.ts'
import type { PresenceChecker } from './checker.ts'

/** Of the time between two rounds: it is up to this share shorter or longer each time. */
const UNEVEN = 0.25

export class Rounds {
  private readonly chat: Chat
  private readonly checker: Pick<PresenceChecker, 'checkAll'>
  private readonly clockwork: Clockwork
  /** begun: the person sees it. asked: since then, once. */
  private state: 'closed' | 'begun' | 'asked' = 'closed'
  private isConnected = false
  private cancel: () => void = () => {}

  constructor(chat: Chat, checker: Pick<PresenceChecker, 'checkAll'>, clockwork: Clockwork) {
    this.chat = chat
    this.checker = checker
    this.clockwork = clockwork
  }

  /** The person looks at the chat from now on, until `end`. */
  begin(): void {
    this.state = 'begun'
    this.first()
  }

  /** There is a way. */
  connected(): void {
    this.isConnected = true
    this.first()
  }

  end(): void {
    this.state = 'closed'
    this.cancel()
  }

  /** The person wishes another time between two rounds. */
  retime(): void {
    this.cancel()
    const seconds = this.chat.presence.askEvery
    if (this.state === 'closed' || seconds === 0) return
    const uneven = 1 - UNEVEN + 2 * UNEVEN * (readU32(this.clockwork.random(4)) / 2 ** 32)
    this.cancel = this.clockwork.after(seconds * 1_000 * uneven, () => this.round())
  }

  private first(): void {
    if (this.state !== 'begun' || !this.isConnected) return
    this.state = 'asked'
    this.round()
  }

  private round(): void {
    const { presence } = this.chat
    const unknown = presence.round().filter((id) => presence.of(id)?.by !== 'themselves')
    void this.checker.checkAll(unknown)
    this.retime()
  }
}
