/** A member's client, put together: firewall, tunnels, mailboxes, store, chat. Views are built on this. */
import { join } from 'node:path'
import type { CompiledTemplate } from '#engine/compile.ts'
import type { Broker, DialerReport } from '#firewall/permit.ts'
import { SottoError } from '#protocol/errors.ts'
import { builtins as allBuiltins, type Builtin } from '../camouflage-templates/builtins.ts'
import { Alarm } from './alarm.ts'
import { type Backup, Chat } from './chat/chat.ts'
import { CHAT_TABLES } from './chat/records.ts'
import type { Clockwork } from './clockwork.ts'
import { Files } from './files/files.ts'
import { FILE_TABLES } from './files/transfer.ts'
import { Vault } from './files/vault.ts'
import { Finding } from './finding/finding.ts'
import { FINDING_TABLES, type GatewayWay } from './finding/trackers.ts'
import { fits } from './fitting.ts'
import type { FlowNote } from './flows.ts'
import { Flows } from './flows.ts'
import { watchGatewayList } from './gateway-lists.ts'
import { MailboxWatch } from './mailbox-watch.ts'
import { NETWORK_TABLES } from './network-memory.ts'
import { watchNetwork } from './network-watch.ts'
import { compiled, templateNamed } from './own-looks.ts'
import { notJoined, openTunnels, type PrepareTunnel, preparerOf } from './own-tunnels.ts'
import type { PackInUse } from './packs/keeper.ts'
import { PACK_TABLES } from './packs/memory.ts'
import type { PackedTunnel } from './packs/packed-tunnel.ts'
import type { Octets } from './path.ts'
import { type PeerParts, Peers } from './peers.ts'
import { PresenceChecker } from './presence/checker.ts'
import { Rounds } from './presence/rounds.ts'
import { BlobWays } from './services/blobs.ts'
import { gatewayName, Mailboxes } from './services/mailbox.ts'
import { openStore } from './store/open-store.ts'
import { placeOf } from './store/place.ts'
import type { Store } from './store/store.ts'
import { TRAFFIC_TABLES, Traffic } from './traffic.ts'
import type { TunnelStatus } from './tunnel/status.ts'

export interface MemberInput {
  /** The core's own part of the state folder. */
  readonly folder: string
  readonly broker: Broker
  readonly clockwork: Clockwork
  /** Template to use instead of the invite's. */
  readonly template: string | undefined
  /** Instead of the built-in ones; who names them answers for their family. */
  readonly templates?: readonly CompiledTemplate[]
  /** False: only what is kept here is looked at or changed; the network stays alone. */
  readonly online: boolean
  /** Makes an identity with this name where there is none. */
  readonly newName?: string
  /** Of a backup: the identity that is made is this one. */
  readonly backup?: Backup
}

export class Member {
  readonly chat: Chat
  /** Finding others by trackers, and being found. */
  readonly finding: Finding
  /** Files that are sent and that have come. */
  readonly files: Files
  /** Finding out who is there, when it is asked for. */
  readonly presence: PresenceChecker
  /** Asking who is there while the person looks at the chat. */
  readonly rounds: Rounds
  /** As in `MemberInput`. */
  readonly folder: string
  private readonly store: Store
  private readonly builtins: readonly Builtin[]
  /** What traffic can look like on this machine, and what it cannot and why. */
  readonly dialers: readonly DialerReport[]
  private readonly tunnels: readonly PackedTunnel[]
  private readonly statusListeners: ((status: TunnelStatus) => void)[] = []
  private readonly alarm: Alarm
  private readonly mailboxes: Mailboxes
  private readonly watch: MailboxWatch
  private readonly clockwork: Clockwork
  private readonly traffic: Traffic
  private readonly flows: Flows
  /** Nodes of contacts, and our own. */
  readonly peers: Peers | undefined
  private readonly unwatch: () => void

  private constructor(parts: {
    folder: string
    chat: Chat
    vault: Vault
    mailboxes: Mailboxes
    watch: MailboxWatch
    clockwork: Clockwork
    store: Store
    builtins: readonly Builtin[]
    dialers: readonly DialerReport[]
    tunnels: readonly PackedTunnel[]
    alarm: Alarm
    flows: Flows
    prepare: PrepareTunnel | undefined
    broker: Broker
    network: Broker['network']
  }) {
    this.folder = parts.folder
    this.chat = parts.chat
    this.store = parts.store
    this.builtins = parts.builtins
    this.dialers = parts.dialers
    this.tunnels = parts.tunnels
    this.alarm = parts.alarm
    this.mailboxes = parts.mailboxes
    this.watch = parts.watch
    this.clockwork = parts.clockwork
    this.flows = parts.flows
    parts.flows.onChange = (endpoint) => this.onFlow(endpoint)
    parts.alarm.ring = (now) => this.chat.tick(now)
    this.finding = new Finding(parts.chat, this.homes.map(wayOf), parts.store, parts.clockwork)
    const blobs = new BlobWays(this.homes.map(wayOf))
    this.files = new Files({
      chat: parts.chat,
      blobs,
      store: parts.store,
      vault: parts.vault,
      clockwork: parts.clockwork,
    })
    this.presence = new PresenceChecker({ chat: parts.chat, finding: this.finding, clockwork: parts.clockwork })
    this.rounds = new Rounds(parts.chat, this.presence, parts.clockwork)
    this.traffic = new Traffic(parts.store, parts.clockwork.now)
    for (const each of parts.tunnels) this.metered(each)
    const { broker, mailboxes, clockwork, prepare } = parts
    this.peers = prepare && new Peers({ broker, mailboxes, clockwork, ...this.forPeers(prepare) })
    for (const { tunnel } of parts.tunnels) tunnel.onChange((status) => this.onTunnel(status))
    for (const { tunnel } of this.homes) watchGatewayList(tunnel, parts.broker)
    const moved = (): void => this.tunnels.forEach(({ tunnel }) => void tunnel.moved())
    this.unwatch = parts.tunnels.length === 0 ? () => {} : watchNetwork(parts.clockwork, parts.network, moved)
  }

  /**
   * Opens the state folder and, where `online`, a tunnel to every gateway that the firewall knows.
   * @throws SottoError E_NOT_JOINED, E_STATE_BUSY, E_STATE_UNREADABLE, E_DISK_FULL, E_USAGE (no such template)
   */
  static async open(input: MemberInput): Promise<Member> {
    const { clockwork, folder, newName } = input
    // A dialer says what it looks like on the wire; a template that claims another client would give it away.
    const dialers = await input.broker.dialers()
    const builtins = input.templates?.map(compiled) ?? allBuiltins().filter((each) => fits(each, dialers))
    const store = openStore({
      folder: join(folder, 'chat'),
      tables: [...CHAT_TABLES, ...PACK_TABLES, ...NETWORK_TABLES, ...TRAFFIC_TABLES, ...FINDING_TABLES, ...FILE_TABLES],
      random: clockwork.random,
      lock: (await input.broker.password()).lock,
    })
    const tunnels: PackedTunnel[] = []
    const alarm = new Alarm(clockwork)
    try {
      const mailboxes = new Mailboxes(clockwork)
      const watch = new MailboxWatch(mailboxes)
      const own = { builtins, dialers, store }
      const prepare = input.online ? preparerOf(input, own) : undefined
      if (prepare !== undefined) tunnels.push(...(await openTunnels(input, own, prepare)))
      for (const { tunnel } of tunnels) mailboxes.add(tunnel)
      const { random, now } = clockwork
      const place = placeOf(join(folder, 'chat'))
      const options = { store, mailbox: watch, random, now, place, wake: (at: number) => alarm.set(at) }
      const chat =
        Chat.open(options) ?? (newName === undefined ? undefined : Chat.create(options, newName, input.backup))
      if (chat === undefined) throw notJoined()
      const flows = await Flows.open(input.broker)
      const network = (): Promise<Uint8Array> => input.broker.network()
      const vault = new Vault(join(folder, 'files'), clockwork)
      const member = new Member({
        folder,
        chat,
        vault,
        store,
        builtins,
        dialers,
        tunnels,
        alarm,
        mailboxes,
        watch,
        clockwork,
        flows,
        prepare,
        broker: input.broker,
        network,
      })
      await member.peers?.attend()
      alarm.begin()
      return member
    } catch (error) {
      // Tunnels that nobody holds would keep the program running.
      alarm.set(undefined)
      await Promise.all(tunnels.map((tunnel) => tunnel.stop()))
      store.close()
      throw error
    }
  }

  /** Gateways, without a node of our own. */
  private get homes(): readonly PackedTunnel[] {
    return this.tunnels.filter(({ tunnel }) => tunnel.status.endpoint.kind === 'gateway')
  }

  private metered(packed: PackedTunnel): PackedTunnel {
    packed.tunnel.onOctets((octets) => this.traffic.add(octets))
    return packed
  }

  private forPeers(prepare: PrepareTunnel): Pick<PeerParts, 'chat' | 'node' | 'open'> {
    const node = this.tunnels.find(({ tunnel }) => tunnel.status.endpoint.kind === 'node')?.tunnel
    return { chat: this.chat, node, open: async (endpoint) => this.metered((await prepare(endpoint))(0)) }
  }

  /** Ids of the templates there are. */
  get templates(): readonly string[] {
    return this.builtins.map(({ id }) => id)
  }

  /** Id of the template in use. */
  get template(): string | undefined {
    return this.tunnels[0]?.tunnel.status.template
  }

  onStatus(listener: (status: TunnelStatus) => void): void {
    this.statusListeners.push(listener)
  }

  status(): TunnelStatus[] {
    return this.tunnels.map(({ tunnel }) => tunnel.status)
  }

  /** What the flow meter does about each gateway, in the order of `status`; undefined where all is well. */
  flowNotes(): (FlowNote | undefined)[] {
    return this.tunnels.map(({ tunnel }) => this.flows.of(tunnel.status.endpoint.id))
  }

  private onFlow(endpoint: string): void {
    for (const status of this.status()) {
      if (status.endpoint.id === endpoint) for (const listener of this.statusListeners) listener(status)
    }
  }

  /** The template pack in use with each gateway, in the order of `status`; undefined where there is none. */
  packs(): (PackInUse | undefined)[] {
    return this.tunnels.map(({ pack }) => pack())
  }

  /** Octets since midnight, up and down, over all gateways. */
  today(): Octets {
    return this.traffic.today
  }

  /** Resolves once a gateway has been reached. @throws SottoError E_TUNNEL_TIMEOUT with the reason */
  async reached(timeoutMs: number): Promise<void> {
    await anyOf(this.homes.map(({ tunnel }) => tunnel.session(timeoutMs)))
  }

  /** Told once whenever a gateway begins to refuse messages for want of room (E_MAILBOX_FULL); they are kept here. */
  onRefusal(listener: (error: SottoError) => void): void {
    this.watch.onRefusal(listener)
  }

  /** Why messages do not leave now; undefined where nothing is known to hinder them. */
  hindrance(): SottoError | undefined {
    const states = this.homes.map(({ tunnel }) => tunnel.status.state)
    const state = states.find(({ kind }) => kind === 'failing')
    if (state?.kind !== 'failing') return this.watch.refusal
    return new SottoError(state.code, state.reason, {
      kept: 'The message is kept here, and goes out when Sotto is next connected.',
    })
  }

  /**
   * Resolves once nothing is under way and nothing becomes due within `soonMs`; after `timeoutMs` in any case. Receipts
   * wait a little before they go out, and whoever leaves earlier never sends them.
   */
  async settled(soonMs: number, timeoutMs: number): Promise<void> {
    const { clockwork, watch, alarm } = this
    const deadline = clockwork.now() + timeoutMs
    const isDue = (): boolean => alarm.at !== undefined && alarm.at <= clockwork.now() + soonMs
    while (clockwork.now() < deadline && (!watch.idle || isDue())) {
      await new Promise<void>((resolve) => {
        const done = (): void => {
          for (const cancel of cancels) cancel()
          resolve()
        }
        const cancels = [
          watch.whenIdle(done),
          alarm.onRing(done),
          clockwork.after(Math.max(0, deadline - clockwork.now()), done),
        ]
      })
    }
  }

  /** From now on traffic looks like this, whatever packs say. @throws SottoError E_USAGE where there is no such template */
  use(id: string): void {
    const template = templateNamed(this.builtins, id)
    for (const { pin } of this.tunnels) pin(template)
  }

  private onTunnel(status: TunnelStatus): void {
    if (status.state.kind === 'ready') {
      this.chat.connected()
      this.finding.connected()
      this.files.connected()
      this.rounds.connected()
    }
    for (const listener of this.statusListeners) listener(status)
  }

  /** Ends tunnels and closes the store. Unsent messages stay in the outbox. */
  async close(): Promise<void> {
    this.alarm.set(undefined)
    this.unwatch()
    this.finding.close()
    this.files.close()
    this.rounds.end()
    this.presence.close()
    this.chat.close()
    this.mailboxes.close()
    // What waits for a node ends with the tunnel to it.
    await Promise.all([this.peers?.close(), ...this.tunnels.map((tunnel) => tunnel.stop())])
    if (this.tunnels.length > 0) this.traffic.write()
    this.store.close()
  }
}

const wayOf = ({ tunnel }: PackedTunnel): GatewayWay => ({
  gateway: gatewayName(tunnel.status.endpoint),
  root: tunnel.status.endpoint.root,
  isReady: () => tunnel.status.state.kind === 'ready',
  call: (method, args, options) => tunnel.call(method, args, options),
})

/** The first that succeeds; the first failure where none does. */
function anyOf<T>(works: readonly Promise<T>[]): Promise<T> {
  return Promise.any(works).catch((error: AggregateError) => Promise.reject(error.errors[0]))
}
