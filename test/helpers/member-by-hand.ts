/** A member whose requests are made and delivered one by one, with a changed client if need be, to a real live session. */
import type { Reply } from '#gateway/connections.ts'
import { LiveSession } from '#gateway/live-session.ts'
import { latin1 } from '#protocol/bytes.ts'
import { Limits } from '#protocol/constants.ts'
import type { Aead } from '#protocol/crypto/aead.ts'
import { aes256gcm } from '#protocol/crypto/aead.ts'
import { bindingOf } from '#protocol/recognition.ts'
import type { Outgoing } from '#protocol/session/client-session.ts'
import { ClientSession } from '#protocol/session/client-session.ts'
import { GatewaySession } from '#protocol/session/gateway-session.ts'
import type { Stream } from '#protocol/session/stream.ts'
import type { Expected } from '#protocol/session/token-table.ts'
import { TokenTable } from '#protocol/session/token-table.ts'
import { plainMatcher } from './plain-template.ts'
import { prng } from './prng.ts'
import { VirtualTime } from './virtual-time.ts'

const shape = plainMatcher.match('POST', '/plain/x')[0]!

/** What became of one request. */
export interface Delivered {
  /** Parcels that it was answered with. */
  readonly parcels: Uint8Array[]
  /** The gateway ended its connection without an answer. */
  cut: boolean
  /** The member ends the connection. */
  leave(): void
}

export class MemberByHand {
  readonly time: VirtualTime = new VirtualTime()
  readonly tokens: TokenTable = new TokenTable()
  readonly aead: Aead = aes256gcm
  readonly client: ClientSession
  readonly live: LiveSession
  /** What the gateway has said of repeats. */
  readonly repeated: number[] = []
  /** Streams as the gateway sees them. */
  readonly streams: Stream[] = []
  onStream: (stream: Stream) => void = () => {}
  over = false

  /** With hybrid keys agreed. */
  static async ready(): Promise<MemberByHand> {
    const member = new MemberByHand()
    member.client.renew()
    await member.agree()
    return member
  }

  private constructor() {
    const { time, tokens, aead } = this
    const random = prng(7).bytes
    const root = random(32)
    const now = time.now
    const noise = (): { reply: Uint8Array; secret: Uint8Array } => ({
      reply: Uint8Array.of(9),
      secret: random(32).fill(3),
    })
    const around = {
      random,
      now: () => time.now,
      holdMs: Limits.holdMs,
      schedule: (at: number, run: () => void) => time.after(at - time.now, run),
      soon: (run: () => void) => void time.after(0, run),
    }
    const keeper = {
      pace: () => 0,
      moved: () => {},
      serve: (stream: Stream) => {
        this.streams.push(stream)
        this.onStream(stream)
      },
      remove: (live: LiveSession) => {
        this.over = true
        time.after(0, () => live.end())
      },
    }
    this.live = new LiveSession(
      { member: 'm', role: 'member' },
      around,
      keeper,
      (events) => new GatewaySession({ root: root.slice(), aead, now, random, tokens, noise, events }),
    )
    const repeated = (count: number): void => void this.repeated.push(count)
    this.client = new ClientSession({ root: root.slice(), aead, now, random, events: { repeated } })
  }

  /** The next request, for the one shape that is used here. */
  take(length: number, hold: number, room?: number): Outgoing {
    return this.client.take(length, { hold, room }, bindingOf(shape))
  }

  /** Finds the token of a request, as the carrier does before the body is here. undefined: a stranger's. */
  find({ token }: Outgoing): Expected | undefined {
    return this.tokens.find(latin1(token))
  }

  /** Delivers a request; undefined where it is a stranger's. */
  deliver(outgoing: Outgoing, expected: Expected | undefined = this.find(outgoing)): Delivered | undefined {
    const delivered: Delivered = { parcels: [], cut: false, leave: () => {} }
    const reply: Reply = (response) => {
      if (response === undefined) delivered.cut = true
      else delivered.parcels.push(response.body)
    }
    const taken = expected && this.live.exchange(expected, shape, outgoing.parcel, reply)
    if (taken === undefined) return undefined
    delivered.leave = taken.gone
    return delivered
  }

  /** One whole exchange. */
  async exchange(length = 96, hold = 0): Promise<Outgoing> {
    const outgoing = this.take(length, hold)
    const delivered = this.deliver(outgoing)
    await this.pass()
    const parcel = delivered?.parcels[0]
    if (parcel !== undefined) this.client.receive(this.time.now, outgoing.number, parcel)
    delivered?.leave()
    await this.pass()
    return outgoing
  }

  /** Completes a key agreement that the client has begun, and uses the new keys once. */
  async agree(): Promise<void> {
    await this.exchange(4_096)
    await this.exchange(4_096)
    await this.exchange()
  }

  /** Another agreement, as after an hour. */
  async renew(): Promise<void> {
    this.client.renew({ first: Uint8Array.of(1), finish: async () => new Uint8Array(32).fill(3) })
    await this.agree()
  }

  /** Lets happen what happens at once, or within `ms`. */
  async pass(ms = 0): Promise<void> {
    await this.time.run(() => false, ms)
  }
}
