/** What a person is told of the meter. */
import { SottoError } from '#protocol/errors.ts'
import type { Measure } from './meter-limits.ts'

/** Each continues a sentence about an endpoint. */
const texts: Readonly<Record<Measure, string>> = {
  up: 'more was sent to it than is usual',
  down: 'it sent more than is usual',
  pulled: 'much was sent to it, and hardly anything came back',
  pushed: 'it sent much that was not asked for',
  small: 'exchanges that carry nothing followed one another too fast',
  connections: 'too many connections to it were begun',
  contacts: 'too many first contacts were made with it',
  unproven: 'much was sent to it, and it has not proved for hours that it is your gateway',
  foreign: 'too many of its answers were not your gateway’s',
  'foreign-up': 'it had large requests repeated without a true answer',
  'foreign-down': 'it sent much that was not your gateway’s',
  silence: 'not one of its answers was your gateway’s, for a day or longer',
  redirects: 'it tried to send the client to other sites',
  malformed: 'its answers were no usable HTTP, or larger than any may be',
  headers: 'its answers were stuffed with header fields',
  drip: 'its answers came slower than any link is',
  clock: 'its clock jumps',
  lists: 'too many lists of gateways were offered that cannot be used',
  'fan-out': 'too many gateways that never proved themselves were asked at once',
}

export function measureText(measure: string): string {
  return texts[measure as Measure] ?? measure
}

/** `leftMs`: milliseconds until it is tried again. */
export function cutError(name: string, measure: Measure, leftMs: number): SottoError {
  const minutes = Math.max(1, Math.ceil(leftMs / 60_000))
  return new SottoError(
    'E_FIREWALL_CUT',
    `The firewall has cut off ${name} for ${minutes} more ${minutes === 1 ? 'minute' : 'minutes'}: ${texts[measure]}.`,
    { kept: 'Everything is kept; what waits to be sent goes out afterwards.' },
  )
}
