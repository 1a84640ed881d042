/**
 * Which request depends on which, as browsers tell it still. Chromium (net/spdy, `Http2PriorityDependencies`): exclusively
 * on the latest one under way of the same or a higher urgency. Firefox: on none, with one of three weights.
 */
import type { Priority } from './h2-shape.ts'
import type { BrowserProfile } from './profile.ts'

/** Weight by urgency (RFC 9218 section 4.1), as on the wire. */
const weights: Readonly<Record<BrowserProfile['family'], readonly number[]>> = {
  chromium: [255, 219, 182, 146, 109, 73, 36, 0],
  firefox: [41, 21, 21, 21, 21, 11, 11, 11],
}

interface Live {
  readonly stream: { readonly id?: number | undefined }
  readonly urgency: number
}

export class Priorities {
  private readonly family: BrowserProfile['family']
  /** Under way, in the order in which they began. */
  private live: readonly Live[] = []

  constructor(family: BrowserProfile['family']) {
    this.family = family
  }

  /** `fields` of the request; returns what to call when it is over. */
  add(stream: Live['stream'], fields: readonly (readonly [string, string])[]): () => void {
    const own: Live = { stream, urgency: urgencyOf(fields) }
    this.live = [...this.live, own]
    return () => {
      this.live = this.live.filter((other) => other !== own)
    }
  }

  /** Asked for when the request is written; undefined for one that is not under way. */
  of(id: number): Priority | undefined {
    const at = this.live.findIndex(({ stream }) => stream.id === id)
    const own = this.live[at]
    if (own === undefined) return undefined
    const weight = weights[this.family][own.urgency]!
    if (this.family === 'firefox') return { dependsOn: 0, exclusive: false, weight }
    const parent = ranked(this.live.slice(0, at), own.urgency)
    return { dependsOn: parent?.stream.id ?? 0, exclusive: true, weight }
  }
}

/** The latest of the own urgency; where there is none, of the next higher one, and so on. */
function ranked(live: readonly Live[], urgency: number): Live | undefined {
  for (let rank = urgency; rank >= 0; rank--) {
    const found = live.findLast((other) => other.urgency === rank)
    if (found !== undefined) return found
  }
  return undefined
}

/** What the field `priority` says; 3 where it says nothing. */
function urgencyOf(fields: readonly (readonly [string, string])[]): number {
  const value = fields.find(([name]) => name === 'priority')?.[1] ?? ''
  return Number(/u=([0-7])/.exec(value)?.[1] ?? 3)
}
