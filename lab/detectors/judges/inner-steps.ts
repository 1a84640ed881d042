/** The packets in which a handshake carried inside would stand: those after the outer one, or all where there is none. */
import { RecordType } from '../capture/records.ts'
import type { SeenConnection } from '../capture/session.ts'
import type { Step } from './tls-in-tls.ts'

export function innerSteps({ packets, records }: SeenConnection): Step[] {
  const full = packets.filter(({ length }) => length > 0)
  if (records.length === 0) return full
  // The client's first record of data ends its handshake; what follows is the inner layer's.
  const finished = records.find(({ up, type }) => up && type === RecordType.data)
  return finished === undefined ? [] : full.filter(({ at }) => at > finished.at)
}
