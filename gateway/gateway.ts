/** A running gateway, put together from its state: decoy, recognition, sessions, services, server. */
import type { CompiledTemplate } from '#engine/compile.ts'
import { createMatcher, createSocketMatcher } from '#engine/match.ts'
import { aes256gcm } from '#protocol/crypto/aead.ts'
import { preferredAead } from '#protocol/crypto/measure.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import { SuiteId } from '#protocol/parcel.ts'
import { deriveCohort } from '#protocol/recognition.ts'
import type { Service } from '#protocol/services/service.ts'
import { TokenTable } from '#protocol/session/token-table.ts'
import { type Certificates, keepCertificate } from './acme/certificates.ts'
import { Carrier } from './carrier.ts'
import { openDecoy } from './decoy/decoy.ts'
import { ExpiryClock } from './expiry-clock.ts'
import { watchMembers } from './members-watch.ts'
import { LivePacks } from './packs/live.ts'
import { startServer } from './server.ts'
import { Blobs } from './services/blobs/blobs.ts'
import { Cards } from './services/cards/cards.ts'
import { gatewayListService } from './services/gateways.ts'
import { Mailbox } from './services/mailbox/mailbox.ts'
import { nodeService } from './services/node.ts'
import { packService } from './services/packs.ts'
import { Prekeys } from './services/prekeys/prekeys.ts'
import { TrackerRelay } from './services/tracker/relay.ts'
import { trackerOf } from './services/tracker/running.ts'
import { Sessions, surroundings } from './sessions.ts'
import type { SocketLimits } from './sockets/limits.ts'
import { MemberSockets } from './sockets/member-sockets.ts'
import type { GatewayState } from './state.ts'
import { holdStore } from './store/holder.ts'
import { readTlsFiles } from './tls-files.ts'
import { UsedContacts } from './used-contacts.ts'

/** How long a stopping gateway lets answers under way finish. */
const GRACE_MS = 3_000
const SWEEP_MS = 1_000
const SHUT =
  'clock: far behind what this gateway has been at. Whoever begins a session gets the website until it is right.'

export interface GatewayInput {
  readonly state: GatewayState
  readonly templates: readonly CompiledTemplate[]
  /** Services beside the mailbox. */
  readonly services?: readonly Service[]
  readonly socketLimits?: SocketLimits
  /** One line for the operator: never an address, an id or content of a member. */
  readonly log: (line: string) => void
}

export interface RunningGateway {
  readonly port: number | undefined
  readonly sessions: Sessions
  /** Ends sessions, finishes what is under way, writes what is to be written. Stored mail stays. */
  stop(): Promise<void>
}

/** @throws SottoError E_PORT_TAKEN, E_CONFIG, E_STATE_BUSY, E_STATE_UNREADABLE */
export async function startGateway(input: GatewayInput): Promise<RunningGateway> {
  const { state, log } = input
  /** What runs, the latest first to end: where the start fails, nothing is left running. */
  await using parts = new AsyncDisposableStack()
  parts.defer(await holdStore(state.store))
  const report = (error: unknown): void => log(`fault: ${error instanceof Error ? error.message : 'unknown'}`)
  const around = surroundings(randomBytes)
  const aging = new ExpiryClock({ store: state.store, wall: around.now, monotonic: around.monotonic, log })
  const age = (): number => aging.now()
  const tracker = await trackerOf(state.folder, around.now, report)
  parts.defer(async () => await tracker?.stop())
  const own = tracker === undefined ? {} : { own: tracker.tracker }
  const relay = new TrackerRelay({ folder: state.folder, root: state.packRoot, now: around.now, ...own })
  parts.defer(() => relay.close())
  const mailbox = new Mailbox({
    store: state.store,
    now: age,
    random: randomBytes,
    policy: state.config.mailbox.policy,
    limits: state.config.mailboxLimits,
    onFault: report,
  })
  const prekeys = new Prekeys({ store: state.store, now: around.now, onFault: report })
  const cards = new Cards({ store: state.store, onFault: report })
  const files = await state.openFiles()
  parts.defer(() => files.close())
  const blobs = new Blobs({
    ...{ store: state.store, blobs: files, now: age, random: randomBytes, onFault: report },
    policy: state.config.mailbox.policy,
  })
  const tokens = new TokenTable()
  let matcher = createMatcher(input.templates)
  let socketMatcher = createSocketMatcher(input.templates)
  const packs = new LivePacks({
    packs: state.packs,
    base: input.templates,
    now: around.now,
    accept: (templates) => {
      matcher = createMatcher(templates)
      socketMatcher = createSocketMatcher(templates)
    },
    repoint: () => sessions.repoint(),
    connected: () => sessions.members(),
    log,
    fault: report,
  })
  const sessions: Sessions = new Sessions({
    ...around,
    aging: age,
    used: new UsedContacts(state.store),
    gatewaySecret: state.gatewaySecret,
    preferredAead: preferred(),
    holdMs: state.config.holdMs,
    tokens,
    services: [
      ...[mailbox.service, prekeys.service, packService(packs), gatewayListService(state.folder)],
      ...[cards.service, relay.service, blobs.service],
      ...(state.config.node ? [nodeService(state, around.now, report)] : []),
      ...(input.services ?? []),
    ],
    pointer: (member) => packs.pointerFor(member),
    admit: async (claim, cohort) => await state.members.admit(claim, cohort.id, around.now()),
    report,
  })
  parts.defer(
    watchMembers(state.members, {
      now: around.now,
      cohorts: (cohorts) => sessions.setCohorts(cohorts.map(({ id, secret }) => ({ id, keys: deriveCohort(secret) }))),
      revoked: (member) => sessions.revoke(member),
      fault: report,
    }),
  )
  parts.defer(packs.start())
  const { decoy, upgrade, refusal, close } = await openDecoy(state.config.decoy, report)
  parts.defer(close)
  const carrier = new Carrier({ matcher: () => matcher, tokens, sessions, decoy, report })
  const sockets = new MemberSockets({
    ...{ matcher: () => socketMatcher, tokens, sessions, upgrades: upgrade, report },
    ...(input.socketLimits === undefined ? {} : { limits: input.socketLimits }),
  })
  parts.defer(() => sockets.close())
  let shut = false
  const sweeper = setInterval(() => {
    sessions.sweep(around.now())
    if (sessions.isShut && !shut) log(SHUT)
    shut = sessions.isShut
    aging.tick().catch(report)
    mailbox.sweep().catch(report)
    prekeys.sweep().catch(report)
    cards.sweep().catch(report)
    blobs.sweep().catch(report)
  }, SWEEP_MS)
  parts.defer(() => clearInterval(sweeper))
  const { listen, acme } = state.config
  let certificates: Certificates | undefined
  if (listen.kind === 'https' && acme !== undefined)
    certificates = await keepCertificate(state.folder, state.config, acme, listen, log)
  parts.defer(async () => await certificates?.stop())
  const server = await startServer(listen, decoy, { refusal, upgrades: sockets, before: carrier.take })
  if (certificates !== undefined && listen.kind === 'https')
    certificates.onRenewed = () =>
      void readTlsFiles(listen)
        .then((pair) => server.renew(pair))
        .catch(report)
  const running = parts.move()
  return {
    port: server.port,
    sessions,
    stop: async () => {
      sessions.end()
      await server.close(GRACE_MS)
      await running.disposeAsync()
    },
  }
}

/** AEAD that this machine seals quickest with: index into `aeads`. */
function preferred(): number {
  return preferredAead(() => performance.now()) === aes256gcm.name ? SuiteId.aes256gcm : SuiteId.chacha20poly1305
}
