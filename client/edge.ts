/**
 * What is known of the edge: whoever stands between us and the gateway and handles our HTTP, be it a CDN, a proxy, a front
 * server or a censor. Learned from exchanges that carry something anyhow; nothing is sent to find out
 * (docs/decisions/0013). From it follow how long polls are held, how large parcels are, and which template, and with it
 * which dialer, goes first. Kept for each network, and found out anew when that changes and in time.
 */
import type { CompiledTemplate, Form } from '#engine/compile.ts'
import type { Millis } from '#protocol/bytes.ts'
import type { FitRecord } from './fit.ts'
import { Fit } from './fit.ts'
import type { HoldRecord } from './hold.ts'
import { Hold } from './hold.ts'

/** Milliseconds for which a refusal is believed: networks change. */
const BELIEVED_MS = 1_800_000
/** Octets a millisecond below which a path is throttled. */
const THROTTLED = 6
/** Octets of an exchange that tell of speed; smaller ones do where they take a second longer than a round trip. */
const TELLING = 8_192
const TELLING_LATE = 3_000
const TELLING_MS = 1_000
/**
 * Milliseconds that one parcel may take on its way, and round trips: one more is the wait for its answer. Longer ones would
 * carry little more, and everything else waits for them.
 */
const PARCEL_MS = 1_000
const PARCEL_ROUND_TRIPS = 4
/** How many times as long as others what is late takes, and milliseconds that it takes at the least. */
const LATE = 4
const LATE_LEAST = 1_000

type Family = CompiledTemplate['family']

/** An exchange that the gateway has answered. Octets of bodies. */
export interface Passed {
  readonly family: Family
  readonly method: string
  readonly up: number
  readonly down: number
  /** It might be held for news, and for how many milliseconds it certainly was. */
  readonly isHeld: boolean
  readonly waitedMs: number
}

/** What is kept of an edge beside holds and sizes. Whole numbers. */
export interface EdgeRecord {
  /** Longest wait that was answered, milliseconds. */
  readonly waitedMs?: number
  /** Largest request and largest answer that passed, octets. */
  readonly up?: number
  readonly down?: number
  /** POST passes, or is refused. */
  readonly post?: boolean
  /** One exchange is answered while another waits. */
  readonly parallel?: boolean
  /** Somebody keeps failures and gives them again. */
  readonly keepsFailures?: boolean
  /** Somebody sends requests on more than once. */
  readonly repeats?: boolean
  /** Families whose TLS is cut where another's passes. */
  readonly cut?: readonly Family[]
}

/** For views: what is not known is missing. */
export interface EdgeReport extends EdgeRecord {
  /** Milliseconds of waiting that are certainly too long. */
  readonly cutMs?: number
  /** Octets of the largest request that is sent, where larger ones were refused. */
  readonly upMost?: number
  /** Large answers do not come through. */
  readonly smallAnswers: boolean
  readonly octetsPerSecond?: number
}

export class Edge {
  readonly hold: Hold = new Hold()
  readonly fit: Fit = new Fit()
  private known: EdgeRecord = {}
  private postRefusedUntil: Millis = 0
  private readonly cutUntil = new Map<Family, Millis>()
  /** Families that were cut at the ClientHello since anything passed. */
  private readonly suspects = new Set<Family>()
  private waiting = 0
  /** The longest hold of the template in use. */
  private mostHold = Number.POSITIVE_INFINITY

  // ---- what is seen -------------------------------------------------------------------------------------------------------

  /** An exchange of ours may be held from now on; returns how to say that it is over. */
  waits(): () => void {
    this.waiting++
    return () => void this.waiting--
  }

  passed({ family, method, up, down, isHeld, waitedMs }: Passed, now: Millis): void {
    const { known } = this
    if (method === 'POST') this.postRefusedUntil = 0
    this.known = {
      ...known,
      waitedMs: Math.round(Math.max(known.waitedMs ?? 0, waitedMs)),
      up: Math.max(known.up ?? 0, up),
      down: Math.max(known.down ?? 0, down),
      ...(method === 'POST' && { post: true }),
      ...(!isHeld && this.waiting > 0 && { parallel: true }),
    }
    // It is not the name that was cut, since this family's connection names it, too.
    this.cutUntil.delete(family)
    for (const other of this.suspects) if (other !== family) this.cutUntil.set(other, now + BELIEVED_MS)
    this.suspects.clear()
  }

  /** A connection of this family was cut as soon as it named the website. */
  cutAtHello(family: Family): void {
    this.suspects.add(family)
  }

  /** POST was refused where GET passes. */
  refusedPost(now: Millis): void {
    this.known = { ...this.known, post: false }
    this.postRefusedUntil = now + BELIEVED_MS
  }

  /** Somebody else than the gateway has answered that this is not the time. RFC 9111 section 5.1, and what caches add. */
  failed(header: (name: string) => string | undefined): void {
    const cached = /\bhit\b/i.test(`${header('x-cache')} ${header('cf-cache-status')} ${header('cache-status')}`)
    if (cached || Number(header('age') ?? 0) > 0) this.known = { ...this.known, keepsFailures: true }
  }

  /** The gateway got more requests once more than we have sent again. */
  repeats(): void {
    if (this.known.repeats !== true) this.known = { ...this.known, repeats: true }
  }

  /** So many octets took so long; true where the path is throttled. undefined where that tells nothing. */
  carried(octets: number, elapsed: Millis, rtt: Millis): boolean | undefined {
    const least = elapsed - rtt >= TELLING_MS ? TELLING_LATE : TELLING
    if (octets < least) return undefined
    this.fit.measured(octets / Math.max(1, elapsed - rtt))
    return this.fit.rate < THROTTLED
  }

  /** A held exchange failed after `elapsed`; true where the edge is now believed to cut what waits. */
  cut(elapsed: Millis, silent: boolean, now: Millis): boolean {
    return this.hold.cut(elapsed, silent, this.mostHold, now)
  }

  // ---- what follows from it ------------------------------------------------------------------------------------------------

  /** Milliseconds to let the gateway hold an exchange: `drawn` from the template's range, as this edge allows. */
  holdFor(template: readonly [number, number], drawn: Millis, now: Millis): Millis {
    const most = template[1]
    this.mostHold = most
    return most === 0 ? drawn : Math.round((drawn * this.hold.range(template, now)[1]) / most)
  }

  /** Templates in the order in which they are to be tried: those that this edge certainly refuses come last. */
  order(templates: readonly CompiledTemplate[], now: Millis): CompiledTemplate[] {
    return templates.toSorted((a, b) => this.faults(a, now) - this.faults(b, now))
  }

  /** True where this edge certainly does. */
  refuses(template: CompiledTemplate, now: Millis): boolean {
    return this.faults(template, now) > 0
  }

  private faults(template: CompiledTemplate, now: Millis): number {
    const isCut = (this.cutUntil.get(template.family) ?? 0) > now
    const isRefused = this.postRefusedUntil > now && template.shape('send').method !== 'GET'
    return (isCut ? 2 : 0) + (isRefused ? 1 : 0)
  }

  /** Octets of the largest parcel to send in this shape; 0 where not even the smallest goes through. */
  room(shape: Form, rtt: Millis, now: Millis): number {
    return this.fit.room(shape, now, parcelMs(rtt))
  }

  /** As `room`, for the answer; undefined where it may be as large as any. */
  answerRoom(shape: Form, rtt: Millis): number | undefined {
    return this.fit.answerRoom(shape, parcelMs(rtt))
  }

  /** The parcel for `wanted` octets: one class that holds them, or the largest to send. */
  parcel(shape: Form, wanted: number, rtt: Millis, now: Millis): number {
    return this.fit.length(shape, wanted, now, parcelMs(rtt))
  }

  /**
   * Milliseconds after which an exchange that moves so many octets takes so much longer than others that its connection is
   * to blame: what TCP has lost twice it repeats seldom. undefined where nothing is known of others.
   */
  lateAfter(octets: number, rtt: Millis): number | undefined {
    const { rate } = this.fit
    return rate === Number.POSITIVE_INFINITY ? undefined : Math.max(LATE_LEAST, LATE * (rtt + octets / rate))
  }

  // ---- what is kept and said -----------------------------------------------------------------------------------------------

  record(now: Millis): { readonly hold: HoldRecord; readonly fit: FitRecord; readonly edge: EdgeRecord } {
    const cut = [...this.cutUntil].filter(([, until]) => until > now).map(([family]) => family)
    const { post, ...known } = this.known
    const isPost = post === false && this.postRefusedUntil <= now ? {} : { ...(post !== undefined && { post }) }
    return {
      hold: this.hold.record,
      fit: this.fit.record(now),
      edge: { ...known, ...isPost, ...(cut.length > 0 && { cut }) },
    }
  }

  /** As it was found out on this network before; believed anew, so that it is found out anew in time. */
  recall(hold: HoldRecord, fit: FitRecord, { cut = [], ...known }: EdgeRecord, now: Millis): void {
    this.hold.recall(hold, now)
    this.fit.recall(fit, now)
    this.known = known
    if (known.post === false) this.postRefusedUntil = now + BELIEVED_MS
    for (const family of cut) this.cutUntil.set(family, now + BELIEVED_MS)
  }

  report(now: Millis): EdgeReport {
    const { edge, hold, fit } = this.record(now)
    const most = Math.min(...fit.ups.map(([, max]) => max))
    return {
      ...edge,
      ...(hold.limitMs !== undefined && { cutMs: hold.limitMs }),
      ...(fit.ups.length > 0 && { upMost: most }),
      smallAnswers: fit.smallAnswers,
      ...(fit.rate !== undefined && { octetsPerSecond: fit.rate }),
    }
  }
}

const parcelMs = (rtt: Millis): Millis => Math.max(PARCEL_MS, PARCEL_ROUND_TRIPS * rtt)
