/**
 * A client session and a gateway session joined by a network that loses, doubles, delays, reorders and stalls, in
 * virtual time. The two drivers do what the carriers do, without HTTP.
 */
import { latin1 } from '#protocol/bytes.ts'
import { Limits } from '#protocol/constants.ts'
import { aes256gcm, chacha20poly1305 } from '#protocol/crypto/aead.ts'
import type { Outgoing } from '#protocol/session/client-session.ts'
import { ClientSession } from '#protocol/session/client-session.ts'
import type { PackPointer } from '#protocol/session/frames.ts'
import type { NoiseAnswer } from '#protocol/session/gateway-session.ts'
import { GatewaySession } from '#protocol/session/gateway-session.ts'
import type { Stream } from '#protocol/session/stream.ts'
import { TokenTable } from '#protocol/session/token-table.ts'
import type { Prng } from './prng.ts'
import { VirtualTime } from './virtual-time.ts'

export interface Faults {
  /** Probability that a request, and that an answer, is lost. */
  readonly loss: number
  /** Probability that a request arrives twice. */
  readonly duplication: number
  /** Most milliseconds a message takes; it takes any time below, so messages overtake each other. */
  readonly delay: number
  /** Probability that a message takes ten seconds. */
  readonly stall: number
  /** Probability that the client gives up an exchange after its third failure instead of repeating it. */
  readonly abandon: number
}

const SIZES = [96, 768, 4096, 32_768]
const CONCURRENCY = 4
const HOLD = 6_000

export class SessionLink {
  readonly time: VirtualTime = new VirtualTime()
  readonly tokens: TokenTable = new TokenTable()
  readonly client: ClientSession
  readonly gateway: GatewaySession
  readonly incoming: { client: Stream[]; gateway: Stream[] } = { client: [], gateway: [] }
  readonly closed: { client?: number; gateway?: number } = {}
  onStream: ((side: 'client' | 'gateway', stream: Stream) => void) | undefined
  /** What the client was told of packs. */
  readonly pointers: PackPointer[] = []
  strangers = 0
  exchanges = 0
  private readonly rng: Prng
  private readonly faults: Faults
  private readonly held = new Map<number, { deadline: number; reply: (parcel: Uint8Array) => void }>()
  private readonly answers = new Map<number, Uint8Array>()
  private polls = 0
  private sends = 0

  constructor(rng: Prng, faults: Faults, noise: NoiseAnswer = () => undefined) {
    this.rng = rng
    this.faults = faults
    const root = rng.bytes(32)
    const aead = rng.chance(0.5) ? aes256gcm : chacha20poly1305
    const now = this.time.now
    this.gateway = new GatewaySession({
      root: root.slice(),
      aead,
      now,
      random: rng.bytes,
      tokens: this.tokens,
      noise,
      events: {
        stream: (stream) => this.arrive('gateway', stream),
        wake: () => this.time.after(0, () => this.flush()),
        acknowledged: (number) => this.answers.delete(number),
        abandoned: (number) => {
          this.answers.delete(number)
          this.held.delete(number)
        },
        expiring: (number) => this.answer(number),
        closed: (code) => {
          this.closed.gateway = code
        },
      },
    })
    this.client = new ClientSession({
      root: root.slice(),
      aead,
      now,
      random: rng.bytes,
      events: {
        stream: (stream) => this.arrive('client', stream),
        wake: () => this.time.after(0, () => this.pump()),
        pointed: (pointer) => this.pointers.push(pointer),
        closed: (code) => {
          this.closed.client = code
        },
      },
    })
    this.client.renew()
  }

  private arrive(side: 'client' | 'gateway', stream: Stream): void {
    this.incoming[side].push(stream)
    this.onStream?.(side, stream)
  }

  // ---- client's carrier ------------------------------------------------------------------------------------------------

  pump(): void {
    while (this.client.mayTake && this.closed.client === undefined) {
      const busy = this.polls + this.sends
      if (this.client.pending(1) > 0 && busy < CONCURRENCY) this.begin('sends', 50)
      else if (this.polls < 1) this.begin('polls', HOLD)
      else return
    }
  }

  private begin(kind: 'polls' | 'sends', hold: number): void {
    const wanted = this.client.pending(SIZES.at(-1)!) + 48
    const size = SIZES.find((each) => each >= wanted) ?? SIZES.at(-1)!
    const outgoing = this.client.take(size, { hold })
    this[kind]++
    this.exchanges++
    this.attempt(outgoing, hold, 1, () => {
      this[kind]--
      this.pump()
    })
  }

  private attempt(outgoing: Outgoing, hold: number, tries: number, done: () => void): void {
    let over = false
    const finish = (): void => {
      over = true
      cancel()
      done()
    }
    const cancel = this.time.after(hold + 3_000, () => {
      if (over) return
      over = true
      const givesUp = tries >= 3 && this.rng.chance(this.faults.abandon)
      if (givesUp || !this.client.mayRetry(this.time.now, outgoing.number)) {
        this.client.abandon(outgoing.number)
        done()
      } else this.attempt(outgoing, hold, tries + 1, done)
    })
    const copies = this.rng.chance(this.faults.duplication) ? 2 : 1
    for (let i = 0; i < copies; i++) {
      this.travel(() =>
        this.arriveAtGateway(outgoing, (parcel) =>
          this.travel(() => {
            if (!over && this.client.receive(this.time.now, outgoing.number, parcel)) finish()
          }),
        ),
      )
    }
  }

  private travel(arrive: () => void): void {
    if (this.rng.chance(this.faults.loss)) return
    const slow = this.rng.chance(this.faults.stall) ? 10_000 : 0
    this.time.after(slow + this.rng.below(this.faults.delay + 1), arrive)
  }

  // ---- gateway's carrier -----------------------------------------------------------------------------------------------

  private arriveAtGateway(outgoing: Outgoing, reply: (parcel: Uint8Array) => void): void {
    const expected = this.tokens.find(latin1(outgoing.token))
    const received = expected && this.gateway.receive(this.time.now, expected, outgoing.parcel)
    if (expected === undefined || received === undefined) {
      this.strangers++
      return
    }
    const earlier = this.answers.get(expected.number)
    if (earlier !== undefined) return reply(earlier)
    const hold = received.kind === 'fresh' ? (received.hold ?? 0) : 0
    const deadline = this.held.get(expected.number)?.deadline ?? this.time.now + hold
    this.held.set(expected.number, { deadline, reply })
    this.time.after(hold, () => this.flush())
    this.flush()
  }

  private flush(): void {
    for (const [number, { deadline }] of [...this.held].sort((a, b) => a[1].deadline - b[1].deadline)) {
      if (deadline > this.time.now && this.gateway.pending(1) === 0 && !this.gateway.mux.isClosed) continue
      this.answer(number)
    }
  }

  private answer(number: number): void {
    const held = this.held.get(number)
    if (held === undefined) return
    this.held.delete(number)
    const wanted = this.gateway.pending(SIZES.at(-1)!) + 48
    const parcel = this.gateway.answer(number, SIZES.find((each) => each >= wanted) ?? SIZES.at(-1)!)
    this.answers.set(number, parcel)
    if (this.answers.size > 4 * Limits.storedReplies) throw new Error('answers pile up')
    held.reply(parcel)
  }
}
