/**
 * A gateway behind a real nginx and a real Caddy that serve the website themselves, with the files that `gateway init`
 * has written: members talk, and everybody else sees that web server and nothing but that web server.
 */
import { createHash } from 'node:crypto'
import { readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { connect, createServer as createTcpServer } from 'node:net'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { freePort, reachable } from '../scripts/bench/ports.ts'
import { jsonLines, member, type Owner, operator, temporaryFolder } from './helpers/command.ts'
import { pairOf, startedGateway, succeed } from './helpers/command-gateway.ts'
import { hasCaddy, startCaddy } from './helpers/front-caddy.ts'
import { exchangeH2 } from './helpers/front-h2.ts'
import { hasNginx, mainText, runNginx } from './helpers/front-nginx.ts'
import { exchangeRaw } from './helpers/front-raw.ts'
import { type Stranger, strangers, templateRequests, withBody } from './helpers/strangers.ts'
import { issueCertificate } from './helpers/test-ca.ts'

type Kind = 'nginx' | 'caddy'

/** The same website at two ports: with the gateway behind it, and without. */
interface Twins {
  readonly port: number
  readonly plain: number
}

/** Starts the web server with the website as `gateway init` wrote it, and its twin: the same text without the gateway. */
async function startTwins(t: Owner, kind: Kind, etc: string, folder: string, port: number): Promise<Twins> {
  const plain = await freePort()
  if (kind === 'nginx') await startNginxTwins(t, etc, folder, port, plain)
  else await startCaddyTwins(t, etc, folder, port, plain)
  await Promise.all([reachable(port), reachable(plain)])
  return { port, plain }
}

async function startNginxTwins(t: Owner, etc: string, folder: string, port: number, plain: number): Promise<void> {
  const written = await readFile(join(etc, 'nginx/sites-available/sotto-gateway'), 'utf8')
  const site = written
    .replaceAll(/^ +listen \[::\].*\n/gm, '')
    .replace('listen 80;', `listen 127.0.0.1:${await freePort()};`)
  const twin = site
    .slice(site.lastIndexOf('server {'))
    .replace(/^ +include snippets.*\n/m, '')
    .replace(`listen ${port} `, `listen ${plain} `)
  await runNginx(t, join(etc, 'nginx'), mainText(folder, `lingering_timeout 1s;\n${site}\n${twin}`))
}

async function startCaddyTwins(t: Owner, etc: string, folder: string, port: number, plain: number): Promise<void> {
  const read = (name: string): Promise<string> => readFile(join(etc, 'caddy', name), 'utf8')
  const site = await read('sotto-gateway-site.caddy')
  const twin = site.replace(`localhost:${port} {`, `localhost:${plain} {`).replace(/^\s+import sotto\n/m, '')
  await startCaddy(t, folder, [await read('sotto-gateway.caddy'), site, twin].join('\n'))
}

async function same(t: ExecutionContext, { port, plain }: Twins, [name, request]: Stranger): Promise<void> {
  const octets = Buffer.from(request, 'latin1')
  const [seen, expected] = await Promise.all([exchangeRaw(port, octets), exchangeRaw(plain, octets)])
  t.regex(expected, /^HTTP\/1\.[01] \d\d\d /, name)
  equal(t, name, seen, expected)
}

async function sameH2(t: ExecutionContext, { port, plain }: Twins, [name, request]: Stranger): Promise<void> {
  const [seen, expected] = await Promise.all([exchangeH2(port, request), exchangeH2(plain, request)])
  t.regex(expected, /^\{":status":\d\d\d/, name)
  equal(t, `${name}, HTTP/2`, seen, expected)
}

function equal(t: ExecutionContext, name: string, seen: string, expected: string): void {
  if (seen === expected) return
  // Short where they differ: the first place.
  const at = [...expected].findIndex((character, i) => character !== seen[i])
  t.fail(`${name}: ${JSON.stringify(seen.slice(0, at + 80))}\n not ${JSON.stringify(expected.slice(0, at + 80))}`)
}

async function sameAll(t: ExecutionContext, twins: Twins, requests: readonly Stranger[], where: string): Promise<void> {
  await Promise.all(requests.map(([name, request]) => same(t, twins, [`${where}: ${name}`, request])))
  await Promise.all(templateRequests().map(([name, request]) => sameH2(t, twins, [`${where}: ${name}`, request])))
}

/** An application that tells what it was asked, a body's hash included. */
async function startApplication(t: Owner): Promise<string> {
  // Longer than Caddy keeps connections: one that ends as a request is on its way is a 502, whoever stands in front.
  // Nor does it refuse what is long: it would close while the front still writes, and the front says one thing or another then.
  const server = createServer({ keepAliveTimeout: 600_000, maxHeaderSize: 1_048_576 }, (request, response) => {
    const hash = createHash('sha256')
    let length = 0
    request.on('data', (chunk: Buffer) => {
      hash.update(chunk)
      length += chunk.length
    })
    request.on('end', () => {
      // How the one who asks keeps its connection is its own affair.
      const { connection: _, ...headers } = request.headers
      const { method, url } = request
      const said = { method, url, length, sha256: hash.digest('hex'), headers: Object.entries(headers).toSorted() }
      response.writeHead(method === 'GET' ? 203 : 401, { 'content-type': 'application/json', 'x-app': 'one' })
      response.end(JSON.stringify(said, (_, value) => (typeof value === 'string' ? value.replace(/:\d+$/, '') : value)))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const target = '/api/support/v1/attachments?t=k3j5h2k'
const bodies: readonly Stranger[] = [
  ['body to the application', withBody('POST', target, '{"a":1}', ['Content-Type: application/json'])],
  ['large body to the application', withBody('POST', target, 'x'.repeat(700_000), ['Content-Type: application/json'])],
  ['body of octets', withBody('POST', target, String.fromCharCode(...Array.from({ length: 256 }, (_, i) => i)))],
]
/** An application waits for a body that never comes for as long as it likes, with and without a gateway. */
const unending: readonly string[] = ['form whose body does not come', 'form beyond the limit']
const toApplication = [...strangers.filter(([name]) => !unending.includes(name)), ...bodies]

interface Place {
  readonly folder: string
  readonly socket: string
  readonly certificate: string
  readonly key: string
}

async function makePlace(t: Owner): Promise<Place> {
  const folder = await temporaryFolder(t)
  const { certificate, key } = await issueCertificate({ folder, domain: 'localhost' })
  return { folder, socket: join(folder, 'gateway.sock'), certificate, key }
}

/** Options of `gateway init` for a web server on `port`, with system files in `etc`. */
function frontOptions(place: Place, kind: Kind, port: number, etc: string, website: readonly string[]): string[] {
  return [
    ...['--front', kind, '--listen', `unix:${place.socket}`, '--port', String(port), '--etc', etc],
    ...['--certificate', place.certificate, '--key', place.key, ...website],
  ]
}

interface Switch {
  readonly port: number
  /** Port of the web server that members come to. */
  to: number
}

/** Members know a gateway by domain and port: behind this port, one web server can take another's place. */
async function startSwitch(t: Owner, to: number): Promise<Switch> {
  const sockets = new Set<Socket>()
  const server = createTcpServer((socket) => {
    const onward = connect(gate.to, '127.0.0.1')
    for (const [from, next] of [
      [socket, onward],
      [onward, socket],
    ] as const) {
      sockets.add(from)
      from.pipe(next)
      from.on('error', () => next.destroy())
      from.on('close', () => next.destroy())
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const gate = { port: (server.address() as AddressInfo).port, to }
  return gate
}

/** A web server of its own with files that `gateway init` wrote, for a gateway that runs already. */
async function anotherFront(t: Owner, place: Place, kind: Kind, website: readonly string[]): Promise<Twins> {
  const folder = await temporaryFolder(t)
  const [port, etc] = [await freePort(), join(folder, 'etc')]
  const options = frontOptions(place, kind, port, etc, website)
  const look = ['--template', 'beacon', 'support-chat', 'gallery']
  await succeed(
    operator(t, ['gateway', 'init', '--state', join(folder, 'state'), '--domain', 'localhost', ...options, ...look]),
  )
  return await startTwins(t, kind, etc, folder, port)
}

function skipped(t: ExecutionContext): boolean {
  const missing = [...(hasNginx() ? [] : ['nginx']), ...(hasCaddy() ? [] : ['caddy'])]
  if (missing.length > 0) t.log(`${missing.join(' and ')} is not installed here: nothing was tested`)
  return missing.length > 0
}

/** The doctor has nothing against this, but that the sample site has nothing on some paths. */
async function examined(t: ExecutionContext, state: string): Promise<void> {
  const { out, status } = await operator(t, ['gateway', 'doctor', '--state', state, '--json'])
  const findings = JSON.parse(out) as { id: string; level: string; what: string }[]
  t.deepEqual(
    findings.filter(({ level, id }) => level !== 'ok' && id !== 'paths'),
    [],
  )
  t.is(status, 0)
  const ids = [
    'modes',
    'disk',
    'gateway',
    'files',
    'hold',
    'front',
    'certificate',
    'tls',
    'http2',
    'clock',
    'paths',
    'parity',
    'headers',
    'cache',
    'body',
    'recognised',
  ]
  t.deepEqual(
    findings.map(({ id }) => id),
    ids,
  )
}

test('behind nginx and Caddy members talk, and strangers see what they see without Sotto', async (t) => {
  t.timeout(300_000)
  if (skipped(t)) {
    t.pass()
    return
  }
  const place = await makePlace(t)
  const website = ['--site', join(place.folder, 'www')]
  const [nginx, caddy] = [
    await anotherFront(t, place, 'nginx', website),
    await anotherFront(t, place, 'caddy', website),
  ]
  const gate = await startSwitch(t, nginx.port)
  const options = frontOptions(place, 'nginx', gate.port, join(place.folder, 'etc'), website)
  const gateway = await startedGateway(t, options)
  // An application behind nginx needs no other gateway: nginx asks it.
  const application = await anotherFront(t, place, 'nginx', ['--upstream', await startApplication(t)])
  const compare = async (word = ''): Promise<void> => {
    await Promise.all([
      sameAll(t, nginx, strangers, `nginx${word}`),
      sameAll(t, caddy, strangers, `caddy${word}`),
      sameAll(t, application, toApplication, `application behind nginx${word}`),
    ])
  }
  await compare()
  await examined(t, gateway.state)
  // The same website without our lines in it, as where somebody forgot to reload the web server: no stranger can tell.
  gate.to = nginx.plain
  const forgotten = await operator(t, ['gateway', 'doctor', '--state', gateway.state, '--json'])
  const failed = (JSON.parse(forgotten.out) as { id: string; level: string }[]).filter(({ level }) => level === 'fail')
  t.deepEqual(
    failed.map(({ id }) => id),
    ['recognised'],
  )
  t.is(forgotten.status, 1)
  gate.to = nginx.port
  t.is((await succeed(operator(t, ['invite', 'list', '--state', gateway.state]))).includes('doctor'), false)

  const [ada, ben] = await pairOf(t, gateway, ['Ada', 'Ben'])
  const send = (from: string, to: string, look: string): Promise<string> =>
    succeed(member(t, from, ['send', to, `looking like ${look}`, '--look', look]))
  const texts = async (state: string): Promise<unknown[]> =>
    jsonLines(await succeed(member(t, state, ['recv', '--json', '--look', 'gallery']))).map(({ text }) => text)
  for (const look of ['beacon', 'gallery', 'support-chat']) await send(ada, 'Ben', look)
  t.deepEqual(await texts(ben), ['looking like beacon', 'looking like gallery', 'looking like support-chat'])
  gate.to = caddy.port
  for (const look of ['gallery', 'support-chat']) await send(ben, 'Ada', look)
  t.deepEqual(await texts(ada), ['looking like gallery', 'looking like support-chat'])

  const looked = await member(t, ada, ['doctor', '--quick', '--json'])
  const findings = JSON.parse(looked.out) as { id: string; level: string; what: string }[]
  t.deepEqual(
    findings.filter(({ level, id }) => level !== 'ok' && id !== 'paths'),
    [],
  )
  t.deepEqual(
    findings.slice(-2).map(({ id }) => id),
    ['hold', 'repeats'],
  )

  // A gateway that is away is no reason for another answer. nginx does without it at once; for Caddy the socket must be
  // gone, and that is what systemd does with the folder of a service that has ended.
  await gateway.stop('SIGKILL')
  await sameAll(t, nginx, templateRequests(), 'nginx, with a dead gateway')
  await rm(place.socket)
  await compare(', without a gateway')
})

test('behind Caddy an application gets what strangers send on paths of templates, bodies included', async (t) => {
  if (skipped(t)) {
    t.pass()
    return
  }
  const place = await makePlace(t)
  const [port, etc] = [await freePort(), join(place.folder, 'etc')]
  const website = ['--upstream', await startApplication(t)]
  const gateway = await startedGateway(t, frontOptions(place, 'caddy', port, etc, website))
  const twins = await startTwins(t, 'caddy', etc, place.folder, port)
  await sameAll(t, twins, toApplication, 'application behind Caddy')
  await gateway.stop()
  await sameAll(t, twins, toApplication, 'application behind Caddy, without a gateway')
})
