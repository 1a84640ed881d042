/**
 * How long a page in a browser takes, for a client that has none. Fitted so that what leaves our device comes when Chromium's does: 320
 * pages of Chromium 156.0.8078.108 and as many sessions of ours, on two cores of which 42 % were in use (`npm run -s lab --
 * detectors`, "Pace" in its report). What is drawn here is what a client's own work does not take by itself.
 */
import type { Clockwork } from './clockwork.ts'

/** Milliseconds, of quantiles 0.05, 0.15 and so on to 0.95: each stands for a tenth of all. */
type Tenths = readonly number[]

/** From when a page is there until its script asks for something: it has to be read and run first. */
export const SHOWN: Tenths = [22, 24, 25, 28, 31, 34, 39, 43, 52, 74]
/** From the first answer to what follows it: what takes an answer in runs for the first time then. */
export const FIRST: Tenths = [0, 0, 0, 0, 0.5, 1, 1.5, 3, 5, 19]

/**
 * Between page and network so many threads of Chromium have to come to a processor one after the other: on a machine with other work
 * each of them waits for one, and so does each part here. A page's own work, which takes longer as well, is not made up for.
 */
const HOPS = 6

/** Waits as long as a page would, drawn anew; in whole milliseconds each time, since a timer leaves out what is behind the point. */
export async function linger({ after, random }: Clockwork, tenths: Tenths): Promise<void> {
  const ms = drawn(tenths, random(2))
  for (let hop = 0; hop < HOPS; hop++) {
    const part = Math.floor(((hop + 1) * ms) / HOPS) - Math.floor((hop * ms) / HOPS)
    if (part > 0) await new Promise<void>((resolve) => void after(part, resolve))
  }
}

/** Between two of the quantiles evenly. */
function drawn(tenths: Tenths, [high = 0, low = 0]: Uint8Array): number {
  const at = ((high * 256 + low) / 65_536) * (tenths.length - 1)
  const before = Math.floor(at)
  return tenths[before]! + (at - before) * (tenths[before + 1]! - tenths[before]!)
}
