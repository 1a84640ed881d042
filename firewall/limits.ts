/** Everything that the other side of a boundary could push against, and how far. Units are octets unless said. */
import { Limits } from '#protocol/constants.ts'

/** One answer: a large page, or six times the largest parcel as base64 in JSON. */
const responseBytes = 2_097_152

export const PipeLimits = {
  /** Head of one frame. Attack: a decoder fed with a huge tree. Same bound as for any message of ours. */
  headBytes: Limits.messageBytes as number,
  /** One frame without its length field. Attack: buffering of whatever length the peer names. An answer, its head, the fixed part. */
  frameBytes: (responseBytes + Limits.messageBytes + 9) as number,
  /** Calls that wait for their answer. Attack: memory and sockets. Eight connections to each of eight gateways. */
  outstanding: 64,
  /** Octets written and not yet taken by the peer before the broker stops reading. Attack: asking without listening. Two answers. */
  bufferedBytes: (2 * responseBytes) as number,
  /** WebSockets of one core, by count. Attack: as `outstanding`. One to each of eight gateways, and its successor. */
  sockets: 16,
  /** First contacts and rekeys begun and not finished, by count. Attack: state for handshakes never carried. The oldest goes. */
  continuations: 32,
} as const

export const DialLimits = {
  /** Body of one request. Attack: none from outside; keeps us below what edges take (1 MB) with any template (256 KiB). */
  requestBytes: 524_288,
  /** Body of one answer. Attack: a server that never stops. */
  responseBytes: responseBytes as number,
  /** Request line's target. Attack: an edge refuses more; common ones take 8 KiB. */
  targetBytes: 8_192,
  /** Request header fields, by count and in octets of names and values. Attack: as above; templates stay within 6 KiB. */
  headers: 64,
  headerBytes: 8_192,
  /** Answer's header section. Attack: memory. Node's own default. */
  responseHeaderBytes: 16_384,
  /** Longest wait for an answer to begin, milliseconds. Attack: parked sockets. The longest hold seen (125 s) and its round trips, twice. */
  timeoutMs: 300_000,
  /** Time to a usable connection, name and all addresses, milliseconds. A lost SYN is repeated after 1, 3 and 7 s. */
  connectMs: 10_000,
  /** Pause between two pieces of one answer, milliseconds. Attack: the freeze after about 16 KB that some censors do. */
  stallMs: 10_000,
  /** From the beginning of an answer to its end, milliseconds. Attack: octet by octet. The largest parcel at 1 kB/s. */
  answerMs: 300_000,
  /** Idle time after which a connection is closed, milliseconds. Just below the 60 s after which common edges do. */
  idleMs: 55_000,
  /** Connections to one endpoint, by count. Attack: parallel handshakes give the member away; browsers open six. */
  connections: 8,
  /** Exchanges of one endpoint under way or in line, by count. Attack: memory of requests in line. */
  exchanges: 32,
  /** WebSockets to one endpoint, by count. Attack: as `connections`. One in use and one that takes its place. */
  sockets: 2,
  /** One message of a WebSocket. Attack: a server that sends one without end. The same as a request's body. */
  messageBytes: 524_288,
  /** Messages of a WebSocket that the core has not asked for, by count. Attack: a server that talks to nobody; reading stops at it. */
  unreadMessages: 32,
  /** Silence on a WebSocket after which it is given up, milliseconds. Attack: parked sockets. Servers of socket.io ping every 25 s. */
  socketIdleMs: 120_000,
  /** Addresses tried for one connection, by count. Attack: a resolver that names thousands. */
  addresses: 8,
  /** TLS tickets kept for resumption, per endpoint, by count. Each is used once; a server gives two at a time. */
  tickets: 4,
} as const

export const PolicyLimits = {
  /** Endpoints on the allow-list, by count. Attack: an invite stuffed with gateways; also bounds the vault to one message. */
  endpoints: 64,
  /** Audit lines a minute, by count. Attack: a core that asks for what it may not have, to push older lines out. */
  auditPerMinute: 240,
  /** One audit file; one older file is kept. Attack: filling the disk. About 8,000 lines each. */
  auditBytes: 1_048_576,
} as const
