/**
 * Keeps a WebSocket for the exchanges of a session, where the template has one and the network lets one through. Polls carry
 * everything until it stands, and whenever it does not; what was under way on a socket that is over goes out again on them.
 */
import type { Socket } from '#engine/compile.ts'
import type { Permit } from '#firewall/permit.ts'
import type { Millis } from '#protocol/bytes.ts'
import { PARCEL_MIN } from '#protocol/constants.ts'
import { isSottoError, SottoError } from '#protocol/errors.ts'
import { bindingOf } from '#protocol/recognition.ts'
import type { ClientSession } from '#protocol/session/client-session.ts'
import type { Clockwork } from '../clockwork.ts'
import { hostOf } from '../introduction.ts'
import type { Path } from '../path.ts'
import { SocketLine } from './socket-line.ts'

/** Milliseconds until a socket is tried again: after the first failure or cut, times four after each more, and the longest. */
const AGAIN_MS = 4_000
const AGAIN_MOST = 1_800_000
/** A socket that lived for so long was none that this network would not have. */
const LIVED_MS = 60_000

export interface SocketCarrierInput {
  readonly permit: Permit
  readonly clockwork: Clockwork
  readonly path: Path
  /** It carries from now on, or no longer does. */
  readonly changed: () => void
}

export class SocketCarrier {
  private readonly input: SocketCarrierInput
  private current: SocketLine | undefined
  private opening: AbortController | undefined
  private failures = 0
  private nextTry: Millis = Number.NEGATIVE_INFINITY
  private cancelNext = (): void => {}

  constructor(input: SocketCarrierInput) {
    this.input = input
  }

  /** What carries now. */
  get line(): SocketLine | undefined {
    return this.current
  }

  /** A request for a socket is under way: whoever waits for news had better wait for that. */
  get isOpening(): boolean {
    return this.opening !== undefined
  }

  /** Asks for a socket where there is none and it is time. */
  tend(session: ClientSession, look: Socket | undefined): void {
    const { permit, clockwork } = this.input
    if (look === undefined || permit.openSocket === undefined || !session.mux.ready || !session.mayTake) return
    if (this.current !== undefined || this.opening !== undefined || clockwork.now() < this.nextTry) return
    const opening = new AbortController()
    this.opening = opening
    this.open(session, look, opening.signal).then(
      () => this.settled(opening),
      (error) => {
        // Given up by us, or the gateway has gone: nothing is known of sockets.
        if (!opening.signal.aborted && !session.mux.isClosed) this.failed(error)
        this.settled(opening)
      },
    )
  }

  /** What is under way on it goes out again in another look. */
  drop(): void {
    this.opening?.abort()
    this.opening = undefined
    const line = this.current
    if (line === undefined) return
    this.current = undefined
    this.input.changed()
    line.close()
  }

  stop(): void {
    this.cancelNext()
    this.drop()
  }

  private settled(opening: AbortController): void {
    if (this.opening === opening) this.opening = undefined
    this.input.changed()
  }

  private failed(error: unknown): void {
    this.again(this.failures++)
    if (!isSottoError(error, 'E_FIREWALL_GONE')) this.input.path.note('E_NET_SOCKET')
  }

  private again(failures: number): void {
    const { clockwork, changed } = this.input
    const jitter = 0.5 + clockwork.random(1)[0]! / 510
    const rest = Math.min(AGAIN_MOST, AGAIN_MS * 4 ** failures) * jitter
    this.nextTry = clockwork.now() + rest
    this.cancelNext()
    this.cancelNext = clockwork.after(rest, () => {
      this.nextTry = Number.NEGATIVE_INFINITY
      changed()
    })
  }

  /** Rejects where no socket comes about, none that the gateway answers on, or not in time. */
  private async open(session: ClientSession, look: Socket, signal: AbortSignal): Promise<void> {
    const { permit, clockwork, path } = this.input
    const { upgrade } = look
    // Nothing that would be missed where it fails.
    const outgoing = session.takeBare(upgrade.up.fit(PARCEL_MIN), bindingOf(upgrade))
    let isAuthentic = false
    try {
      const request = upgrade.encodeRequest({ ...outgoing, host: hostOf(permit), random: clockwork.random })
      const timeoutMs = path.patience
      const socket = await permit.openSocket!(request, { timeoutMs, family: upgrade.family, signal })
      const accept = (parcel: Uint8Array): boolean => {
        isAuthentic ||= session.receive(clockwork.now(), outgoing.number, parcel)
        return isAuthentic
      }
      let stoodAt: Millis | undefined
      const line: SocketLine = new SocketLine({ socket, look, clockwork, accept, over: () => this.over(line, stoodAt) })
      const late = (): void => line.close()
      const cancel = clockwork.after(timeoutMs, late)
      signal.addEventListener('abort', late, { once: true })
      await line.standing.finally(() => {
        cancel()
        signal.removeEventListener('abort', late)
      })
      if (signal.aborted) throw new SottoError('E_PATH_CLOSED', 'The socket was given up.')
      stoodAt = clockwork.now()
      this.current = line
    } finally {
      if (!isAuthentic) session.abandon(outgoing.number)
    }
  }

  private over(line: SocketLine, stoodAt: Millis | undefined): void {
    if (this.current !== line || stoodAt === undefined) return
    this.current = undefined
    if (this.input.clockwork.now() - stoodAt >= LIVED_MS) this.failures = 0
    this.again(this.failures++)
    this.input.changed()
  }
}
