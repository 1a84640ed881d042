/** The installed Chromium as a dialer, for real: exchanges of the site's own page, and nothing else that goes out. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import test from 'ava'
import type { SottoError } from '#protocol/errors.ts'
import type { TestGateway } from '../../fixtures/gateway.ts'
import { HOST, LARGE, startGateway } from '../../fixtures/gateway.ts'
import { startSocksProxy } from '../../fixtures/proxies.ts'
import { makeCertificates, startSite } from '../../fixtures/site.ts'
import { temporaryFolder } from '../../fixtures/temporary.ts'
import type { ExchangeOptions, ExchangeRequest } from '../../permit.ts'
import type { DialEvent, Dialer, DialTarget } from '../dialer.ts'
import { systemRoute } from '../route.ts'
import { installedDialer } from './installed.ts'
import { findBrowser, removeProfiles } from './program.ts'

let gateway: TestGateway
let folder: string
let dialer: Dialer
const dials: DialEvent[] = []
const refusals: string[] = []

const route = systemRoute({
  resolve: async (host) => {
    throw new Error(`the resolver was asked for ${host}`)
  },
})

test.before(async () => {
  gateway = await startGateway()
  folder = await mkdtemp(join(tmpdir(), 'sotto-test-'))
  dialer = await makeDialer()
  dialer.onDial((event) => dials.push(event))
  dialer.onRefusal?.((reason, endpoint) => refusals.push(`${endpoint} ${reason}`))
})
test.after.always(async () => {
  await dialer.close()
  await gateway.close()
  await rm(folder, { recursive: true, force: true })
})

async function makeDialer(): Promise<Dialer> {
  const browser = await findBrowser(undefined, process.env)
  return installedDialer({ browser, folder, route, stallMs: 1_500 })
}

const target = (change: Partial<DialTarget> = {}): DialTarget => ({
  ...{ id: 'e1', name: 'Test', host: HOST, port: gateway.site.port },
  ...{ addresses: ['127.0.0.1'], certificate: gateway.certificates.pin, ...change },
})
const send = (request: Partial<ExchangeRequest>, options: Partial<ExchangeOptions> = {}, to = target(), by = dialer) =>
  by.exchange(
    to,
    { method: 'GET', target: '/', headers: [], body: undefined, ...request },
    { family: 'chromium', timeoutMs: 60_000, ...options },
  )
const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'fine',
    (error: SottoError) => error.code,
  )

test.serial(
  'an exchange is one of the page: a browser’s headers, the template’s own among them, and no word of headless',
  async (t) => {
    const origin = `https://${HOST}:${gateway.site.port}`
    const headers: [string, string][] = [
      ['Host', `${HOST}:${gateway.site.port}`],
      ['User-Agent', 'what the template hopes for'],
      ['accept', 'application/json'],
      ['content-type', 'application/json'],
      ['x-token', 'abc'],
      ['Origin', origin],
      ['Sec-Fetch-Mode', 'cors'],
      ['Referer', `${origin}/help`],
    ]
    const answer = await send({ method: 'POST', target: '/a?b=%20', headers, body: Buffer.from('hello') })
    t.is(answer.status, 200)
    t.true(answer.headers.some(([name, value]) => name === 'x-mixed' && value === 'Case'))
    const { method, target: path, fields, octets } = JSON.parse(Buffer.from(answer.body).toString())
    t.deepEqual([method, path, octets], ['POST', '/a?b=%20', 5])
    const seen = new Map<string, string>()
    for (let i = 0; i < fields.length; i += 2) seen.set(fields[i].toLowerCase(), fields[i + 1])
    t.like(Object.fromEntries(seen), {
      ...{
        accept: 'application/json',
        'x-token': 'abc',
        origin,
        referer: `${origin}/help`,
        'sec-fetch-site': 'same-origin',
      },
    } as object)
    t.regex(seen.get('user-agent')!, /Chrome\/\d+\.0\.0\.0 Safari/)
    t.regex(seen.get('sec-ch-ua')!, /Chromium/)
    t.false(gateway.requests.some(({ fields: all }) => /headless/i.test(all.join('\n'))))
    t.is(gateway.requests[0]!.line, 'GET /', 'the page comes first')
    t.true(dials.length > 0 && dials.every(({ code }) => code === undefined))
  },
)

test.serial(
  'bodies as octets, both ways; answers of unknown length; one connection for one after the other',
  async (t) => {
    const before = gateway.site.connections()
    for (const path of ['/large', '/chunked', '/large'])
      t.is(Buffer.compare((await send({ target: path })).body, LARGE), 0)
    const { body } = await send({ method: 'POST', target: '/x', body: LARGE })
    t.is(JSON.parse(Buffer.from(body).toString()).octets, LARGE.length)
    t.true(gateway.site.connections() - before <= 1)
  },
)

test.serial('what was answered once is asked for again', async (t) => {
  let asked = 0
  const site = await startSite(gateway.certificates, (_, response) => {
    asked++
    response.setHeader('cache-control', 'max-age=1000')
    response.end(String(asked))
  })
  t.teardown(() => site.close())
  const to = target({ id: 'cached', port: site.port })
  const [first, second] = [await send({ target: '/x' }, {}, to), await send({ target: '/x' }, {}, to)]
  t.notDeepEqual(first.body, second.body)
  await dialer.forget('cached')
})

test.serial('redirects are answers; what goes wrong has its code; the next exchange works', async (t) => {
  const redirect = await send({ target: '/redirect' })
  t.is(redirect.status, 302)
  t.true(redirect.headers.some(([name, value]) => /^location$/i.test(name) && value === 'https://elsewhere.test/'))
  const codes = {
    '/huge': 'E_PATH_ANSWER',
    '/huge-chunked': 'E_PATH_ANSWER',
    '/stall': 'E_PATH_TIMEOUT',
    '/reset': 'E_PATH_RESET',
    '/reset-in-body': 'E_PATH_RESET',
    '/truncated': 'E_PATH_RESET',
    '/not-http': 'E_PATH_ANSWER',
  }
  for (const [path, code] of Object.entries(codes)) {
    t.is(await codeOf(send({ target: path })), code, path)
    t.is((await send({ target: '/x' })).status, 200, `after ${path}`)
  }
})

test.serial('given up before it began and on the way; time runs out', async (t) => {
  t.is(await codeOf(send({}, { signal: AbortSignal.abort() })), 'E_PATH_CLOSED')
  const controller = new AbortController()
  const parked = codeOf(send({ target: '/silent' }, { signal: controller.signal }))
  const others = await Promise.all([send({ target: '/a' }), send({ target: '/b' })])
  t.deepEqual(
    others.map(({ status }) => status),
    [200, 200],
  )
  controller.abort()
  t.is(await parked, 'E_PATH_CLOSED')
  t.is(await codeOf(send({ target: '/silent' }, { timeoutMs: 200 })), 'E_PATH_TIMEOUT')
  t.is((await send({ target: '/x' }, { fresh: true })).status, 200)
})

test.serial('requests that no page can make are refused, not bent', async (t) => {
  const before = gateway.requests.length
  for (const headers of [
    [['Cookie', 'a=b']],
    [['Sec-Own', 'x']],
    [['Origin', 'https://x']],
    [['Referer', 'https://x/']],
  ])
    t.is(await codeOf(send({ headers: headers as [string, string][] })), 'E_FIREWALL_REFUSED', String(headers))
  const front = { name: 'Test', host: 'front.test', port: 1, addresses: ['127.0.0.1'], certificate: undefined }
  t.is(await codeOf(send({}, {}, target({ id: 'fronted', front }))), 'E_FIREWALL_REFUSED')
  t.is(gateway.requests.length, before)
  t.true(refusals.includes('e1 beyond-a-page'))
})

test.serial('the browser’s own wishes, and the page’s for other places, are refused and counted', async (t) => {
  const site = await startSite(gateway.certificates, (_, response) => {
    response.setHeader('content-type', 'text/html')
    response.end('<!doctype html><img src="https://elsewhere.test/a.png"><img src="http://127.0.0.1:9/b.png">')
  })
  t.teardown(() => site.close())
  t.is((await send({ target: '/x' }, {}, target({ id: 'curious', port: site.port }))).status, 200)
  t.true(refusals.filter((line) => line === 'curious browser-request').length >= 2)
  t.false(refusals.some((line) => line.startsWith('e1') && line.includes('elsewhere')))
  await dialer.forget('curious')
})

test.serial('a certificate that is not the pinned one, at once and later, with the same key', async (t) => {
  const wrong = gateway.certificates.pin.map((octet) => octet ^ 1)
  t.is(await codeOf(send({}, {}, target({ id: 'wrong', certificate: wrong }))), 'E_PATH_TLS')
  t.is(await codeOf(send({}, {}, target({ id: 'unpinned', certificate: undefined }))), 'E_PATH_TLS', 'no authority')
  for (const id of ['wrong', 'unpinned']) await dialer.forget(id)
  const other = await makeCertificates('other.test')
  const site = await startSite(gateway.certificates, (_, response) => response.end('x'))
  t.teardown(() => site.close())
  const to = target({ id: 'changed', port: site.port })
  t.is((await send({ target: '/x' }, {}, to)).status, 200)
  site.server.setSecureContext({ cert: other.certificate, key: other.privateKey })
  t.is(await codeOf(send({ target: '/x' }, { fresh: true }, to)), 'E_PATH_TLS')
  await dialer.forget('changed')
})

test.serial('a browser that dies is an error of the path, and the next one is another', async (t) => {
  const parked = codeOf(send({ target: '/silent' }))
  await send({ target: '/x' })
  const pid = await browserPid()
  process.kill(pid, 'SIGKILL')
  t.is(await parked, 'E_PATH_RESET')
  t.is((await send({ target: '/x' })).status, 200)
  t.not(await browserPid(), pid)
})

test.serial('through a proxy, as any dialer', async (t) => {
  const proxy = await startSocksProxy({ places: { [HOST]: '127.0.0.1' } })
  t.teardown(() => proxy.close())
  const via = {
    id: 'p',
    kind: 'socks5',
    name: 'proxy',
    host: '127.0.0.1',
    addresses: [],
    certificate: undefined,
  } as const
  const to = target({ id: 'proxied', addresses: [], proxy: { ...via, port: proxy.port } })
  t.is((await send({ target: '/x' }, {}, to)).status, 200)
  t.deepEqual(new Set(proxy.asked), new Set([`${HOST}:${gateway.site.port}`]))
  await proxy.close()
  t.is(await codeOf(send({ target: '/x' }, { fresh: true }, to)), 'E_PROXY_UNREACHABLE')
  await dialer.forget('proxied')
})

test.serial('closing ends the browsers, what is under way, and their profiles', async (t) => {
  const parked = codeOf(send({ target: '/silent' }))
  await send({ target: '/x' })
  const pid = await browserPid()
  await dialer.close()
  t.is(await parked, 'E_PATH_CLOSED')
  t.throws(() => process.kill(pid, 0), { code: 'ESRCH' })
  t.deepEqual(await readdir(folder), [])
})

test('a browser that is not there, or is something else', async (t) => {
  await t.throwsAsync(findBrowser('/nowhere', process.env), { code: 'E_BROWSER_MISSING' })
  await t.throwsAsync(findBrowser(undefined, { PATH: '/nowhere' }), { code: 'E_BROWSER_MISSING' })
  await t.throwsAsync(findBrowser('/bin/true', process.env), { code: 'E_BROWSER_FAILED' })
  await t.throwsAsync(findBrowser('/bin/false', process.env), { code: 'E_BROWSER_FAILED' })
})

test('a broker that is killed leaves no browser behind', async (t) => {
  const own = await temporaryFolder(t)
  const program = join(import.meta.dirname, '..', '..', 'fixtures', 'browsing.ts')
  const pin = Buffer.from(gateway.certificates.pin).toString('hex')
  const argv = [program, own, HOST, String(gateway.site.port), pin]
  const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => void child.kill('SIGKILL'))
  t.is(String((await once(child.stdout, 'data'))[0]), 'visited\n')
  const pid = await browserPid(own)
  child.kill('SIGKILL')
  await t.notThrowsAsync(gone(pid))
  // The next run removes what that one could not.
  t.is((await readdir(own)).length, 1)
  await removeProfiles(own)
  t.is((await readdir(own)).length, 0)
})

/** Resolves once no process has this number. */
async function gone(pid: number): Promise<void> {
  for (;;) {
    try {
      process.kill(pid, 0)
    } catch {
      return
    }
    await setTimeout(50)
  }
}

/** Of the browser whose profile lies in the folder. */
async function browserPid(of = folder): Promise<number> {
  const [profile] = (await readdir(of)).filter((name) => name.startsWith('browser-'))
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
    const args = line.split('\0')
    if (args.includes(`--user-data-dir=${join(of, profile!)}`) && !line.includes('--type=')) return Number(pid)
  }
  throw new Error('no browser runs')
}
