/**
 * The straight way to a contact's node. Dialed when there is something to put there, let go when there is nothing for a
 * while, and left alone for longer and longer where nobody answers: messages have the mailbox.
 */
import type { Millis } from '#protocol/bytes.ts'
import { SottoError } from '#protocol/errors.ts'
import { ServiceFailure } from '#protocol/services/service.ts'
import type { Clockwork } from './clockwork.ts'
import type { Tunnel } from './tunnel.ts'

/** Milliseconds for a message to get there, the way itself included; then it goes by the mailbox. */
const PATIENCE_MS = 3_000
/** Milliseconds without an answer after which the way is let go. */
const IDLE_MS = 120_000
/** Milliseconds that a node out of reach is left alone, doubled each time up to the second number. */
const REST_MS = 60_000
const REST_MOST_MS = 3_600_000

/** What of a tunnel is needed. */
export interface PeerLine {
  readonly tunnel: Pick<Tunnel, 'call' | 'status'>
  stop(): Promise<void>
}

export type PeerState =
  | { readonly kind: 'unused' | 'connecting' | 'ready' }
  /** Nobody answered; not tried again before. */
  | { readonly kind: 'out of reach'; readonly until?: Millis }

export class PeerWay {
  private readonly clockwork: Clockwork
  private readonly open: () => Promise<PeerLine>
  private opening: Promise<PeerLine> | undefined
  private line: PeerLine | undefined
  private cancelIdle = (): void => {}
  /** Openings one after another that nothing came of. */
  private failures = 0
  private answered = false
  private restsUntil: Millis = Number.NEGATIVE_INFINITY
  private closed = false

  constructor(clockwork: Clockwork, open: () => Promise<PeerLine>) {
    this.clockwork = clockwork
    this.open = open
  }

  get state(): PeerState {
    if (this.rests) return { kind: 'out of reach', until: this.restsUntil }
    if (this.opening === undefined) return { kind: 'unused' }
    const state = this.line?.tunnel.status.state.kind
    if (state === 'failing') return { kind: 'out of reach' }
    return { kind: state === 'ready' ? 'ready' : 'connecting' }
  }

  /**
   * A call of the node's services. Nobody waits longer than `PATIENCE_MS`.
   * @throws ServiceFailure; SottoError E_TUNNEL_TIMEOUT, E_TUNNEL_STOPPED, E_FIREWALL_REFUSED
   */
  async call(method: string, args: unknown): Promise<unknown> {
    const { tunnel } = await this.dialed()
    if (tunnel.status.state.kind === 'failing') throw outOfReach()
    try {
      const answer = await tunnel.call(method, args, { timeoutMs: PATIENCE_MS })
      this.proved()
      return answer
    } catch (error) {
      if (error instanceof ServiceFailure) this.proved()
      throw error
    }
  }

  async close(): Promise<void> {
    this.closed = true
    await this.letGo()
  }

  private get rests(): boolean {
    return this.opening === undefined && this.clockwork.now() < this.restsUntil
  }

  private dialed(): Promise<PeerLine> {
    if (this.closed || this.rests) return Promise.reject(outOfReach())
    if (this.opening !== undefined) return this.opening
    this.answered = false
    this.await()
    this.opening = this.open().then(
      (line) => {
        this.line = line
        return line
      },
      (error: unknown) => {
        void this.letGo()
        throw error
      },
    )
    return this.opening
  }

  private proved(): void {
    this.answered = true
    this.failures = 0
    if (this.opening !== undefined) this.await()
  }

  private await(): void {
    this.cancelIdle()
    this.cancelIdle = this.clockwork.after(IDLE_MS, () => void this.letGo())
  }

  private async letGo(): Promise<void> {
    const { opening } = this
    if (opening === undefined) return
    this.cancelIdle()
    this.opening = undefined
    this.line = undefined
    if (!this.answered) {
      const rest = Math.min(REST_MS * 2 ** this.failures++, REST_MOST_MS)
      this.restsUntil = this.clockwork.now() + rest
    }
    await opening.then(
      (line) => line.stop(),
      () => {},
    )
  }
}

const outOfReach = (): SottoError =>
  new SottoError('E_TUNNEL_TIMEOUT', 'the node of your contact is out of reach', {
    kept: 'Messages go by the mailbox.',
  })
