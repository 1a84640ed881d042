/**
 * Runs within the namespace. `open`: every attempt with nothing that guards. `measured`: a conversation of two members, and
 * meanwhile every attempt in each place. Prints lines of JSON.
 */
import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { Server, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { Certificates, Site } from '#firewall/fixtures/site.ts'
import { makeCertificates, startSite } from '#firewall/fixtures/site.ts'
import { boundCommand, layersHere } from '#firewall/kernel/confined.ts'
import { serveGate } from '#firewall/kernel/gate.ts'
import { GateList } from '#firewall/kernel/gate-list.ts'
import { type Report, readReports } from '#firewall/kernel/reports.ts'
import { SocketPairs } from '#firewall/socket-pairs.ts'
import { systemBroker } from '#firewall/system-broker.ts'
import { systemWay } from '#firewall/way-out.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import { encodeInvite } from '#protocol/invite.ts'
import { openGround } from '../middlebox/ground.ts'
import { processMember } from '../middlebox/member.ts'
import { answers, pathOf } from './answers.ts'
import { environment } from './environment.ts'
import type { Place, TriedLine } from './lines.ts'
import { plant } from './planted.ts'

const HOST = 'gateway.test'
/** Descriptor for what the supervisor of the filter tells. */
const REPORT = 5
const here = (name: string): string => join(import.meta.dirname, name)
const folder = mkdtempSync(join(tmpdir(), 'sotto-leaks-'))
const say = (value: object): void => void process.stdout.write(`${JSON.stringify(value)}\n`)
const own = (name: string): string => {
  const path = join(folder, name)
  mkdirSync(path, { recursive: true, mode: 0o700 })
  return path
}

try {
  if (process.argv[2] === 'open') await ended(node([here('open.ts'), own('open')], { PATIENCE_MS: '700' }))
  else if (process.argv[2] === 'below') await belowLockdown()
  else await measured(process.argv.includes('quick'))
} finally {
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
}

/** What the lockdown cannot stop, in a process that it has locked. */
async function belowLockdown(): Promise<void> {
  const certificates = await makeCertificates(HOST)
  const site = await startSite(certificates, (_, response) => void response.end('fine'))
  say({ ports: [site.port] })
  await ended(
    node([here('broker.ts'), own('broker')], { LINK: inviteTo(site, certificates), BELOW: '1', PATIENCE_MS: '700' }),
  )
  await site.close()
}

async function measured(quick: boolean): Promise<void> {
  const certificates = await makeCertificates(HOST)
  const site = await startSite(certificates, (request, response) => {
    const index = Object.keys(answers).findIndex((_, at) => pathOf(at) === request.url)
    const answer = Object.values(answers)[index]
    if (answer === undefined) response.end('fine')
    else answer(response, request)
  })
  const link = (): string => inviteTo(site, certificates)
  const ground = quick ? undefined : await openGround()
  say({ ports: [site.port, ...(ground === undefined ? [] : [ground.gateway.port])] })
  const talk = ground === undefined ? undefined : await startTalk(ground)
  await ended(node([here('launch-core.ts'), here('core.ts'), '--state', own('core')], { LINK: link() }))
  await ended(node([here('broker.ts'), own('broker')], { LINK: link() }))
  await kernel(link())
  await hostileAnswers(link())
  await environments(link)
  if (ground !== undefined) await dependency(ground.invite())
  say({ talk: await talk?.end() })
  await ground?.close()
  await site.close()
}

function node(argv: readonly string[], env: NodeJS.ProcessEnv): ChildProcess {
  return spawn(process.execPath, ['--no-warnings', ...argv], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, ...env },
  })
}

async function ended(child: ChildProcess): Promise<void> {
  const [code, signal] = await once(child, 'exit')
  if (code !== 0) throw new Error(`${child.spawnargs.slice(1, 4).join(' ')} ended with ${code ?? signal}`)
}

function inviteTo(site: Site, certificates: Certificates): string {
  const gateway = {
    host: HOST,
    port: site.port,
    addresses: ['127.0.0.1'],
    key: randomBytes(32),
    cohort: randomBytes(32),
  }
  return encodeInvite({
    ...{ name: 'Test', gateways: [{ ...gateway, tls: certificates.pin }], code: randomBytes(16), template: 'plain' },
    ...{ expires: 4_000_000_000, root: randomBytes(32) },
  })
}

/** A process that only the kernel binds, with this one as its gate. */
async function kernel(link: string): Promise<void> {
  const state = own('kernel')
  const leave = { starting: <T>(start: () => T): T => start() }
  const layers = layersHere(leave)
  say({ layers })
  const broker = await systemBroker(state)
  await broker.admitInvite(link)
  const list = new GateList(broker.targets())
  await broker.close()
  const plan = {
    ...{
      filter: layers.filter,
      landlock: true,
      noSockets: !layers.namespace,
      writable: [state, '/dev/null'],
      fds: [3],
    },
    ...(layers.namespace && { report: REPORT }),
    env: { NODE_CHANNEL_FD: '3', NODE_CHANNEL_SERIALIZATION_MODE: 'json' },
  }
  const argv = [process.execPath, '--no-warnings', here('bound.ts'), state]
  const [command, ...rest] = boundCommand(layers, plan, argv)
  const child = spawn(command!, rest, { stdio: ['ignore', 'pipe', 'inherit', 'ipc', 'ignore', 'pipe'] })
  const reports: Report[] = []
  const lost = (): never => {
    throw new Error('the supervisor of the filter has ended')
  }
  const reported = readReports(child, REPORT, { told: (report) => reports.push(report), lost })
  const pairs = new SocketPairs(Socket.prototype.connect as never, Server.prototype.listen as never)
  serveGate(child, {
    ...{ list, beginning: { link }, refused: (what) => console.error(`the gate refused: ${what}`) },
    leave: { ...leave, way: systemWay, pair: () => pairs.make(), listen: async () => {}, onAttempt: () => {} },
  })
  const [out] = await Promise.all([text(child.stdout!), ended(child), reported])
  for (const line of out.split('\n').filter((each) => each.startsWith('{'))) {
    const tried: TriedLine = JSON.parse(line)
    if (!('told' in tried)) say(tried)
    else say({ ...tried, told: tried.told + reports.filter(({ at }) => at >= tried.from && at <= tried.to).length })
  }
}

interface ClientLine {
  readonly answer: string
  readonly from: number
  readonly to: number
}

async function asked(state: string, env: NodeJS.ProcessEnv): Promise<ClientLine[]> {
  const child = spawn(process.execPath, ['--no-warnings', here('client.ts'), state], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  })
  const [out] = await Promise.all([text(child.stdout), ended(child)])
  return out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
}

/** Refused: it came back as it is, or as an error, and nobody followed it. What leaves, the capture sees. */
async function hostileAnswers(link: string): Promise<void> {
  const lines = await asked(own('answers'), {
    LINK: link,
    PATHS: JSON.stringify(Object.keys(answers).map((_, at) => pathOf(at))),
  })
  for (const [at, name] of Object.keys(answers).entries()) tell('answers', 'answers', name, lines[at]!, true)
}

/** Refused: the exchange went straight to its endpoint, or to nobody. */
async function environments(link: () => string): Promise<void> {
  for (const [index, [name, env]] of Object.entries(environment).entries()) {
    const [line] = await asked(own(`environment-${index}`), { ...env, LINK: link(), PATHS: '["/"]' })
    tell('environment', 'environment', name, line!, line!.answer === '200')
  }
}

function tell(place: Place, family: string, name: string, { answer, from, to }: ClientLine, refused: boolean): void {
  const line: TriedLine = { place, family, name, refused, outcome: answer, told: 0, from, to }
  say(line)
}

/** The program with a bad package in it, joining. */
async function dependency(link: string): Promise<void> {
  const state = own('dependency')
  const child = spawn(process.execPath, [plant(own('planted')), 'join', '--name', 'Near', '--state', state], {
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  child.stdin.end(link)
  const [err] = await Promise.all([text(child.stderr), text(child.stdout), ended(child)])
  const log = readFileSync(join(state, 'firewall', 'audit.log'), 'utf8')
  const events = { broker: 'closed-road', core: 'core-denied' } as const
  for (const [half, reason] of Object.entries(events)) {
    let told = log.split('\n').filter((line) => line.includes(`"${reason}"`)).length
    const lines = err.split('\n').filter((line) => line.startsWith('{') && line.includes(`"half":"${half}"`))
    for (const { name, outcome, from, to } of lines.map((line) => JSON.parse(line))) {
      const refused = outcome !== 'got out'
      say({ place: 'dependency', family: `in the ${half}`, name, refused, outcome, told: told-- > 0 ? 1 : 0, from, to })
    }
  }
}

/** Two members, one of them confined, who write to each other until they are stopped. */
async function startTalk(ground: Awaited<ReturnType<typeof openGround>>) {
  const place = (name: string, flags: readonly string[]) => ({
    folder: own('talk'),
    name,
    link: ground.invite(),
    flags,
  })
  const [near, far] = await Promise.all([processMember(place('near', ['--confine'])), processMember(place('far', []))])
  const heard = new Map<string, number>()
  let said = 0
  for (const member of [near, far]) {
    member.onText = (what) => heard.set(what, (heard.get(what) ?? 0) + 1)
  }
  near.add(await far.card())
  far.add(await near.card())
  await Promise.all([near.met, far.met])
  const timer = setInterval(() => {
    for (const [member, name] of [
      [near, 'near'],
      [far, 'far'],
    ] as const)
      member.send(`${name} ${said++}`)
  }, 1_000)
  return {
    end: async () => {
      clearInterval(timer)
      const deadline = Date.now() + 60_000
      while (heard.size < said && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 100))
      await Promise.all([near.close(), far.close()])
      const twice = [...heard.values()].filter((times) => times > 1).length
      return { said, lost: said - heard.size, twice }
    },
  }
}
