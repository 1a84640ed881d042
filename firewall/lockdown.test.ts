/** A real core process that turned hostile: what it tries fails, what it may do works, and no secret reaches it. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { text } from 'node:stream/consumers'
import { pathToFileURL } from 'node:url'
import type { ExecutionContext } from 'ava'
import test from 'ava'
import { randomBytes } from '#protocol/crypto/random.ts'
import { deriveCohort } from '#protocol/recognition.ts'
import { serveBroker } from './broker.ts'
import { coreArguments, coreEnvironment } from './core-process.ts'
import { tlsConnector } from './dialers/tls-connector.ts'
import { undiciDialer } from './dialers/undici.ts'
import type { TestGateway } from './fixtures/gateway.ts'
import { startGateway } from './fixtures/gateway.ts'
import { preparedFolder } from './fixtures/prepared.ts'
import { temporaryFolder } from './fixtures/temporary.ts'
import { openBroker } from './library.ts'
import { Vault } from './vault.ts'

/** Runs a core of `fixtures/` against `gateway`, and keeps every octet that crossed the pipe. */
async function runCore(name: string, gateway: TestGateway, args: readonly string[], state: string, prepared?: string) {
  const [core, firewall] = [join(state, 'core'), join(state, 'firewall')]
  await mkdir(core, { recursive: true })
  const dialer = undiciDialer({ connector: tlsConnector() })
  const broker = await openBroker({ folder: firewall, dialers: [dialer], now: Date.now, random: randomBytes })
  await broker.admitInvite(gateway.link)
  const entry = prepared === undefined ? join(import.meta.dirname, 'fixtures', name) : join(prepared, 'core.cjs')
  const plain = coreArguments({ entry, root: join(import.meta.dirname, '..'), state, core, args })
  const confine = prepared && `--import=${pathToFileURL(join(prepared, 'confine.cjs'))}`
  const argv = plain.map((arg) => (confine !== undefined && arg.startsWith('--import=') ? confine : arg))
  const child = spawn(process.execPath, argv, {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    env: coreEnvironment(process.env, core),
  })
  const crossed: Uint8Array[] = []
  serveBroker(broker, tapped(child.stdio[3] as Duplex, crossed), () => {})
  const [out, err, [code, signal]] = await Promise.all([text(child.stdout!), text(child.stderr!), once(child, 'exit')])
  await broker.close()
  return { out, err, code: code as number | null, signal: signal as string | null, crossed: Buffer.concat(crossed) }
}

function tapped(socket: Duplex, octets: Uint8Array[]): Duplex {
  const write = socket.write.bind(socket) as (chunk: Uint8Array) => boolean
  socket.write = (chunk: Uint8Array) => {
    octets.push(chunk.slice())
    return write(chunk)
  }
  socket.on('data', (chunk: Uint8Array) => octets.push(chunk.slice()))
  return socket
}

/** A listener that nobody may reach, and the ways it was reached. */
async function trap(t: ExecutionContext): Promise<{ port: number; caught: () => number }> {
  let caught = 0
  const server = createServer((socket) => {
    caught++
    socket.destroy()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(async () => void server.close())
  return { port: (server.address() as AddressInfo).port, caught: () => caught }
}

interface Line {
  readonly group: string
  readonly name: string
  readonly outcome: string
  readonly status: number
}

/** What each attempt ends with, where it is not the permission model's or our own ERR_ACCESS_DENIED. */
const otherwise: Readonly<Record<string, RegExp>> = {
  // Its error event keeps the reason to itself; that nothing arrived, the trap says.
  WebSocket: /^TypeError$/,
  'an add-on': /^(MODULE_NOT_FOUND|ERR_ACCESS_DENIED)$/,
  'running a module outside': /^(ERR_MODULE_NOT_FOUND|ERR_ACCESS_DENIED)$/,
  // Node freezes its paths where it judges by them.
  'another path.resolve': /^TypeError/,
  'a database that takes extensions': /^ERR_LOAD_SQLITE_EXTENSION$/,
  'an engine of OpenSSL': /^ERR_CRYPTO_CUSTOM_ENGINE_NOT_SUPPORTED$/,
  ATTACH: /^ERR_SQLITE_ERROR$/,
  'ATTACH of an expression': /^ERR_SQLITE_ERROR$/,
  'ATTACH after opening again': /^ERR_SQLITE_ERROR$/,
  'VACUUM INTO': /^ERR_SQLITE_ERROR$/,
}

test('a hostile core reaches nothing, while its exchanges go on', (t) => reachesNothing(t))

test('the same where the program is prepared', async (t) => {
  t.timeout(600_000)
  const [confine, core] = ['firewall/confine.ts', 'firewall/fixtures/escaping-core.ts']
  const starts = { confine: ['core', confine], core: ['core', core] } as const
  await reachesNothing(t, await preparedFolder(t, { core: [confine, core] }, starts))
})

async function reachesNothing(t: ExecutionContext, prepared?: string): Promise<void> {
  const gateway = await startGateway()
  t.teardown(() => gateway.close())
  const { port, caught } = await trap(t)
  const state = await temporaryFolder(t)
  await mkdir(join(state, 'firewall'))
  await writeFile(join(state, 'firewall', 'module.mjs'), '')
  const args = [String(port), join(state, 'firewall', 'vault.key'), String(process.pid)]
  const { out, err, code } = await runCore('escaping-core.ts', gateway, args, state, prepared)
  t.is(code, 0, err)
  const lines: Line[] = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  t.true(lines.length > 75, 'all of it was tried')
  for (const { group, name, outcome, status } of lines) {
    t.is(status, 200, `the exchange during «${name}»`)
    if (group === 'allowed') t.is(outcome, 'done', name)
    else t.regex(outcome, otherwise[name] ?? /^ERR_ACCESS_DENIED$/, name)
  }
  t.is(caught(), 0)
  t.is(gateway.requests.length, lines.length)
  const left = ['audit.log', 'lock', 'meter', 'module.mjs', 'vault', 'vault.key']
  t.deepEqual((await readdir(join(state, 'firewall'))).sort(), left)
  t.deepEqual((await readdir(state)).sort(), ['core', 'firewall'])
}

test('V8’s own flags cannot be changed by the core, which could write files with them', async (t) => {
  const gateway = await startGateway()
  t.teardown(() => gateway.close())
  const state = await temporaryFolder(t)
  const { signal, code, out } = await runCore('flag-core.ts', gateway, [state], state)
  t.is(out, '', 'it did not come through')
  t.true(signal !== null || code !== 0)
  t.deepEqual((await readdir(state)).sort(), ['core', 'firewall'])
})

/** How octets could stand in other octets: as they are, in hexadecimal, in base64 at each of three offsets. */
function spellings(secret: Uint8Array): Buffer[] {
  const bytes = Buffer.from(secret)
  const offsets = [0, 1, 2].flatMap((offset) => {
    const padded = Buffer.concat([Buffer.alloc(offset), bytes])
    const [standard, url] = [padded.toString('base64'), padded.toString('base64url')]
    return [standard, url].map((line) => Buffer.from(line.slice(4, 4 + Math.floor((bytes.length - 4) / 3) * 4)))
  })
  return [bytes, Buffer.from(bytes.toString('hex')), ...offsets]
}

test('no secret of a permit crosses the pipe', async (t) => {
  const gateway = await startGateway()
  t.teardown(() => gateway.close())
  const state = await temporaryFolder(t)
  const { out, err, crossed } = await runCore('member-core.ts', gateway, [], state)
  t.deepEqual(JSON.parse(out), { contacts: 2, rekeyed: true, large: 262_144 }, err)
  t.deepEqual(
    gateway.claims.map(({ kind }) => kind),
    ['redeem', 'credential'],
  )
  t.true(crossed.length > 262_144)
  t.true(crossed.includes('gateway.test'), 'the tap works')
  const vault = await Vault.open(join(state, 'firewall'), randomBytes)
  const { credential } = [...vault.endpoints.values()][0]!
  const cohort = deriveCohort(gateway.cohort)
  const vaultKey = await readFile(join(state, 'firewall', 'vault.key'))
  const secrets = {
    ...{
      'pinned key': gateway.key,
      cohort: gateway.cohort,
      code: gateway.code,
      'certificate pin': gateway.certificates.pin,
    },
    ...{ 'credential id': credential.id, 'credential key': credential.key, 'vault key': vaultKey },
    ...{ psk: cohort.psk, 'token key': cohort.token, 'request key': cohort.request, 'answer key': cohort.answer },
  }
  for (const [name, secret] of Object.entries(secrets)) {
    for (const spelling of spellings(secret)) t.false(crossed.includes(spelling), name)
  }
})
