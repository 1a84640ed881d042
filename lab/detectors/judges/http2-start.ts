/** How a connection of HTTP/2 begins, in the notation that Akamai's researchers gave to it. */
import type { Http2Start } from '../capture/exchanges.ts'

/** Settings, window, priorities, order of the pseudo-headers: `1:65536;2:0|15663105|0|m,a,s,p`. */
export function startText({ settings, window, pseudo }: Http2Start): string {
  return `${settings.map(([id, value]) => `${id}:${value}`).join(';')}|${window}|0|${pseudo}`
}

/** What comes before the first request's end: its priority, and the records that all this takes. */
export function startRecords({ priority, records }: Http2Start): string {
  return `${priority ?? 'no priority'}, ${records.join('+')}`
}
