/** The TLS records of a connection as somebody without keys sees them (RFC 8446 section 5.1). */
import type { Connection, Flow } from './packets.ts'
import { flowOf } from './packets.ts'

export const RecordType = { changeCipher: 20, alert: 21, handshake: 22, data: 23 } as const

export interface TlsRecord {
  /** When its last octet arrived, milliseconds since the epoch. */
  readonly at: number
  readonly up: boolean
  readonly type: number
  /** Octets with its head. */
  readonly length: number
  readonly head: Uint8Array
  readonly fragment: Uint8Array
}

/** Of both directions, by time. Empty where it is no TLS. What follows an incomplete record is left out. */
export function recordsOf(connection: Connection): TlsRecord[] {
  const all = [...ofFlow(flowOf(connection, true), true), ...ofFlow(flowOf(connection, false), false)]
  return all.toSorted((a, b) => a.at - b.at)
}

function ofFlow({ octets, arrived }: Flow, up: boolean): TlsRecord[] {
  const found: TlsRecord[] = []
  for (let at = 0; at + 5 <= octets.length; ) {
    const [type, major] = [octets[at]!, octets[at + 1]!]
    const length = octets[at + 3]! * 256 + octets[at + 4]!
    if (type < 20 || type > 23 || major !== 3 || at + 5 + length > octets.length) break
    const end = at + 5 + length
    const [head, fragment] = [octets.subarray(at, at + 5), octets.subarray(at + 5, end)]
    found.push({ at: arrived(end - 1), up, type, length: 5 + length, head, fragment })
    at = end
  }
  return found
}
