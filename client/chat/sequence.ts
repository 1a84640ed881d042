/**
 * Where a contact's envelopes stand in its series: what has come without a gap, and what lies beyond.
 *
 * A series begins with an envelope whose `previous` is zero. A contact that lost its state begins a later one, which is
 * above everything before it; what was missing before stays missing.
 */
import { fastEqual } from '#protocol/bytes.ts'
import type { Range } from './bodies.ts'
import { NO_HASH } from './envelope.ts'
import { ChatLimits } from './limits.ts'
import type { Received } from './model.ts'

export const NOTHING_RECEIVED: Received = { upTo: 0, hash: NO_HASH, ahead: [] }

export interface Link {
  readonly counter: number
  readonly previous: Uint8Array
  readonly hash: Uint8Array
}

export interface Accepted {
  readonly received: Received
  /** The envelope before it, by the sender's account, is not the one that came. */
  readonly forked: boolean
}

/** undefined where it lies beyond more gaps than we keep: refuse it, so that it comes again. */
export function accept(received: Received, link: Link): Accepted | undefined {
  const { upTo, hash, ahead } = received
  const { counter, previous } = link
  if (counter <= upTo) return { received, forked: false }
  const begins = fastEqual(previous, NO_HASH)
  if (begins || (upTo > 0 && counter === upTo + 1)) {
    const forked = !begins && !fastEqual(previous, hash)
    return { received: absorb({ upTo: counter, hash: link.hash, ahead }), forked }
  }
  if (ahead.some(([known]) => known === counter)) return { received, forked: true }
  if (ahead.length >= ChatLimits.ahead) return undefined
  const at = ahead.findLastIndex(([known]) => known < counter) + 1
  return { received: { ...received, ahead: ahead.toSpliced(at, 0, [counter, link.hash]) }, forked: false }
}

/** Takes in what follows without a gap, and drops what lies below. */
function absorb(received: Received): Received {
  let { upTo, hash } = received
  let used = 0
  for (const [counter, next] of received.ahead) {
    if (counter > upTo + 1) break
    if (counter === upTo + 1) {
      upTo = counter
      hash = next
    }
    used++
  }
  return { upTo, hash, ahead: received.ahead.slice(used) }
}

/** True where the envelope with this counter is here, as far as we remember. */
export function isHere({ upTo, ahead }: Received, counter: number): boolean {
  return counter <= upTo || ahead.some(([known]) => known === counter)
}

/** What lies beyond the first gap, as the first few ranges. */
export function rangesOf({ ahead }: Received): Range[] {
  const ranges: [number, number][] = []
  for (const [counter] of ahead) {
    const last = ranges.at(-1)
    if (last?.[1] === counter - 1) last[1] = counter
    else if (ranges.length === ChatLimits.receiptRanges) break
    else ranges.push([counter, counter])
  }
  return ranges
}
