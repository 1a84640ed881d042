/** Requests as somebody without keys sees them: records up that follow a pause or an answer. */

import { RecordType } from '../capture/records.ts'
import type { SeenConnection, Session } from '../capture/session.ts'
import type { Call } from './beacon.ts'

/** Octets of records that are HTTP/2's own business: acknowledgements, windows, pings. */
const SMALL = 60

export function callsOf({ connections }: Session): Call[] {
  return connections.flatMap(callsOn).toSorted((a, b) => a.at - b.at)
}

function callsOn({ records }: SeenConnection): Call[] {
  const calls: { at: number; size: number }[] = []
  let wasUp = false
  // The first up is the end of the handshake.
  for (const { up, type, length, at } of records.filter((record) => record.type === RecordType.data)) {
    if (type !== RecordType.data) continue
    if (!up) {
      wasUp = false
      continue
    }
    if (length <= SMALL) continue
    if (wasUp) calls.at(-1)!.size += length
    else calls.push({ at, size: length })
    wasUp = true
  }
  return calls.slice(1)
}
