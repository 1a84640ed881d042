/**
 * What a record says to those who can open it. Spec section 16.3.
 *
 *     version 1 || bundle 32 || document 32 || profile 16 || queues || endpoints || zeros up to 362 (behind a lock, 321)
 *     queues    = count 1 || count times: gateway length 1 || gateway || sid 24 || sauth 32
 *     endpoints = count 1 || count times: host length 1 || host || port 2 || pinned key 32
 *
 * bundle is SHA-256 of the card, which is fetched by the right to write to a queue (section 9.6); document is SHA-256 of what
 * the person's keys are signed in. Where bundle is zeros, the person is at other trackers now. Two queues on gateways with names of up to 30 octets and two endpoints with addresses of
 * IPv4 always fit. What does not fit is left out from the end, endpoints first.
 */
import { concat, fromUtf8, readU16, u16, utf8 } from '../bytes.ts'
import { Reader } from '../varint.ts'
import { CONTENTS_LENGTH } from './record.ts'

const VERSION = 1
const HASH_LENGTH = 32
const SHORT_LENGTH = 16
const SID_LENGTH = 24
const SAUTH_LENGTH = 32
/** What a record may list. Attack: whoever is looked up makes others dial; the space alone allows no more. */
const QUEUES = 2
const ENDPOINTS = 4

/** A queue that anybody who finds the record may write to. */
export interface RecordQueue {
  /** host:port of its gateway. */
  readonly gateway: string
  readonly sid: Uint8Array
  readonly sauth: Uint8Array
}

/** Where the person is reached directly. */
export interface Endpoint {
  /** Domain name or IP address. */
  readonly host: string
  readonly port: number
  /** Static X25519 key of what answers there. */
  readonly key: Uint8Array
}

export interface Contents {
  /** SHA-256 of the card: what a session is started with. */
  readonly bundle: Uint8Array
  /** SHA-256 of what the person's keys are signed in. */
  readonly document: Uint8Array
  /** Hash of name and picture, 16 octets. */
  readonly profile: Uint8Array
  readonly queues: readonly RecordQueue[]
  readonly endpoints: readonly Endpoint[]
}

/** Of somebody who is at other trackers now. */
export const ELSEWHERE: Contents = {
  ...{
    bundle: new Uint8Array(HASH_LENGTH),
    document: new Uint8Array(HASH_LENGTH),
    profile: new Uint8Array(SHORT_LENGTH),
  },
  ...{ queues: [], endpoints: [] },
}

export const isElsewhere = ({ bundle }: Contents): boolean => bundle.every((octet) => octet === 0)

/** @throws RangeError for more than fit: see `fitting` */
export function encodeContents(contents: Contents, length: number = CONTENTS_LENGTH): Uint8Array {
  const bytes = spell(contents)
  if (bytes.length > length) throw new RangeError(`the contents of a record have ${bytes.length} octets`)
  return concat(bytes, new Uint8Array(length - bytes.length))
}

/** As much of it as a record holds: endpoints are left out first, then the last queue. */
export function fitting(contents: Contents, length: number = CONTENTS_LENGTH): Contents {
  const [queues, endpoints] = [contents.queues.slice(0, QUEUES), contents.endpoints.slice(0, ENDPOINTS)]
  const fitted = { ...contents, queues, endpoints }
  while (spell(fitted).length > length) (endpoints.length > 0 ? endpoints : queues).pop()
  return fitted
}

function spell({ bundle, document, profile, queues, endpoints }: Contents): Uint8Array {
  const text = (of: string): Uint8Array => concat(Uint8Array.of(utf8(of).length), utf8(of))
  const queue = ({ gateway, sid, sauth }: RecordQueue): Uint8Array => concat(text(gateway), sid, sauth)
  const endpoint = ({ host, port, key }: Endpoint): Uint8Array => concat(text(host), u16(port), key)
  return concat(
    concat(Uint8Array.of(VERSION), bundle, document, profile),
    concat(Uint8Array.of(queues.length), ...queues.map(queue)),
    concat(Uint8Array.of(endpoints.length), ...endpoints.map(endpoint)),
  )
}

/** undefined where the octets are no contents of this version. */
export function readContents(bytes: Uint8Array, length: number = CONTENTS_LENGTH): Contents | undefined {
  const reader = new Reader(bytes)
  if (bytes.length !== length || reader.octet() !== VERSION) return undefined
  const [bundle, document] = [reader.take(HASH_LENGTH)!, reader.take(HASH_LENGTH)!]
  const profile = reader.take(SHORT_LENGTH)!
  const queues = readList(reader, QUEUES, readQueue)
  const endpoints = queues && readList(reader, ENDPOINTS, readEndpoint)
  const ends = reader.take(reader.left)?.every((octet) => octet === 0) === true
  if (queues === undefined || endpoints === undefined || !ends) return undefined
  return { bundle, document, profile, queues, endpoints }
}

function readList<T>(reader: Reader, most: number, one: (reader: Reader) => T | undefined): T[] | undefined {
  const count = reader.octet()
  if (count === undefined || count > most) return undefined
  const list: T[] = []
  for (let i = 0; i < count; i++) {
    const item = one(reader)
    if (item === undefined) return undefined
    list.push(item)
  }
  return list
}

function readText(reader: Reader): string | undefined {
  const bytes = reader.take(reader.octet() ?? 0)
  return bytes === undefined || bytes.length === 0 ? undefined : fromUtf8(bytes)
}

function readQueue(reader: Reader): RecordQueue | undefined {
  const gateway = readText(reader)
  const [sid, sauth] = [reader.take(SID_LENGTH), reader.take(SAUTH_LENGTH)]
  return gateway === undefined || sid === undefined || sauth === undefined ? undefined : { gateway, sid, sauth }
}

function readEndpoint(reader: Reader): Endpoint | undefined {
  const host = readText(reader)
  const [port, key] = [reader.take(2), reader.take(HASH_LENGTH)]
  return host === undefined || port === undefined || key === undefined ? undefined : { host, port: readU16(port), key }
}
