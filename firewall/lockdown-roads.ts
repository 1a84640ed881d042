/**
 * Every road of Node that leads out of a process, as data: what holds it and by which names. Three kinds: functions and
 * methods, constructors, and whole modules that nothing here has a use for.
 */
import * as childProcess from 'node:child_process'
import * as dgram from 'node:dgram'
import * as dns from 'node:dns'
import { createRequire } from 'node:module'
import * as net from 'node:net'
import type * as sqlite from 'node:sqlite'

// Namespaces of import cannot be changed; what require gives can, and `syncBuiltinESMExports` carries it over.
const require = createRequire(import.meta.url)
const mutable = <T>(name: string): T => require(name) as T

/** What Node knows and its types do not. */
type Loose = Record<string, unknown>

export interface Road {
  /** As the log says it. */
  readonly name: string
  readonly holder: object
  readonly key: string
}

function roads(prefix: string, holder: object, keys: readonly string[]): Road[] {
  return keys.filter((key) => key in holder).map((key) => ({ name: `${prefix}.${key}`, holder, key }))
}

/** All that ask a server. What answers for an address without asking (`lookup`) is treated apart. */
const asking = (holder: object): string[] =>
  Object.getOwnPropertyNames(holder).filter((key) => /^(resolve\w*|reverse|lookupService|setServers)$/.test(key))

const netModule = mutable<typeof net & Loose>('node:net')
const dnsModule = mutable<typeof dns>('node:dns')
const dgramModule = mutable<typeof dgram>('node:dgram')
const processModule = mutable<typeof childProcess>('node:child_process')
const threads = mutable<object>('node:worker_threads')
const shared: object = Object.getPrototypeOf(dns.Resolver.prototype)

/** Functions and methods that are closed to everybody. */
export const closedRoads: readonly Road[] = [
  ...roads('net', netModule, ['_createServerHandle']),
  ...roads('dgram', dgramModule, ['createSocket']),
  ...roads('dgram.Socket', dgram.Socket.prototype, ['bind', 'bindSync', 'connect', 'connectSync', 'send', 'sendto']),
  ...roads('dns', dnsModule, asking(dnsModule)),
  ...roads('dns.promises', dnsModule.promises, asking(dnsModule.promises)),
  ...roads('dns.Resolver', dns.Resolver.prototype, asking(dns.Resolver.prototype)),
  ...roads('dns.promises.Resolver', dns.promises.Resolver.prototype, asking(dns.promises.Resolver.prototype)),
  ...roads('dns.Resolver', shared, asking(shared)),
  // Native code of others, as add-ons are.
  ...roads('sqlite.DatabaseSync', mutable<typeof sqlite>('node:sqlite').DatabaseSync.prototype, [
    ...['loadExtension', 'enableLoadExtension'],
  ]),
  ...roads('crypto', mutable<object>('node:crypto'), ['setEngine']),
  // They ask the DNS for the name of every address that is connected.
  ...roads('process.report', process.report, ['getReport', 'writeReport']),
  // Loaders run code in a thread of their own, and hooks of others would go before ours.
  ...roads('module', mutable<object>('node:module'), ['register', 'registerHooks']),
  ...roads('process', process, ['binding', '_linkedBinding', 'execve', '_debugProcess', '_debugEnd']),
  ...roads('', globalThis, ['fetch']).map((road) => ({ ...road, name: 'fetch' })),
]

/** Constructors that are closed to everybody. */
export const closedConstructors: readonly Road[] = [
  ...roads('worker_threads', threads, ['Worker']),
  ...roads('net', netModule, ['BoundSocket']),
]

/** Those that Node makes when they are first read, and all of its HTTP with them: that takes longer than the lockdown. */
export const lateConstructors: readonly Road[] = roads('', globalThis, ['WebSocket', 'EventSource']).map((road) => ({
  ...road,
  name: road.key,
}))

/** Somebody may have read them before. */
export function isHttpLoaded(): boolean {
  const { moduleLoadList } = process as unknown as { readonly moduleLoadList: readonly string[] }
  return moduleLoadList.includes('NativeModule internal/deps/undici/undici')
}

/** Modules that cannot be loaded: other ways to the same, and tools to look into the process. */
export const closedModules: ReadonlySet<string> = new Set(
  ['cluster', 'ffi', 'inspector', 'inspector/promises', 'quic', 'repl', 'test', 'trace_events', 'wasi'].map(
    (name) => `node:${name}`,
  ),
)

/** Those that somebody was given leave for. */
export const connectRoad: Road = { name: 'net.Socket.connect', holder: net.Socket.prototype, key: 'connect' }
export const listenRoad: Road = { name: 'net.Server.listen', holder: net.Server.prototype, key: 'listen' }
export const spawnRoad: Road = {
  name: 'child_process.spawn',
  holder: childProcess.ChildProcess.prototype,
  key: 'spawn',
}
/** Those that do not come by `spawnRoad`. */
export const spawnSyncRoads: readonly Road[] = roads('child_process', processModule, [
  'spawnSync',
  'execSync',
  'execFileSync',
])
/** What a report leaves out, also one that a signal or an error asks for: names of who is connected. */
export const reportRoad: Road = { name: 'process.report.excludeNetwork', holder: process.report, key: 'excludeNetwork' }
export const addonRoad: Road = { name: 'process.dlopen', holder: process, key: 'dlopen' }
export const builtinRoad: Road = { name: 'process.getBuiltinModule', holder: process, key: 'getBuiltinModule' }
export const lookupRoads: readonly Road[] = [
  { name: 'dns.lookup', holder: dnsModule, key: 'lookup' },
  { name: 'dns.promises.lookup', holder: dnsModule.promises, key: 'lookup' },
]
