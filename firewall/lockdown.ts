/**
 * The second line: closes every road out of this process but one, and reports who tried another. To be called first, before
 * any other code is loaded: the caller alone gets the one way out, by a value and not by looking at stacks.
 *
 * It stops ordinary code and dependencies that turn bad without aiming at it. It cannot close what lies below JavaScript:
 * raw handles that async_hooks or a socket shows, add-ons that are loaded, and whatever was captured before. The boundary
 * between processes, Node's permission model and the kernel (confinement) are what closes those.
 */
import type { LookupAddress } from 'node:dns'
import * as fs from 'node:fs'
import * as modules from 'node:module'
import * as net from 'node:net'
import { dirname, sep } from 'node:path'
import { SottoError } from '#protocol/errors.ts'
import type { Origin } from './lockdown-origin.ts'
import { originOf } from './lockdown-origin.ts'
import type { Road } from './lockdown-roads.ts'
import {
  addonRoad,
  builtinRoad,
  closedConstructors,
  closedModules,
  closedRoads,
  connectRoad,
  isHttpLoaded,
  lateConstructors,
  listenRoad,
  lookupRoads,
  reportRoad,
  spawnRoad,
  spawnSyncRoads,
} from './lockdown-roads.ts'
import { networkFacts } from './network.ts'
import { NO_ADDON } from './options.ts'
import { SocketPairs } from './socket-pairs.ts'
import type { WayOut } from './way-out.ts'
import { connected } from './way-out.ts'

/** What the caller of `lockDown` may do, and nobody else. */
export interface Leave {
  readonly way: WayOut
  /** Listens on loopback, for a view or a browser of this machine. Rejects with the system's error. */
  listen(server: net.Server, port: number): Promise<void>
  /** Two ends of one connection within this machine, neither of them reading yet, to hand one to another process. */
  pair(): Promise<readonly [net.Socket, net.Socket]>
  /** Calls `start`, which may start processes until it returns: not asynchronously. */
  starting<T>(start: () => T): T
  /** Who tried what. Attempts before the first listener are kept, up to `KEPT`. */
  onAttempt(listener: (attempt: Origin) => void): void
}

/** Attempts kept until somebody listens, by count. Attack: memory, by trying at once and often. */
const KEPT = 64
const LOOPBACK = '127.0.0.1'
/** Packages whose add-on may be loaded: TLS that looks like a browser's. */
const addons: readonly string[] = ['tls-impersonate']

// Whoever comes later may change the language, and what a name of Node's modules means: the guards use what was there first.
const { apply, construct, defineProperty, deleteProperty } = Reflect
const { has } = Set.prototype
const { startsWith } = String.prototype
const { realpathSync } = fs
const { isIP, Socket } = net
const { findPackageJSON, registerHooks, syncBuiltinESMExports } = modules
let locked = false

/**
 * Once for each process. For an application that uses Sotto as a library: its first statement, with the result's `way`
 * handed to `systemBroker`.
 * @throws SottoError E_FIREWALL_REFUSED the second time
 */
export function lockDown(): Leave {
  if (locked) throw new SottoError('E_FIREWALL_REFUSED', 'This process is locked down already.')
  locked = true
  process.env[NO_ADDON] = 'true'
  const attempts = new Attempts()
  const refuse = (road: string): never => {
    const attempt = toldOf(road)
    attempts.tell(attempt)
    throw new SottoError('E_FIREWALL_REFUSED', `Refused by the firewall: ${attempt.call} is closed in this process.`)
  }
  // The originals, in variables that nobody else reaches.
  const way = ownWay()
  const listen = originalOf(listenRoad)
  const pairs = new SocketPairs(originalOf(connectRoad), listen)
  const leave = { starting: 0 }
  close(closedRoads, refuse)
  close([connectRoad, listenRoad], refuse)
  closeConstructors(refuse)
  closeModules(refuse)
  closeReports()
  guard([spawnRoad, ...spawnSyncRoads], () => leave.starting > 0, refuse)
  guard(lookupRoads, (args) => typeof args[0] === 'string' && isIP(args[0]) !== 0, refuse)
  guard([addonRoad], (args) => isListedAddon(args[1]), refuse)
  syncBuiltinESMExports()
  return {
    way,
    listen: (server, port) => listening(listen, server, { host: LOOPBACK, port, exclusive: true }),
    pair: () => pairs.make(),
    starting: (start) => {
      leave.starting++
      try {
        return start()
      } finally {
        leave.starting--
      }
    },
    onAttempt: (listener) => attempts.listen(listener),
  }
}

/** Holds what was tried until somebody hears it. */
class Attempts {
  private readonly listeners: ((attempt: Origin) => void)[] = []
  private kept: Origin[] = []

  tell(attempt: Origin): void {
    if (this.listeners.length === 0 && this.kept.length < KEPT) this.kept.push(attempt)
    for (let i = 0; i < this.listeners.length; i++) this.listeners[i]!(attempt)
  }

  listen(listener: (attempt: Origin) => void): void {
    this.listeners.push(listener)
    for (const attempt of this.kept) listener(attempt)
    this.kept = []
  }
}

/** In a language that somebody has changed, reading the stack may fail: then the road alone is told. */
function toldOf(road: string): Origin {
  try {
    return originOf(road)
  } catch {
    return { call: road, origin: 'unknown' }
  }
}

type Refuse = (road: string) => never
type Callable = (...args: unknown[]) => unknown

function originalOf({ holder, key }: Road): Callable {
  return (holder as Record<string, Callable>)[key]!
}

/** Not to be undone: neither by assignment nor by defining anew. Prototypes stay open, or the console breaks. */
function replace({ holder, key }: Road, value: unknown): void {
  defineProperty(holder, key, { value, writable: false, configurable: false })
}

function close(roads: readonly Road[], refuse: Refuse): void {
  for (const road of roads) replace(road, () => refuse(road.name))
}

/** A subclass or a test by `instanceof` goes on; making one does not, by the prototype neither. */
function closeConstructors(refuse: Refuse): void {
  for (const road of [...closedConstructors, ...(isHttpLoaded() ? lateConstructors : [])]) {
    const original = originalOf(road)
    const closed = new Proxy(original, { construct: () => refuse(road.name), apply: () => refuse(road.name) })
    replace(road, closed)
    replace({ ...road, holder: original.prototype, key: 'constructor' }, closed)
  }
  if (!isHttpLoaded()) for (const road of lateConstructors) closeUnmade(road, refuse)
}

/** Node has not made it, nobody has it, and nobody makes Node do it any more. Even to define it anew would, unless it is gone first. */
function closeUnmade(road: Road, refuse: Refuse): void {
  deleteProperty(road.holder, road.key)
  replace(road, function closed() {
    refuse(road.name)
  })
}

/** Open to calls that `mayPass` lets through; it does not take the list apart, since how that is done can be changed. */
function guard(roads: readonly Road[], mayPass: (args: readonly unknown[]) => boolean, refuse: Refuse): void {
  for (const road of roads) {
    const original = originalOf(road)
    replace(road, function guarded(this: unknown, ...args: unknown[]) {
      return mayPass(args) ? apply(original, this, args) : refuse(road.name)
    })
  }
}

/** By import, by require and by `getBuiltinModule`. */
function closeModules(refuse: Refuse): void {
  const full = (name: unknown): string => (startsAs(String(name), 'node:') ? String(name) : `node:${name}`)
  const isClosed = (name: string): boolean => apply(has, closedModules, [name])
  registerHooks({
    resolve: (name, context, next) => (isClosed(full(name)) ? refuse(full(name)) : next(name, context)),
  })
  guard([builtinRoad], (args) => typeof args[0] !== 'string' || !isClosed(full(args[0])), refuse)
}

/** Node takes the word before nobody can give another. */
function closeReports(): void {
  Reflect.set(process.report, 'excludeNetwork', true)
  replace(reportRoad, true)
}

const startsAs = (text: string, start: string): boolean => apply(startsWith, text, [start])

function ownWay(): WayOut {
  const connect = originalOf(connectRoad) as (this: net.Socket, options: object) => net.Socket
  // Not by its name in an import: that leads to what the lockdown puts in its place.
  const ask = originalOf(lookupRoads[1]!) as (host: string, options: object) => Promise<LookupAddress[]>
  return Object.freeze({
    connect: (address: string, port: number, signal: AbortSignal) =>
      connected(() => apply(connect, construct(Socket, []), [{ host: address, port }]), signal),
    resolve: async (host: string) => (await ask(host, { all: true, order: 'verbatim' })).map((each) => each.address),
    facts: () => networkFacts(),
  })
}

function listening(listen: Callable, server: net.Server, place: object): Promise<void> {
  const { promise, resolve: done, reject } = Promise.withResolvers<void>()
  server.once('error', reject)
  apply(listen, server, [place, done])
  return promise.finally(() => server.off('error', reject))
}

function isListedAddon(path: unknown): boolean {
  if (typeof path !== 'string') return false
  let real: string
  try {
    real = realpathSync(path)
  } catch {
    // There is none.
    return false
  }
  for (let i = 0; i < addonFolders.length; i++) if (startsAs(real, addonFolders[i]!)) return true
  return false
}

/** With the separator behind them. */
const addonFolders: readonly string[] = addons.flatMap((name) => {
  const found = findPackageJSON(name, import.meta.url)
  return found === undefined ? [] : [realpathSync(dirname(found)) + sep]
})
