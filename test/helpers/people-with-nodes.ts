/** Gateways, nodes and members of the product in this process, on real TLS and real folders: they come, go and come back. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { ContactView } from '#client/chat/events.ts'
import { realClockwork } from '#client/clockwork.ts'
import { Member } from '#client/member.ts'
import { tlsConnector } from '#firewall/dialers/tls-connector.ts'
import { undiciDialer } from '#firewall/dialers/undici.ts'
import { openBroker } from '#firewall/library.ts'
import type { LocalBroker } from '#firewall/local-broker.ts'
import { initGateway } from '#gateway/admin/init.ts'
import { createInvitesIn } from '#gateway/admin/invites.ts'
import type { RunningGateway } from '#gateway/gateway.ts'
import { startGateway } from '#gateway/gateway.ts'
import { liveTemplates } from '#gateway/live-templates.ts'
import type { GatewayState } from '#gateway/state.ts'
import { openState } from '#gateway/state.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import { freePort } from '../../scripts/bench/ports.ts'
import { type Owner, temporaryFolder } from './command.ts'

/** Milliseconds for what takes a second on an idle machine. */
const REACH_MS = 300_000
/** The only look of these gateways. Named by the person, so that who had to wait twice does not try all others before it again. */
const LOOK = 'support-chat'

export class Place {
  readonly folder: string
  port = 0
  private readonly address: string
  state: GatewayState | undefined
  private running: RunningGateway | undefined

  private constructor(folder: string, address: string) {
    this.folder = folder
    this.address = address
  }

  /** Set up, and not started. `address`: where others are told that it is. */
  static async make(
    t: Owner,
    folder: string,
    { port, address = '127.0.0.1' }: { readonly port?: number; readonly address?: string } = {},
  ): Promise<Place> {
    const place = new Place(folder, address)
    place.port = port ?? (await freePort())
    await place.init()
    t.teardown(() => place.stop())
    return place
  }

  /** Writes the configuration for its port, over an older one. */
  async init(): Promise<void> {
    const where = { listen: `https://127.0.0.1:${this.port}`, address: [this.address], selfSigned: true, acme: false }
    const options = { state: this.folder, name: 'Place', domain: 'localhost', template: [LOOK], force: true }
    await initGateway({ ...options, ...where, node: true }, new Date())
  }

  async start(): Promise<void> {
    this.state = await openState(this.folder)
    this.running = await startGateway({
      state: this.state,
      templates: liveTemplates(this.state.config.templates),
      log: () => {},
    })
  }

  async stop(): Promise<void> {
    const { running, state } = this
    this.running = undefined
    this.state = undefined
    await running?.stop()
    await state?.close()
  }

  /** For a member; the place is started. */
  async link(): Promise<string> {
    const request = { count: 1, name: 'test', uses: 1, days: 1, role: 'member' } as const
    const [made] = await createInvitesIn(this.state!, request, Date.now())
    return made!.link
  }

  /** Invites of friends that are good, by hand or by a node. */
  guests(): number {
    const invites = this.state!.members.listInvites(Date.now())
    return invites.filter(({ role, state }) => role === 'guest' && state !== 'revoked').length
  }
}

/** A person whose program is closed and opened again; what arrives is kept over all of it. */
export class Human {
  readonly name: string
  readonly texts: string[] = []
  readonly news: boolean[] = []
  member!: Member
  broker!: LocalBroker
  private readonly folder: string
  private readonly waiting = new Set<() => void>()
  private isOpen = false

  private constructor(t: Owner, folder: string, name: string) {
    this.folder = folder
    this.name = name
    t.teardown(() => this.close())
  }

  static async join(t: Owner, folder: string, name: string, gateway: Place): Promise<Human> {
    const human = new Human(t, join(folder, name), name)
    await mkdir(join(human.folder, 'core'), { recursive: true, mode: 0o700 })
    await human.withBroker(async (broker) => void (await broker.admitInvite(await gateway.link())))
    await human.open()
    await human.member.reached(REACH_MS)
    return human
  }

  /** What the launcher does before there is a core. */
  async withBroker(work: (broker: LocalBroker) => Promise<void>): Promise<void> {
    const dialer = undiciDialer({ connector: tlsConnector({ resolve: async () => [] }) })
    const folder = join(this.folder, 'firewall')
    const broker = await openBroker({ folder, dialers: [dialer], now: Date.now, random: randomBytes })
    try {
      await work(broker)
    } finally {
      await broker.close()
    }
  }

  async open(): Promise<void> {
    const dialer = undiciDialer({ connector: tlsConnector({ resolve: async () => [] }) })
    const folder = join(this.folder, 'firewall')
    this.broker = await openBroker({ folder, dialers: [dialer], now: Date.now, random: randomBytes })
    const ground = { broker: this.broker, folder: join(this.folder, 'core'), clockwork: realClockwork }
    this.member = await Member.open({ ...ground, template: LOOK, online: true, newName: this.name })
    this.isOpen = true
    this.member.onStatus(() => this.look())
    this.member.chat.onEvent((event) => {
      if (event.type === 'message' && event.message.from === 'them') this.texts.push(event.message.text)
      if (event.type === 'node') this.news.push(event.offered)
      this.look()
    })
  }

  async close(): Promise<void> {
    if (!this.isOpen) return
    this.isOpen = false
    await this.member.close()
    await this.broker.close()
  }

  get contact(): ContactView {
    return this.member.chat.contacts()[0]!
  }

  say(text: string): void {
    this.member.chat.send(this.contact.id, text)
  }

  /** Resolves once it is so, as far as what this person hears of tells. */
  until(done: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!done()) return
        this.waiting.delete(look)
        resolve()
      }
      this.waiting.add(look)
      look()
    })
  }

  hears(text: string): Promise<void> {
    return this.until(() => this.texts.includes(text))
  }

  /** Ports of peers that the firewall lets through. */
  async peers(): Promise<number[]> {
    return (await this.broker.endpoints()).filter(({ kind }) => kind === 'peer').map(({ port }) => port)
  }

  private look(): void {
    for (const look of [...this.waiting]) look()
  }
}

/** A gateway and a node that run, and two people at the gateway who know each other; the node is nobody's yet. */
export async function twoPeople(
  t: Owner,
): Promise<{ folder: string; gateway: Place; node: Place; ada: Human; ben: Human }> {
  const folder = await temporaryFolder(t)
  const [gateway, node] = [await Place.make(t, join(folder, 'gateway')), await Place.make(t, join(folder, 'node'))]
  await gateway.start()
  await node.start()
  const [ada, ben] = [await Human.join(t, folder, 'Ada', gateway), await Human.join(t, folder, 'Ben', gateway)]
  ben.member.chat.addContact(await ada.member.chat.myCard())
  ada.member.chat.addContact(await ben.member.chat.myCard())
  return { folder, gateway, node, ada, ben }
}
