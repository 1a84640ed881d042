/** One member's WebSocket once it stands: events are exchanges, acknowledgements their answers. */
import type { Socket } from '#engine/socket.ts'
import { latin1 } from '#protocol/bytes.ts'
import { TOKEN_LENGTH } from '#protocol/constants.ts'
import type { TokenTable } from '#protocol/session/token-table.ts'
import type { Guest } from '../decoy/decoy.ts'
import type { Sessions } from '../sessions.ts'
import type { SocketLimits } from './limits.ts'

export interface GuestLineInput {
  readonly tokens: TokenTable
  readonly sessions: Sessions
  readonly limits: SocketLimits
  /** What failed inside while an exchange was performed. */
  readonly report: (error: unknown) => void
}

type Acknowledge = (...attachments: Uint8Array[]) => void

export class GuestLine {
  private readonly guest: Guest
  private readonly socket: Socket
  private readonly input: GuestLineInput
  /** Of exchanges that wait for their answers here. */
  private readonly waiting = new Set<() => void>()
  /** Octets that were given to the server and have not gone to the connection. */
  private unsent = 0

  constructor(guest: Guest, socket: Socket, input: GuestLineInput) {
    this.guest = guest
    this.socket = socket
    this.input = input
    guest.onAny((event: unknown, ...args: unknown[]) => this.hear(event, args))
    guest.conn.on('drain', () => {
      this.unsent = 0
    })
    guest.on('disconnect', () => {
      for (const gone of this.waiting) gone()
      this.waiting.clear()
    })
  }

  /** An answer that no event has asked for: that of the request for this socket. */
  say(parcel: Uint8Array): void {
    const attachments = this.socket.split(parcel)
    if (this.mayAnswer(parcel.length)) this.guest.emit(this.socket.event, ...attachments)
  }

  private hear(event: unknown, args: readonly unknown[]): void {
    const attachments = args.slice(0, -1)
    const acknowledge = args.at(-1)
    if (event !== this.socket.event || typeof acknowledge !== 'function' || !attachments.every(isOctets)) return
    const octets = this.socket.join(attachments)
    if (octets === undefined || octets.length <= TOKEN_LENGTH) return
    try {
      this.exchange(octets, acknowledge as Acknowledge)
    } catch (error) {
      this.input.report(error)
    }
  }

  /** What is not authentic changes nothing and gets no answer, like any event that nobody listens for. */
  private exchange(octets: Uint8Array, acknowledge: Acknowledge): void {
    const expected = this.input.tokens.find(latin1(octets.subarray(0, TOKEN_LENGTH)))
    const live = expected && this.input.sessions.of(expected.session)
    const { messages } = this.socket
    const parcel = octets.subarray(TOKEN_LENGTH)
    if (live === undefined || !messages.up.classes.includes(parcel.length)) return
    let isAnswered = false
    let gone = (): void => {}
    const taken = live.exchange(expected!, messages, parcel, (answer) => {
      isAnswered = true
      if (answer !== undefined && this.mayAnswer(answer.body.length)) acknowledge(...this.socket.split(answer.body))
      this.leave(gone)
    })
    if (taken === undefined) return
    gone = taken.gone
    this.waiting.add(gone)
    // A repeat is answered while it is taken in.
    if (isAnswered) this.leave(gone)
  }

  private leave(gone: () => void): void {
    if (this.waiting.delete(gone)) gone()
  }

  /** Who asks and does not listen is left. */
  private mayAnswer(octets: number): boolean {
    if (!this.guest.connected) return false
    this.unsent += octets
    if (this.unsent <= this.input.limits.unsentBytes) return true
    this.guest.disconnect(true)
    return false
  }
}

const isOctets = (value: unknown): value is Uint8Array => value instanceof Uint8Array
