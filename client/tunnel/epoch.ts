/** One session, from introduction to its end, and what is kept of the exchanges that carry it. */
import type { CompiledTemplate } from '#engine/compile.ts'
import type { ClientSession } from '#protocol/session/client-session.ts'
import { CloseCode } from '#protocol/session/frames.ts'

/** At first; twice as long with every time, until something comes through. */
const SHIFT_MS = 6_000

export class Epoch {
  readonly session: ClientSession
  readonly abort: AbortController = new AbortController()
  /** Exchanges under way, with the template they look like and how to give them up. */
  readonly underWay: Map<AbortController, CompiledTemplate> = new Map()
  /** Of them, those on the WebSocket. */
  readonly onSocket: Set<AbortController> = new Set()
  /** Numbers spent on templates that did not carry. */
  spent = 0
  /** Requests that this side has sent once more as they were. */
  again = 0
  /** Numbers spent on requests that somebody on the way had answered. */
  renewed = 0
  /** Another template is being looked for. */
  shifting = false
  /** The website answered in place of the gateway: nothing more in this template until another is found. */
  refused = false
  /** New keys are being asked for. */
  rekeying = false
  /** Milliseconds that an exchange may go on failing until another template is tried. */
  shiftAfter: number = SHIFT_MS

  constructor(session: ClientSession) {
    this.session = session
    const giveUp = (): void => this.underWay.forEach((_, given) => void given.abort())
    this.abort.signal.addEventListener('abort', giveUp, { once: true })
  }

  get isOver(): boolean {
    return this.abort.signal.aborted
  }

  /** The gateway does not know this session any more, or it cannot go on. */
  giveUp(): void {
    this.session.mux.close(CloseCode.gone)
    this.abort.abort()
  }

  /** An exchange came through. */
  carried(): void {
    this.spent = 0
    this.renewed = 0
    this.shiftAfter = SHIFT_MS
  }
}
