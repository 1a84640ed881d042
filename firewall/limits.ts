/** Everything that the other side of a boundary could push against, and how far. Units are octets unless said. */
import { Limits } from '#protocol/constants.ts'

/** One answer: a large page, or six times the largest parcel as base64 in JSON. */
const responseBytes = 2_097_152

export const PipeLimits = {
  /** Head of one frame. Attack: a decoder fed with a huge tree. Same bound as for any message of ours. */
  headBytes: Limits.messageBytes as number,
  /** One frame without its length field. Attack: buffering of whatever length the peer names. An answer, its head, the fixed part. */
  frameBytes: (responseBytes + Limits.messageBytes + 9) as number,
  /** Calls that wait for their answer. Attack: memory and sockets. Eight exchanges with each of eight gateways. */
  outstanding: 64,
  /** Octets written and not yet taken by the peer before the broker stops reading. Attack: asking without listening. Two answers. */
  bufferedBytes: (2 * responseBytes) as number,
  /** WebSockets of one core, by count. Attack: as `outstanding`. One to each of eight gateways, and its successor. */
  sockets: 16,
  /** Names in a report of what the core tried, characters. Attack: a log filled by few lines. */
  nameLength: 400,
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
  /** Connections to one endpoint, by count. Attack: parallel connections give the member away; browsers open six. */
  connections: 6,
  /** As well, where the template says nothing. Attack: as above; more than three handshakes within a minute get blocked. */
  connectionsUnsaid: 2,
  /** Between the beginnings of two connections to one endpoint, milliseconds. Attack: as above; censors count those less than 400 apart. */
  apartMs: 500,
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
  /** Between the beginnings of two attempts to connect, milliseconds. RFC 8305 section 5 recommends it. */
  attemptDelayMs: 250,
  /** What a proxy answers before it passes anything on. Attack: memory. Node's own default for a head. */
  proxyHeadBytes: 16_384,
  /** Addresses tried for one connection, by count. Attack: a resolver that names thousands. */
  addresses: 8,
  /** TLS tickets kept for resumption, per endpoint, by count. Each is used once; a server gives two at a time. */
  tickets: 4,
} as const

export const BrowserLimits = {
  /** One message of the browser, in characters. Attack: memory. The largest answer as base64 in JSON, with room for its head. */
  messageCharacters: 4_194_304,
  /** Oldest major version that is used: earlier ones lack `Uint8Array.fromBase64`. */
  version: 140,
  /** From its start until it speaks, milliseconds. About 1.5 s on two cores that do nothing else. */
  startMs: 30_000,
  /** From the first connection until the site's page is shown, milliseconds. A page of 1 MB at 20 kB/s. */
  visitMs: 60_000,
  /** From when a page hears that its request failed until the browser says why, milliseconds. Attack: none; without it the code would depend on which came first. */
  reasonMs: 2_000,
  /** From the wish that it ends until its processes are killed, milliseconds. */
  endMs: 3_000,
  /** Connections to the gate, by count. Attack: another program of this machine. More than a browser opens to one proxy (32). */
  gateConnections: 128,
  /** Tunnels through the gate, by count. Attack: a page that opens connections. Browsers open six to one host. */
  tunnels: 16,
  /** Requests of one tab whose fate is remembered, by count. Attack: a page that asks without end. */
  requests: 256,
} as const

export const PasswordLimits = {
  /** Characters of the folder's password, at least and at most. Attack: guessing by who has the folder; a pasted file. */
  least: 10,
  most: 1_024,
  /** Tries at one prompt, by count. Attack: none that it stops (who has the folder needs no prompt); a person starts again then. */
  tries: 3,
} as const

export const WayLimits = {
  /** Octets of a proxy's name and password each. Attack: none; RFC 1929 section 2 has one octet for the length. */
  credentialBytes: 255,
  /** Addresses of one front, by count. Attack: a pasted list; as for gateways in invites. */
  addresses: 4,
  /** Addresses remembered for one endpoint, by count. Attack: a network that names new ones for ever. */
  remembered: 4,
} as const

export const FidoLimits = {
  /** Octets of a credential's id. Attack: a device that answers without end. CTAP 2 allows 1,023; most have 48 to 128. */
  credentialBytes: 1_023,
  /** Octets of the file that names one. Attack: a large file named by mistake. Twice what the longest one takes. */
  fileBytes: 3_072,
  /** Characters that a program of fido2-tools prints. Attack: as above; the longest ordinary answer is 4,000. */
  outputCharacters: 65_536,
  /** Milliseconds for one of its programs. Attack: a device that never answers. Keys wait about 30 s for a touch. */
  callMs: 90_000,
} as const

export const PolicyLimits = {
  /** Endpoints on the allow-list, by count. Attack: an invite stuffed with gateways; also bounds the vault to one message. */
  endpoints: 64,
  /** Changes of the list that can be taken back, by count, and endpoints kept for it. Attack: a core that forgets and forgets. */
  changes: 16,
  keptRemovals: 32,
  /** Milliseconds after which a change cannot be taken back any more: what was forgotten is to be gone then. A week. */
  undoMs: 604_800_000,
  /** Signed lists of gateways remembered, by count: one for each root key. Attack: the vault grows. */
  lists: 64,
  /** Nodes of contacts offered, by count. Attack: contacts who offer fill the list and the vault; 2 KiB each. */
  peers: 16,
  /**
   * Audit lines at once, and an hour from then on, by count: of the list and the meter, and of everything else, each. Attack: a
   * core that asks for what it may not have, so that other lines are left out or pushed out; a flood needs a day for that.
   */
  auditBurst: 240,
  auditPerHour: 300,
  /** One audit file; one older file is kept. Attack: filling the disk. About 8,000 lines each. */
  auditBytes: 1_048_576,
} as const
