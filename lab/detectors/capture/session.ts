/** Everything that one visit or membership left on the wire, by the host that it named. */
import { existsSync, readFileSync } from 'node:fs'
import type { ClientHello } from './client-hello.ts'
import { parseClientHello } from './client-hello.ts'
import type { KeyLog, OpenRecord } from './decrypt.ts'
import { openRecords, readKeyLog } from './decrypt.ts'
import type { Conversation } from './exchanges.ts'
import { readConversation } from './exchanges.ts'
import type { Connection, Packet } from './packets.ts'
import { readConnections } from './packets.ts'
import { RecordType, recordsOf } from './records.ts'

/** One visit as its driver tells of it. Times in milliseconds since the epoch. */
export interface Visit {
  readonly kind: string
  readonly site: string
  readonly template: string
  readonly host: string
  readonly beganAt: number
  /** Watching ends here: how each side closes is the harness's doing. */
  readonly endedAt: number
  /** When something was said to us, and by us: truth for tests that guess it. */
  readonly said: readonly Spoken[]
  readonly heard: readonly Spoken[]
}

export interface Spoken {
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly letters: number
}

/** A packet and a record without their content, of which there is too much to keep. */
export type SeenPacket = Omit<Packet, 'payload'>
export type SeenRecord = Pick<OpenRecord, 'at' | 'up' | 'type' | 'length' | 'inner'>

export interface SeenConnection extends Conversation {
  readonly hello: ClientHello | undefined
  /** The first octets that the client said. */
  readonly first: Uint8Array
  readonly packets: readonly SeenPacket[]
  readonly records: readonly SeenRecord[]
}

export interface Session extends Visit {
  readonly connections: readonly SeenConnection[]
}

/** Milliseconds that a visit is watched from its first packet, so that how slowly somebody comes in decides nothing else. */
export const WATCHED_MS = 11_000

/** `keys`: files with secrets of TLS, where they are. Visits of which nothing was seen are left out. */
export async function readSessions(
  tape: string,
  visits: readonly Visit[],
  keys: readonly string[],
): Promise<Session[]> {
  const secrets = readKeyLog(
    keys
      .filter(existsSync)
      .map((file) => readFileSync(file, 'utf8'))
      .join('\n'),
  )
  const seen = readConnections(readFileSync(tape)).map((connection) => ({ connection, hello: helloOf(connection) }))
  const sessions: Session[] = []
  for (const visit of visits) {
    const mine = seen.filter(({ connection, hello }) => hello?.serverName === visit.host && isWithin(connection, visit))
    const [first] = mine.flatMap(({ connection }) => connection.packets.slice(0, 1))
    if (first === undefined) continue
    const endedAt = Math.min(visit.endedAt, first.at + WATCHED_MS)
    const within = mine.filter(({ connection }) => connection.packets[0]!.at < endedAt)
    const connections = await Promise.all(within.map((each) => look(each.connection, each.hello, secrets, endedAt)))
    sessions.push({ ...visit, endedAt, connections })
  }
  return sessions
}

export function helloOf(connection: Connection): ClientHello | undefined {
  const pieces: Uint8Array[] = []
  for (const { up, type, fragment } of recordsOf(connection)) {
    if (!up || type !== RecordType.handshake) continue
    pieces.push(fragment)
    const hello = parseClientHello(new Uint8Array(Buffer.concat(pieces)))
    if (hello !== undefined) return hello
  }
  return undefined
}

function isWithin({ packets }: Connection, { beganAt, endedAt }: Visit): boolean {
  const at = packets[0]?.at ?? 0
  return at >= beganAt && at < endedAt
}

async function look(
  { clientPort, serverPort, packets }: Connection,
  hello: ClientHello | undefined,
  secrets: KeyLog,
  until: number,
): Promise<SeenConnection> {
  const watched = { clientPort, serverPort, packets: packets.filter(({ at }) => at < until) }
  const open = hello === undefined ? [] : openRecords(recordsOf(watched), hello, secrets)
  return {
    hello,
    first: firstPayload(packets),
    packets: watched.packets.map(({ payload: _, ...rest }) => rest),
    records: open.map(({ at, up, type, length, inner }) => ({ at, up, type, length, inner })),
    ...(await readConversation(open)),
  }
}

export function firstPayload(packets: readonly Packet[]): Uint8Array {
  return new Uint8Array(packets.find(({ up, length }) => up && length > 0)?.payload ?? [])
}
