/** What a path does that people should know: each by the code that docs/errors.md explains, and when it was seen. */
import type { Millis } from '#protocol/bytes.ts'
import type { ErrorCode } from '#protocol/errors.ts'

/** Milliseconds after which what was seen once is not said of the path any more. */
const FINDING_MS = 600_000
/** Those that hold for a network as long as it is what it is, and are kept with it. */
const LASTING: ReadonlySet<ErrorCode> = new Set([
  'E_NET_METHOD',
  'E_NET_SIZE',
  'E_NET_IDLE',
  'E_NET_FROZEN',
  'E_NET_THROTTLED',
])

/** Something that the path does. */
export interface Finding {
  readonly code: ErrorCode
  /** Milliseconds since the epoch: first and latest time it was seen. */
  readonly since: Millis
  readonly latest: Millis
}

/** Code and first time. */
export type FindingRecord = readonly [code: ErrorCode, since: Millis]

export class Findings {
  private readonly seen = new Map<ErrorCode, Finding>()

  /** In the order they were found. */
  at(now: Millis): readonly Finding[] {
    return [...this.seen.values()].filter(({ latest }) => now - latest < FINDING_MS)
  }

  /** True where it is news. */
  note(code: ErrorCode, now: Millis): boolean {
    const before = this.at(now).find((finding) => finding.code === code)
    this.seen.set(code, { code, since: before?.since ?? now, latest: now })
    return before === undefined
  }

  /** It is not so any more. */
  over(code: ErrorCode): void {
    this.seen.delete(code)
  }

  clear(): void {
    this.seen.clear()
  }

  record(now: Millis): readonly FindingRecord[] {
    return this.at(now)
      .filter(({ code }) => LASTING.has(code))
      .map(({ code, since }) => [code, Math.round(since)])
  }

  /** As they were found on this network before. What is not seen again is over in time. */
  recall(records: readonly FindingRecord[], now: Millis): void {
    for (const [code, since] of records) this.seen.set(code, { code, since, latest: now })
  }
}
