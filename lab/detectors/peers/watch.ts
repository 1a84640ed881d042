/** Other people's ways through, as Debian ships them, on the same wire: real TLS with real requests is carried through each. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Owner } from '#test/helpers/command.ts'
import type { Connection } from '../capture/packets.ts'
import { readConnections } from '../capture/packets.ts'
import { recordsOf } from '../capture/records.ts'
import type { SeenConnection, Session } from '../capture/session.ts'
import { firstPayload, helloOf } from '../capture/session.ts'
import { startCalls } from '../drivers/calls.ts'
import { inside, tapeOf } from '../ground/network.ts'
import { SITES } from '../ground/site.ts'
import type { World } from '../world.ts'
import type { Peer } from './peers.ts'
import { installedPeers } from './peers.ts'

export interface PeerSessions {
  readonly peer: string
  readonly sessions: readonly Session[]
}

const SESSIONS = 24
/** Port of the site that is inside, in the site's namespace. */
const INNER = 8443

/** All at the same time: each has ports of its own. One that does not come about is told of, and left out. */
export async function watchPeers(owner: Owner, world: World, tell: (line: string) => void): Promise<PeerSessions[]> {
  const { network, folder } = world
  await startCalls(owner, ...node(network.server, 'inner-site.ts', String(INNER)))
  const tape = join(folder, 'peers')
  await network.keep(tape)
  const watched = await Promise.all(installedPeers.map((peer) => watch(peer, owner, world, tell)))
  await network.keep(undefined)
  const connections = readConnections(readFileSync(tapeOf(tape, 'line')))
  return watched
    .filter((each) => each !== undefined)
    .map(({ peer, port, windows }) => {
      const mine = connections.filter(({ serverPort }) => serverPort === port)
      return { peer, sessions: windows.flatMap((window, at) => sessionOf(peer, at, window, mine)) }
    })
}

interface Watched {
  readonly peer: string
  readonly port: number
  /** Of each session: its beginning and end. */
  readonly windows: readonly Window[]
}

type Window = readonly [number, number]

const node = (namespace: string, script: string, ...args: readonly string[]): [string, string[]] =>
  inside(namespace, process.execPath, [join(import.meta.dirname, script), ...args])

async function watch(
  { name, start, missing }: Peer,
  owner: Owner,
  { network, folder }: World,
  tell: (line: string) => void,
): Promise<Watched | undefined> {
  if (missing !== undefined) return void tell(`${name} is left out: Debian’s ${missing} is not installed`)
  try {
    const way = await start({ owner, network, folder: join(folder, name.replaceAll(/\W/g, '-')), target: INNER })
    const visitor = await startCalls(owner, ...node(network.clients, 'inner-visitor.ts'))
    const windows: Window[] = []
    for (let i = 0; i < SESSIONS; i++) {
      const beganAt = Date.now()
      const came = await visitor.call({ run: 'visit', ...way.entry }).then(
        () => true,
        () => false,
      )
      if (came) windows.push([beganAt, Date.now()])
    }
    tell(`${name}: ${windows.length} of ${SESSIONS} sessions came through`)
    return { peer: name, port: way.port, windows }
  } catch (error) {
    tell(`${name} is left out: ${(error as Error).message}`)
    return undefined
  }
}

function sessionOf(peer: string, number: number, [beganAt, endedAt]: Window, all: readonly Connection[]): Session[] {
  const mine = all.filter(({ packets }) => packets[0]!.at >= beganAt && packets[0]!.at < endedAt)
  const visit = { kind: 'peer', site: SITES[0], template: peer, host: `${peer} ${number}`, said: [], heard: [] }
  const connections = mine.map((connection) => seen(connection, endedAt))
  return connections.length === 0 ? [] : [{ ...visit, beganAt, endedAt, connections }]
}

function seen(connection: Connection, until: number): SeenConnection {
  const packets = connection.packets.filter(({ at }) => at < until)
  const records = recordsOf({ ...connection, packets })
  return {
    hello: helloOf(connection),
    first: firstPayload(packets),
    packets: packets.map(({ payload: _, ...rest }) => rest),
    records: records.map(({ at, up, type, length }) => ({ at, up, type, length, inner: undefined })),
    ...{ protocol: 'unknown', exchanges: [], start: undefined },
  }
}
