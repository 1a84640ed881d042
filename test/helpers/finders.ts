/** People who find each other: real chats and stores, a gateway's real services, real trackers behind real trunks; one clock. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { Chat } from '#client/chat/chat.ts'
import { CHAT_TABLES } from '#client/chat/records.ts'
import type { Clockwork } from '#client/clockwork.ts'
import { Finding } from '#client/finding/finding.ts'
import { FINDING_TABLES, type GatewayWay } from '#client/finding/trackers.ts'
import { gatewayName, Mailboxes } from '#client/services/mailbox.ts'
import { openStore as openClientStore } from '#client/store/open-store.ts'
import type { Tunnel } from '#client/tunnel.ts'
import { CARD_TABLES, Cards } from '#gateway/services/cards/cards.ts'
import { MAILBOX_TABLES, Mailbox } from '#gateway/services/mailbox/mailbox.ts'
import { RecordStore } from '#gateway/services/tracker/record-store.ts'
import { TRACKER_LIST_FILE, TrackerRelay } from '#gateway/services/tracker/relay.ts'
import { Tracker } from '#gateway/services/tracker/tracker.ts'
import { startTrunkServer, type TrunkServer } from '#gateway/services/tracker/trunk-server.ts'
import { openStore } from '#gateway/store/store.ts'
import { ed25519PublicKey } from '#protocol/crypto/ed25519.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import { decodeMessage, encodeMessage } from '#protocol/services/codec.ts'
import type { Service } from '#protocol/services/service.ts'
import { ServiceFailure } from '#protocol/services/service.ts'
import { epochOf } from '#protocol/tracker/epoch.ts'
import { sealTrackerList } from '#protocol/tracker/tracker-list.ts'

/** A busy machine may take its time: what is down says so at once. */
const PATIENT = { answerMs: 100_000 }
/** Enough to be refused without, and found at once. */
const WORK_BITS = 6
const LOCK_COST = { memoryKiB: 64, passes: 1, parallelism: 1, length: 32 }

export interface RunningTracker {
  readonly tracker: Tracker
  readonly store: RecordStore
  readonly server: TrunkServer
}

export class World {
  now = 1_800_000_000_000
  readonly rootSeed: Uint8Array = randomBytes(32)
  readonly folder: string
  readonly trackers: RunningTracker[] = []
  readonly gateways: Gateway[] = []
  readonly t: ExecutionContext

  private constructor(t: ExecutionContext) {
    this.t = t
    this.folder = mkdtempSync(join(tmpdir(), 'sotto-finding-'))
  }

  static async create(t: ExecutionContext, trackers = 2, gateways = 1): Promise<World> {
    const world = new World(t)
    for (let i = 0; i < trackers; i++) await world.addTracker(i)
    for (let i = 0; i < gateways; i++) world.gateways.push(await Gateway.open(world, `g${i}.example`))
    world.list()
    t.teardown(async () => {
      for (const gateway of world.gateways) await gateway.close()
      for (const { server, store } of world.trackers) {
        await server.close()
        await store.close()
      }
      rmSync(world.folder, { recursive: true, force: true })
    })
    return world
  }

  private async addTracker(i: number): Promise<void> {
    const secret = randomBytes(32)
    const limits = { workBits: WORK_BITS, greetingMs: 100_000 }
    const store = await RecordStore.open({ file: join(this.folder, `tracker${i}`, 'records.mdb'), limits })
    const onFault = (): void => {}
    const tracker = new Tracker({ secret, store, now: () => this.now, limits, onFault })
    const server = await startTrunkServer({ tracker, secret, host: '127.0.0.1', port: 0 })
    this.trackers.push({ tracker, store, server })
  }

  /** Signs the list of trackers for all gateways, or for these. */
  list(
    trackers: readonly RunningTracker[] = this.trackers,
    version: number = Math.floor(this.now / 1000),
    gateways: readonly Gateway[] = this.gateways,
  ): void {
    const items = trackers.map(({ tracker, server }) => ({
      ...{ key: tracker.publicKey, host: '127.0.0.1', port: server.port },
    }))
    const from = Math.floor(this.now / 1000) - 3_600
    const bytes = sealTrackerList(this.rootSeed, { version, from, until: from + 90 * 86_400, items })
    for (const { folder } of gateways) writeFileSync(join(folder, TRACKER_LIST_FILE), bytes)
  }

  /** Goes to where a person's week begins, so that it does not end in between. */
  toBeginningOfWeek(root: Uint8Array): void {
    const epoch = epochOf(root, this.now)
    while (epochOf(root, this.now) === epoch) this.now += 3_600_000
    this.list()
  }

  get clockwork(): Clockwork {
    const after = (): (() => void) => () => {}
    return { now: () => this.now, random: randomBytes, after, soon: (run) => void setImmediate(run) }
  }

  person(name: string, gateways: readonly Gateway[] = this.gateways): Person {
    return new Person(this, name, gateways)
  }
}

/** The services of one gateway; `before` may answer in their place. */
export class Gateway {
  readonly host: string
  readonly folder: string
  readonly root: Uint8Array
  ready = true
  before: (method: string, args: unknown) => unknown = () => undefined
  private readonly services: readonly Service[]
  private readonly relay: TrackerRelay
  private readonly stop: () => Promise<void>

  private constructor(parts: {
    host: string
    folder: string
    root: Uint8Array
    services: readonly Service[]
    relay: TrackerRelay
    stop: () => Promise<void>
  }) {
    this.host = parts.host
    this.folder = parts.folder
    this.root = parts.root
    this.services = parts.services
    this.relay = parts.relay
    this.stop = parts.stop
  }

  static async open(world: World, host: string): Promise<Gateway> {
    const folder = join(world.folder, host)
    const tables = [...MAILBOX_TABLES, ...CARD_TABLES]
    const store = await openStore({ folder, key: new Uint8Array(32), tables, create: true })
    const root = ed25519PublicKey(world.rootSeed)
    const now = (): number => world.now
    const relay = new TrackerRelay({ folder, root, now, times: PATIENT })
    const mailbox = new Mailbox({ store, now, random: randomBytes })
    const services = [mailbox.service, new Cards({ store }).service, relay.service]
    return new Gateway({ host, folder, root, services, relay, stop: () => store.close() })
  }

  async close(): Promise<void> {
    this.relay.close()
    await this.stop()
  }

  /** As over the wire. */
  async call(method: string, args: unknown, member: string): Promise<unknown> {
    if (!this.ready) throw new Error('not reached')
    const instead = this.before(method, args)
    if (instead !== undefined) return instead
    const handler = this.services.find(({ unary }) => method in unary)?.unary[method]
    if (handler === undefined) throw new ServiceFailure('unknown-method')
    const result = await handler(decodeMessage(encodeMessage(args)), { member, role: 'member' })
    return decodeMessage(encodeMessage(result))
  }
}

export class Person {
  readonly chat: Chat
  readonly finding: Finding
  readonly ways: readonly GatewayWay[]

  constructor(world: World, name: string, gateways: readonly Gateway[]) {
    const { clockwork, t } = world
    const folder = join(world.folder, name)
    const store = openClientStore({ folder, tables: [...CHAT_TABLES, ...FINDING_TABLES], random: randomBytes })
    const mailbox = new Mailboxes(clockwork)
    this.ways = gateways.map((gateway) => wayTo(gateway, name))
    for (const [i, way] of this.ways.entries()) mailbox.add(tunnelOf(gateways[i]!, way))
    const { now, random } = clockwork
    this.chat = Chat.create({ store, mailbox, now, random, wake: () => {} }, name)
    this.finding = new Finding(this.chat, this.ways, store, clockwork, { workBits: WORK_BITS, lock: LOCK_COST })
    t.teardown(() => {
      this.finding.close()
      this.chat.close()
      store.close()
    })
  }
}

const endpointOf = ({ host }: Pick<Gateway, 'host'>): { host: string; port: number } => ({ host, port: 443 })

function wayTo(gateway: Gateway, member: string): GatewayWay {
  return {
    gateway: gatewayName(endpointOf(gateway)),
    root: gateway.root,
    isReady: () => gateway.ready,
    call: (method, args) => gateway.call(method, args, member),
  }
}

/** What a mailbox needs of a tunnel; nothing arrives. */
function tunnelOf(gateway: Gateway, way: GatewayWay): Tunnel {
  const part: Pick<Tunnel, 'call' | 'subscribe'> & { status: object } = {
    status: { endpoint: endpointOf(gateway), state: { kind: 'ready' } },
    call: (method, args) => way.call(method, args),
    subscribe: () => ({ ended: new Promise(() => {}), cancel: () => {} }),
  }
  return part as Tunnel
}
