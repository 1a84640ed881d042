/** What a tape of packets holds: connections over TCP (pcap with nanoseconds, link type 101: bare IPv4). */

export interface Packet {
  /** Milliseconds since the epoch, with fractions. */
  readonly at: number
  readonly up: boolean
  /** Octets of TCP payload, and of the whole IP packet. */
  readonly length: number
  readonly size: number
  readonly payload: Uint8Array
  readonly seq: number
  readonly ack: number
  readonly flags: number
}

/** One connection, in the order in which its client saw the packets. */
export interface Connection {
  readonly clientPort: number
  readonly serverPort: number
  readonly packets: Packet[]
}

export const TcpFlag = { fin: 1, syn: 2, reset: 4, ack: 16 } as const

const MAGIC_NANOSECONDS = 0xa1b23c4d
const LINK_IP = 101
const TCP = 6

/**
 * A packet without ACK that asks for a connection begins one; its sender is the client. Packets of connections whose
 * beginning was not kept are left out, as are others than TCP over IPv4.
 * @throws RangeError where it is no such file
 */
export function readConnections(file: Buffer): Connection[] {
  if (file.length < 24 || file.readUInt32LE(0) !== MAGIC_NANOSECONDS || file.readUInt32LE(20) !== LINK_IP)
    throw new RangeError('not a pcap of bare IP with nanoseconds')
  const open = new Map<string, Connection>()
  const all: Connection[] = []
  for (let at = 24; at + 16 <= file.length; ) {
    const [seconds, nanoseconds, kept] = [file.readUInt32LE(at), file.readUInt32LE(at + 4), file.readUInt32LE(at + 8)]
    if (at + 16 + kept > file.length) break
    take(file.subarray(at + 16, at + 16 + kept), seconds * 1000 + nanoseconds / 1e6, open, all)
    at += 16 + kept
  }
  // What went up is kept when it is read, what came down when it was due: the one may be written before the other, though later.
  for (const { packets } of all) packets.sort((a, b) => a.at - b.at)
  return all
}

function take(ip: Buffer, at: number, open: Map<string, Connection>, all: Connection[]): void {
  if (ip.length < 40 || ip[0]! >> 4 !== 4 || ip[9] !== TCP) return
  const head = (ip[0]! & 15) * 4
  const size = ip.readUInt16BE(2)
  const [source, target] = [ip.readUInt16BE(head), ip.readUInt16BE(head + 2)]
  const from = `${ip.readUInt32BE(12)}:${source}`
  const to = `${ip.readUInt32BE(16)}:${target}`
  const flags = ip[head + 13]!
  const payload = new Uint8Array(ip.subarray(head + (ip[head + 12]! >> 4) * 4, size))
  let connection = open.get(`${from} ${to}`) ?? open.get(`${to} ${from}`)
  if ((flags & (TcpFlag.syn | TcpFlag.ack)) === TcpFlag.syn && connection?.packets.length !== 1) {
    connection = { clientPort: source, serverPort: target, packets: [] }
    open.delete(`${to} ${from}`)
    open.set(`${from} ${to}`, connection)
    all.push(connection)
  }
  if (connection === undefined) return
  const up = source === connection.clientPort
  const numbers = { seq: ip.readUInt32BE(head + 4), ack: ip.readUInt32BE(head + 8), flags }
  connection.packets.push({ at, up, length: payload.length, size, payload, ...numbers })
}

/** Octets of one direction with the time each arrived, put in order; what was sent twice counts once. */
export interface Flow {
  readonly octets: Uint8Array
  /** When the octet at this place had arrived with all before it. */
  arrived(place: number): number
}

export function flowOf({ packets }: Connection, up: boolean): Flow {
  const mine = packets.filter((packet) => packet.up === up)
  const first = mine.find(({ flags }) => (flags & TcpFlag.syn) !== 0)
  const begin = first === undefined ? (mine[0]?.seq ?? 0) : (first.seq + 1) >>> 0
  const pieces = new Map<number, { readonly at: number; readonly payload: Uint8Array }>()
  for (const { at, payload, seq, length } of mine) {
    // Distance from the beginning; sequence numbers wrap around.
    const place = (seq - begin) >>> 0
    if (length === 0 || place > 0x7fffffff) continue
    const before = pieces.get(place)
    if (before === undefined || before.payload.length < length) pieces.set(place, { at: before?.at ?? at, payload })
  }
  const sorted = [...pieces].toSorted(([a], [b]) => a - b)
  const parts: Uint8Array[] = []
  const marks: { readonly end: number; readonly at: number }[] = []
  let end = 0
  let latest = 0
  for (const [place, { at, payload }] of sorted) {
    if (place > end) break
    if (place + payload.length <= end) continue
    parts.push(payload.subarray(end - place))
    end = place + payload.length
    latest = Math.max(latest, at)
    marks.push({ end, at: latest })
  }
  return {
    octets: new Uint8Array(Buffer.concat(parts)),
    arrived: (place) => (marks.find((mark) => place < mark.end) ?? marks.at(-1))?.at ?? Number.NaN,
  }
}
