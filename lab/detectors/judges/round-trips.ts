/**
 * Time of an exchange beyond the round trip of TCP: where somebody stands behind the server, answers take longer than the
 * network does (Xue and others, NDSS 2025).
 */

import { TcpFlag } from '../capture/packets.ts'
import type { SeenConnection } from '../capture/session.ts'

/** Milliseconds, of exchanges that are answered at once: those that come back within `AT_ONCE_MS`. */
export function beyondRoundTrip({ packets, exchanges }: SeenConnection): number[] {
  const asked = packets.find(({ up, flags }) => up && (flags & TcpFlag.syn) !== 0)
  const answered = packets.find(({ up, flags }) => !up && (flags & TcpFlag.syn) !== 0)
  if (asked === undefined || answered === undefined) return []
  const roundTrip = answered.at - asked.at
  return exchanges.map(({ saidAt, answeredAt }) => answeredAt - saidAt - roundTrip).filter((time) => time < AT_ONCE_MS)
}

const AT_ONCE_MS = 60
