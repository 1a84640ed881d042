/** Which sizes a path lets through: some edges refuse large bodies or headers, some break off large answers. */
import type { CompiledTemplate, Form, Shape } from '#engine/compile.ts'
import type { Millis } from '#protocol/bytes.ts'

/** Milliseconds for which a refused size is not tried again. */
const BELIEVED_MS = 600_000

type Kind = Parameters<CompiledTemplate['shape']>[0]
const kinds: readonly Kind[] = ['poll', 'send', 'bulk']

/** What is kept of sizes: largest class up by shape, octets a second. */
export interface FitRecord {
  readonly ups: readonly (readonly [binding: string, max: number])[]
  readonly smallAnswers: boolean
  readonly rate?: number
}

export class Fit {
  /** Largest class that goes up, by shape. */
  private readonly ups = new Map<string, { readonly max: number; readonly until: Millis }>()
  private smallAnswersUntil: Millis = 0
  /** Octets a millisecond that the path carries, as far as known. */
  rate: number = Number.POSITIVE_INFINITY

  /** As it was found out on this network before; believed anew, so that it is found out anew in time. */
  recall({ ups, smallAnswers, rate }: FitRecord, now: Millis): void {
    const until = now + BELIEVED_MS
    for (const [binding, max] of ups) this.ups.set(binding, { max, until })
    if (smallAnswers) this.smallAnswersUntil = until
    if (rate !== undefined) this.rate = rate / 1000
  }

  record(now: Millis): FitRecord {
    const known = [...this.ups].filter(([, { until }]) => until > now)
    const rate = this.rate === Number.POSITIVE_INFINITY ? {} : { rate: Math.round(this.rate * 1000) }
    return {
      ups: known.map(([binding, { max }]) => [binding, max]),
      smallAnswers: this.smallAnswersUntil > now,
      ...rate,
    }
  }

  /**
   * Octets of the largest parcel to send in this shape; 0 where not even the smallest goes through. `within`: milliseconds
   * that it may take on its way.
   */
  room(shape: Form, now: Millis, within: number): number {
    const up = this.ups.get(shape.binding)
    const max = up !== undefined && up.until > now ? Math.min(up.max, shape.up.max) : shape.up.max
    // On a slow path one large parcel would hold up everything else.
    return Math.min(max, shape.up.within(this.rate * within))
  }

  /** As `room`, for the answer; undefined where it may be as large as any. */
  answerRoom(shape: Form, within: number): number | undefined {
    const length = shape.down.within(this.rate * within)
    return length < shape.down.max ? length : undefined
  }

  /** An exchange has carried octets at this rate. Halves of ratios: one packet lost or a short answer moves it little. */
  measured(octetsPerMs: number): void {
    this.rate = this.rate === Number.POSITIVE_INFINITY ? octetsPerMs : Math.sqrt(this.rate * octetsPerMs)
  }

  /** The parcel for `wanted` octets: one class that holds them, or the largest that goes through. */
  length(shape: Form, wanted: number, now: Millis, within: number): number {
    return Math.min(shape.up.fit(wanted), Math.max(this.room(shape, now, within), shape.up.classes[0]!))
  }

  /** What to ask for news in: where large answers do not come through, the shape whose answers are smallest. */
  pollShape(template: CompiledTemplate, now: Millis): Shape {
    const usual = template.shape('poll')
    if (this.smallAnswersUntil <= now) return usual
    return kinds.map((kind) => template.shape(kind)).reduce((a, b) => (b.down.max < a.down.max ? b : a), usual)
  }

  /**
   * A parcel of `length` octets did not go through, or its answer did not come back, however often it was tried. `said`:
   * somebody answered that it is the request.
   */
  tooLarge(shape: Form, length: number, said: boolean, now: Millis): void {
    const smaller = shape.up.classes.findLast((each) => each < length)
    if (smaller === undefined && !said) this.smallAnswersUntil = now + BELIEVED_MS
    else this.ups.set(shape.binding, { max: smaller ?? 0, until: now + BELIEVED_MS })
  }
}
