/** What was asked and answered on a connection whose records were opened: HTTP/1.1 or HTTP/2, as an edge would see it. */
import type { Span } from './content.ts'
import { Content } from './content.ts'
import type { OpenRecord } from './decrypt.ts'
import { readHttp1 } from './http1.ts'
import { readHttp2 } from './http2.ts'
import { RecordType } from './records.ts'

export type Headers = readonly (readonly [string, string])[]

export interface Exchange extends Span {
  readonly method: string
  readonly target: string
  /** In the order and with the letters of the wire; of HTTP/2 with what begins with a colon. */
  readonly headers: Headers
  readonly body: Uint8Array
  /** Octets of the answer's body. */
  readonly answer: number
}

export interface Http2Start {
  /** Identifier and value, in order. */
  readonly settings: readonly (readonly [number, number])[]
  /** Increment of the connection's window, 0 where there is none. */
  readonly window: number
  /** Order of the fields that begin with a colon, by their second letter. */
  readonly pseudo: string
  /** Weight and exclusive flag of the first request; undefined where it has none. */
  readonly priority: string | undefined
  /** Lengths of the records that hold what comes before the end of the first request. */
  readonly records: readonly number[]
}

export interface Conversation {
  readonly protocol: 'h1' | 'h2' | 'unknown'
  readonly exchanges: readonly Exchange[]
  readonly start: Http2Start | undefined
}

export async function readConversation(records: readonly OpenRecord[]): Promise<Conversation> {
  const of = (up: boolean): Content =>
    new Content(records.filter((record) => record.up === up && record.inner === RecordType.data))
  const [up, down] = [of(true), of(false)]
  const nothing: Conversation = { protocol: 'unknown', exchanges: [], start: undefined }
  if (up.octets.length === 0) return nothing
  if (Buffer.from(up.octets.subarray(0, 4)).toString('latin1') === 'PRI ') return await readHttp2(up, down)
  return { protocol: 'h1', exchanges: readHttp1(up, down), start: undefined }
}
