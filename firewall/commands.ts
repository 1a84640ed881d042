/**
 * `sotto firewall ...`: the person reads what the firewall lets through, why, and what it did; and takes changes back. Run
 * by the launcher, in the broker's process: the core has no part in it, and could not answer in the person's place.
 */
import type { FSWatcher } from 'node:fs'
import { watch } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { Command, CommanderError, Option } from 'commander'
import { isSottoError, SottoError } from '#protocol/errors.ts'
import { GatewayListLimits } from '#protocol/gateway-list.ts'
import { AUDIT_FILES } from './audit.ts'
import { unreadable } from './folder.ts'
import type { LocalBroker } from './local-broker.ts'
import type { Looked } from './look.ts'
import { look, readLog, readLogFrom } from './look.ts'
import { leaveWord } from './metering.ts'
import { brokerFolder } from './options.ts'
import type { Endpoint } from './policy.ts'
import type { Unlocked } from './unlock.ts'
import { endpointLine, endpointValue, explainText, logText, peerText } from './wording.ts'

export interface FirewallGround {
  readonly args: readonly string[]
  readonly env: NodeJS.ProcessEnv
  readonly out: (text: string) => void
  readonly now: () => number
  /** Asks for the password of the folder where it has one. */
  readonly unlock: () => Promise<Unlocked | undefined>
  readonly openBroker: (folder: string, unlocked: Unlocked | undefined) => Promise<LocalBroker>
  /** Ends `log --follow`. Only from then on a signal to this process does that, and not what it does to any. */
  readonly stopped: () => AbortSignal
}

interface Flags {
  readonly json?: boolean
  readonly follow?: boolean
  readonly yes?: boolean
}

/** Lines of the log that `explain` shows. */
const LATELY = 8

/** @throws SottoError E_USAGE, E_STATE_BUSY, E_STATE_UNREADABLE, E_FIREWALL_REFUSED, E_DISK_FULL */
export async function firewallCommands(ground: FirewallGround): Promise<void> {
  const program = new Command('sotto').exitOverride()
  const group = program.command('firewall').description('What the firewall lets through, why, and what it did.')
  const add = (name: string, what: string): Command =>
    group
      .command(name)
      .exitOverride()
      .description(what)
      .addOption(new Option('--state <folder>', 'where everything is kept'))
      .addOption(new Option('--password-file <file>', 'its first line is the password of that folder'))
      .addOption(new Option('--json', 'results and errors as lines of JSON'))
  const run = new FirewallCommands(ground)
  add('list', 'Show every endpoint that may be connected to.').action((flags: Flags) => run.list(flags))
  add('explain', 'Show all of one endpoint: who named it, its keys, what was measured, what happened.')
    .argument('<endpoint>', 'id, the beginning of one, host or name')
    .action((endpoint: string, flags: Flags) => run.explain(endpoint, flags))
  add('log', 'Print every decision, oldest first.')
    .option('--follow', 'go on until stopped')
    .action((flags: Flags) => run.log(flags))
  add('add', 'Take in a signed list of gateways that reached you by another way.')
    .argument('<file>', 'the list, as the operator made it')
    .action((file: string, flags: Flags) => run.add(file, flags))
  add('undo', 'Take back the latest change of the list.').action((flags: Flags) => run.undo(flags))
  add('forget', 'Take an endpoint off the list, with the membership there. Can be taken back for a week.')
    .argument('<endpoint>', 'as for explain')
    .action((endpoint: string, flags: Flags) => run.forget(endpoint, flags))
  add('allow', 'Lift what the flow meter did: you know that all is well with this endpoint.')
    .argument('<endpoint>', 'as for explain')
    .action((endpoint: string, flags: Flags) => run.allow(endpoint, flags))
  program
    .command('peer')
    .command('allow')
    .exitOverride()
    .description('Connect to a contact’s own node from now on, where they offer it.')
    .argument('<name>', 'as sotto peer shows it, or the host of the node')
    .option('--yes', 'do it: what it shows to whom was read')
    .addOption(new Option('--state <folder>', 'where everything is kept'))
    .addOption(new Option('--password-file <file>', 'its first line is the password of that folder'))
    .addOption(new Option('--json', 'results and errors as lines of JSON'))
    .action((name: string, flags: Flags) => run.allowPeer(name, flags))
  try {
    await program.parseAsync(ground.args, { from: 'user' })
  } catch (error) {
    // Help was shown, or the line was wrong and commander has said so.
    if (!(error instanceof CommanderError)) throw error
    if (error.exitCode !== 0) throw new SottoError('E_USAGE', 'The command line is wrong.')
  }
}

class FirewallCommands {
  private readonly ground: FirewallGround
  private readonly folder: string
  private unlocking: Promise<Unlocked | undefined> | undefined

  constructor(ground: FirewallGround) {
    this.ground = ground
    this.folder = brokerFolder(ground.args, ground.env)
  }

  private say({ json }: Flags, value: object, text: string): void {
    this.ground.out(`${json ? JSON.stringify(value) : text}\n`)
  }

  async list(flags: Flags): Promise<void> {
    const looked = await this.look()
    for (const endpoint of looked.endpoints) {
      const flow = looked.flow(endpoint)
      this.say(flags, endpointValue(endpoint, flow), endpointLine(endpoint, flow))
    }
    if (looked.endpoints.length === 0 && !flags.json) {
      this.ground.out('Nothing may be connected to. Next: sotto join\n')
    }
  }

  async explain(name: string, flags: Flags): Promise<void> {
    const looked = await this.look()
    const endpoint = named(looked.endpoints, name)
    const flow = looked.flow(endpoint)
    const lines: Parameters<typeof explainText>[2][number][] = []
    await readLog(this.folder, (line) => {
      if ('endpoint' in line && line.endpoint === endpoint.id) lines.push(line)
    })
    const lately = lines.slice(-LATELY)
    this.say(flags, { ...endpointValue(endpoint, flow), lately }, explainText(endpoint, flow, lately))
  }

  async log(flags: Flags): Promise<void> {
    const names = namesIn(await this.look())
    const show: Parameters<typeof readLog>[1] = (line) =>
      this.say(
        flags,
        line,
        logText(line, (id) => names.get(id) ?? id),
      )
    if (flags.follow) await this.follow(show)
    else await readLog(this.folder, show)
  }

  /** Watches before it reads, so that nothing comes in between. */
  private async follow(show: Parameters<typeof readLog>[1]): Promise<void> {
    const signal = this.ground.stopped()
    const stopped = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
    let reading = Promise.resolve(0)
    const watcher = this.watch(() => {
      reading = reading.then((at) => readLogFrom(this.folder, at, show))
    })
    reading = readLog(this.folder, show)
    if (!signal.aborted) await stopped
    watcher.close()
    await reading
  }

  /** @throws SottoError E_STATE_UNREADABLE */
  private watch(changed: () => void): FSWatcher {
    try {
      return watch(this.folder, (_, name) => {
        if (name === AUDIT_FILES[0]) changed()
      })
    } catch (cause) {
      throw unreadable(this.folder, 'it is not there', cause)
    }
  }

  /** Judged as any list is: by the root key of an invite. */
  async add(file: string, flags: Flags): Promise<void> {
    const list = await readListFile(file)
    const by = (await this.look()).endpoints.find(({ source }) => source === 'invite')
    if (by === undefined) throw new SottoError('E_NOT_JOINED', 'There is no invite that could vouch for a list.')
    const added = await this.with((broker) => broker.offerList(by.id, list))
    const names = added.map(({ name, host }) => `${name} (${host})`).join(', ')
    this.say(
      flags,
      { added: added.map(({ id, host }) => ({ id, host })) },
      names === '' ? 'Nothing new.' : `On the list now: ${names}.`,
    )
  }

  async undo(flags: Flags): Promise<void> {
    const names = namesIn(await this.look())
    const { kind, added, removed } = await this.with((broker) => broker.undo())
    const gone = added.map((id) => names.get(id) ?? id)
    const back = removed.map(({ id }) => names.get(id) ?? id)
    const text = [
      ...(gone.length === 0 ? [] : [`Off the list again: ${gone.join(', ')}.`]),
      ...(back.length === 0 ? [] : [`On the list again: ${back.join(', ')}.`]),
    ]
    this.say(flags, { undone: kind, removed: added, restored: removed.map(({ id }) => id) }, text.join('\n'))
  }

  async forget(name: string, flags: Flags): Promise<void> {
    const endpoint = named((await this.look()).endpoints, name)
    await this.with((broker) => broker.forget(endpoint.id))
    this.say(
      flags,
      { forgotten: endpoint.id },
      `${endpoint.name} is off the list. To take it back: sotto firewall undo`,
    )
  }

  /** A chat that is running holds the folder: it finds the person's word there. */
  async allow(name: string, flags: Flags): Promise<void> {
    const endpoint = named((await this.look()).endpoints, name)
    try {
      await this.with(async (broker) => broker.allow(endpoint.id))
    } catch (error) {
      if (!isSottoError(error, 'E_STATE_BUSY')) throw error
      await leaveWord(this.folder, endpoint.id)
    }
    this.say(flags, { allowed: endpoint.id }, `${endpoint.name} is allowed.`)
  }

  /** The core has no part in it: it says what contacts offer, and cannot let anything in. */
  async allowPeer(name: string, flags: Flags): Promise<void> {
    await this.with(async (broker) => {
      const offers = broker.peerOffers().filter((each) => each.name === name || each.host === name)
      const [offer] = offers
      if (offer === undefined || offers.length > 1) throw noOffer(name, offers.length)
      const { host, root } = offer
      if (flags.yes) await broker.allowPeer(root)
      const allowed = offer.isAllowed || flags.yes === true
      this.say(flags, { name: offer.name, host, root, allowed }, peerText(offer, allowed))
    })
  }

  private async look(): Promise<Looked> {
    return look(this.folder, this.ground.now(), await this.unlocked())
  }

  /** Asked for once. */
  private unlocked(): Promise<Unlocked | undefined> {
    this.unlocking ??= this.ground.unlock()
    return this.unlocking
  }

  private async with<T>(work: (broker: LocalBroker) => Promise<T>): Promise<T> {
    const broker = await this.ground.openBroker(this.folder, await this.unlocked())
    try {
      return await work(broker)
    } finally {
      await broker.close()
    }
  }
}

/** @throws SottoError E_USAGE */
async function readListFile(path: string): Promise<Uint8Array> {
  try {
    const { size } = await stat(path)
    if (size <= GatewayListLimits.bytes) return new Uint8Array(await readFile(path))
  } catch (cause) {
    throw new SottoError('E_USAGE', `${path} cannot be read.`, { cause })
  }
  throw new SottoError('E_USAGE', `${path} is too large to be a list of gateways.`)
}

function namesIn({ endpoints, removed }: Looked): ReadonlyMap<string, string> {
  return new Map([...removed, ...endpoints].map(({ id, name, host }) => [id, `${name} (${host})`]))
}

function noOffer(name: string, count: number): SottoError {
  const what = count === 0 ? 'No contact offers a node by the name' : 'More than one contact offers a node by the name'
  return new SottoError('E_USAGE', `${what} ${JSON.stringify(name)}.`, {
    next: 'sotto peer shows who offers one; the host of the node is a name as well.',
  })
}

/** @throws SottoError E_USAGE where none, or more than one, is meant */
function named(endpoints: readonly Endpoint[], name: string): Endpoint {
  const exact = endpoints.filter((each) => each.id === name || each.host === name || each.name === name)
  const found = exact.length > 0 ? exact : endpoints.filter(({ id }) => name.length >= 4 && id.startsWith(name))
  if (found.length === 1) return found[0]!
  const what = found.length === 0 ? 'No endpoint on the list is called' : 'More than one endpoint is called'
  throw new SottoError('E_USAGE', `${what} ${JSON.stringify(name)}.`, { next: 'sotto firewall list shows their ids.' })
}
