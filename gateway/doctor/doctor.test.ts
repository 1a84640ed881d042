import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, unlinkSync, writeFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import { createSecureServer } from 'node:http2'
import { createServer as createHttps } from 'node:https'
import { type AddressInfo, createServer as createTcp } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { Command } from 'commander'
import { sha256 } from '#protocol/crypto/hash.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import { issueCertificate } from '#test/helpers/test-ca.ts'
import { registerAdminCommands } from '../admin/commands.ts'
import { parseConfig } from '../config.ts'
import { PROGRAM, planOf } from '../deploy/plan.ts'
import { liveTemplates } from '../live-templates.ts'
import { certificatePin } from '../tls-files.ts'
import { ask, type Handshake, type Place, type Reply, shakeHands } from './ask.ts'
import { examine } from './doctor.ts'
import type { Finding } from './finding.ts'
import { checkDisk, checkFiles, checkGateway, checkHold, checkModes } from './machine.ts'
import * as website from './website.ts'

const now = Date.parse('2026-05-01T12:00:00Z')
const DAY = 86_400_000
type Visit = (request: IncomingMessage, response: ServerResponse) => void

function folderOf(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'sotto-doctor-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

const levels = (t: ExecutionContext, found: Finding | undefined, level: Finding['level'], what: RegExp): void => {
  t.is(found?.level, level, found?.what)
  t.regex(found?.what ?? '', what)
  t.is(found?.mend === '', level === 'ok')
}

const reply = (status: number, headers: readonly string[] = [], body = ''): Reply => ({
  ...{ status, headers },
  body: Buffer.from(body),
})

const configWith = (folder: string, listen: string, more = '') =>
  parseConfig(
    `name: W\ndomain: localhost\nlisten: {${listen}}\ndecoy: {accel: "@site"}\ntemplates: [support-chat]\n${more}`,
    join(folder, 'gateway.yaml'),
  )

test('modes: keys that others may read', async (t) => {
  const folder = folderOf(t)
  const config = configWith(folder, 'unix: g.sock')
  writeFileSync(join(folder, 'store.key'), '', { mode: 0o600 })
  levels(t, await checkModes(folder, config), 'ok', /closed/)
  chmodSync(join(folder, 'store.key'), 0o640)
  levels(t, await checkModes(folder, config), 'fail', /store\.key/)
  chmodSync(join(folder, 'store.key'), 0o600)
  chmodSync(folder, 0o755)
  levels(t, await checkModes(folder, config), 'fail', /sotto-doctor/)
})

test('disk: little room, and next to none', async (t) => {
  const folder = folderOf(t)
  levels(t, await checkDisk(folder, 2 * 1024 ** 3), 'ok', /2\.0 GiB/)
  levels(t, await checkDisk(folder, 0.5 * 1024 ** 3), 'warn', /0\.5 GiB/)
  levels(t, await checkDisk(folder, 1024 ** 2), 'fail', /0\.0 GiB/)
  t.truthy((await checkDisk(folder)).what)
})

test('gateway: running, and not', async (t) => {
  const folder = folderOf(t)
  const config = configWith(folder, 'unix: g.sock')
  levels(t, await checkGateway(config), 'fail', /Nothing listens on .*g\.sock/)
  const server = createTcp().listen(join(folder, 'g.sock'))
  t.teardown(() => void server.close())
  await new Promise((resolve) => server.once('listening', resolve))
  levels(t, await checkGateway(config), 'ok', /listens/)
})

/** A gateway behind nginx, as `gateway init` makes it. */
async function deployed(t: ExecutionContext, front: string): Promise<{ state: string; etc: string }> {
  const folder = folderOf(t)
  const [state, etc] = [join(folder, 'state'), join(folder, 'etc')]
  const program = new Command('sotto').exitOverride()
  registerAdminCommands(program, {
    out: () => {},
    now: () => now,
    terminal: false,
    confirm: async () => false,
    status: () => {},
  })
  const options = ['--site', join(folder, 'www'), '--etc', etc, '--listen', `unix:${join(folder, 'g.sock')}`]
  await program.parseAsync(
    ['gateway', 'init', '--state', state, '--domain', 'localhost', '--front', front, ...options],
    { from: 'user' },
  )
  return { state, etc }
}

test('files and hold: what the web server in front is told', async (t) => {
  for (const [front, snippet, patience] of [
    ['nginx', 'nginx/snippets/sotto-gateway.conf', 'proxy_read_timeout'],
    ['caddy', 'caddy/sotto-gateway.caddy', 'response_header_timeout'],
  ] as const) {
    const { state, etc } = await deployed(t, front)
    const config = parseConfig(readFileSync(join(state, 'gateway.yaml'), 'utf8'), join(state, 'gateway.yaml'))
    const plan = planOf(config, liveTemplates(config.templates), { state, program: PROGRAM })
    levels(t, await checkFiles(plan, etc), 'ok', /fit/)
    levels(t, await checkHold(plan, etc, config.holdMs), 'ok', /waits 75 s.*holds 50 s/)
    // Templates have changed since.
    const other = planOf(config, liveTemplates(['gallery']), { state, program: PROGRAM })
    levels(t, await checkFiles(other, etc), 'fail', /sotto-gateway.*is not what/)
    const file = join(etc, snippet)
    const text = readFileSync(file, 'utf8')
    writeFileSync(file, text.replaceAll(`${patience} 75s`, `${patience} 30s`))
    levels(t, await checkHold(plan, etc, config.holdMs), 'fail', /wait 30 s.*up to 50 s/)
    unlinkSync(file)
    levels(t, await checkFiles(plan, etc), 'fail', /is missing/)
    t.is(await checkHold(plan, etc, config.holdMs), undefined)
    writeFileSync(file, text)
    unlinkSync(join(etc, 'systemd/system/sotto-gateway.service'))
    levels(t, await checkFiles(plan, etc), 'warn', /service is missing/)
    if (front === 'caddy') continue
    writeFileSync(file, text.replaceAll('proxy_buffering off;', ''))
    levels(t, await checkHold(plan, etc, config.holdMs), 'fail', /buffer/)
  }
})

const certificate = randomBytes(100)
const hands = (more: Partial<Handshake>): Handshake => ({
  certificate,
  validFrom: new Date(now - DAY),
  validTo: new Date(now + 60 * DAY),
  doubt: undefined,
  alpn: 'h2',
  ...more,
})

test('certificate: ended, ending, not vouched for, another one', (t) => {
  const check = (more: Partial<Handshake>, pin?: Uint8Array) => website.checkCertificate(hands(more), pin, now)
  levels(t, check({}), 'ok', /until 2026-06-30/)
  levels(t, check({ validTo: new Date(now - 1) }), 'fail', /only/)
  levels(t, check({ validFrom: new Date(now + 1) }), 'fail', /only/)
  levels(t, check({ validTo: new Date(now + 13 * DAY) }), 'warn', /13 days/)
  levels(t, check({ doubt: 'SELF_SIGNED' }), 'fail', /SELF_SIGNED/)
  levels(t, check({ doubt: 'SELF_SIGNED' }, sha256(certificate)), 'ok', /until/)
  levels(t, check({}, sha256(randomBytes(9))), 'fail', /another certificate/)
})

test('gateway: a listener on all addresses is found, whatever the machine’s name leads to', async (t) => {
  for (const host of ['0.0.0.0', '127.0.0.1']) {
    const server = createTcp().listen(0, host)
    t.teardown(() => void server.close())
    await new Promise((resolve) => server.once('listening', resolve))
    const { port } = server.address() as AddressInfo
    levels(t, await checkGateway({ listen: { kind: 'https', host, port } } as never), 'ok', /listens on/)
  }
})

test('http2 and clock', (t) => {
  levels(t, website.checkHttp2(hands({}), undefined), 'ok', /offered, with any number/)
  levels(t, website.checkHttp2(hands({}), 128), 'ok', /128 requests at once/)
  levels(t, website.checkHttp2(hands({}), 8), 'warn', /8 requests at once/)
  levels(t, website.checkHttp2(hands({ alpn: 'http/1.1' }), undefined), 'warn', /not offered/)
  const dated = (at: number): Reply => reply(200, ['Date', new Date(at).toUTCString()])
  levels(t, website.checkClock(dated(now + 240_000), now), 'ok', /right/)
  levels(t, website.checkClock(dated(now - 400_000), now), 'fail', /400 s/)
  levels(t, website.checkClock(reply(200), now), 'fail', /no date/)
})

const question = { method: 'POST', target: '/api/x?t=1', headers: [], body: undefined } as const
const probed = (seen: Reply, own: Reply | undefined): website.Probe => ({ question, reply: seen, own })

test('paths, parity, headers: what a stranger sees on the templates’ paths', (t) => {
  const [missing, refused] = [reply(404, ['Server', 'n', 'Date', 'a'], 'no'), reply(401, ['Server', 'n'], '{}')]
  levels(t, website.checkPaths([probed(refused, undefined)]), 'ok', /something/)
  levels(t, website.checkPaths([probed(missing, missing)]), 'warn', /POST \/api\/x\./)

  const later = reply(404, ['Server', 'n', 'Date', 'b'], 'no')
  levels(t, website.checkParity([probed(missing, later), probed(refused, undefined)], false), 'ok', /elsewhere/)
  for (const other of [
    reply(502, missing.headers, 'no'),
    reply(404, missing.headers, 'No'),
    reply(404, ['Date', 'a', 'Server', 'n'], 'no'),
    reply(404, [...missing.headers, 'X-Cache', 'MISS'], 'no'),
  ]) {
    levels(
      t,
      website.checkParity([probed(other, missing)], false),
      'fail',
      /POST \/api\/x \((?:502, the website itself 404|404, the website itself 404, with (?:another body|other headers))\)/,
    )
  }
  // An application behind a web server lacks what that adds.
  levels(
    t,
    website.checkParity(
      [probed(reply(404, ['Server', 'n', 'Content-Type', 'a'], 'no'), reply(404, ['Content-Type', 'a'], 'no'))],
      true,
    ),
    'ok',
    /elsewhere/,
  )
  levels(
    t,
    website.checkParity(
      [probed(reply(404, ['Content-Type', 'b'], 'no'), reply(404, ['Content-Type', 'a'], 'no'))],
      true,
    ),
    'fail',
    /Other/,
  )

  const page = reply(200, ['Server', 'n', 'Via', 'cache'])
  levels(
    t,
    website.checkHeaders(page, [probed(reply(404, ['Server', 'n', 'Via', 'cache']), undefined)]),
    'ok',
    /No header/,
  )
  levels(
    t,
    website.checkHeaders(page, [probed(reply(404, ['Server', 'n', 'X-Accel-Redirect', '@site']), undefined)]),
    'fail',
    /x-accel-redirect/,
  )
  levels(t, website.checkHeaders(page, [probed(reply(404, ['Server', 'node']), undefined)]), 'fail', /server: node/)
})

test('cache: what an edge says of an answer that it has kept', (t) => {
  levels(t, website.checkCache([probed(reply(404, ['Age', '0', 'X-Cache', 'MISS']), undefined)]), 'ok', /Nothing/)
  for (const headers of [
    ['Age', '7'],
    ['X-Cache', 'Hit from an edge'],
    ['CF-Cache-Status', 'HIT'],
  ]) {
    levels(t, website.checkCache([probed(reply(404, headers), undefined)]), 'fail', /POST \/api\/x\./)
  }
})

/** A website with a certificate of a test's authority. */
async function startSite(
  t: ExecutionContext,
  visit: Visit,
  old = false,
): Promise<Place & { files: { certificate: string; key: string } }> {
  const files = await issueCertificate({ folder: folderOf(t), domain: 'localhost' })
  const tls = {
    ...{ cert: readFileSync(files.certificate), key: readFileSync(files.key) },
    ...(old ? { minVersion: 'TLSv1' as const, ciphers: 'DEFAULT:@SECLEVEL=0' } : {}),
  }
  const server = old ? createHttps(tls, visit) : createSecureServer({ ...tls, allowHTTP1: true }, visit as never)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => void server.close())
  return { address: '127.0.0.1', port: (server.address() as AddressInfo).port, domain: 'localhost', files }
}

test('tls: what is shaken, and old versions', async (t) => {
  const [site, old] = [
    await startSite(t, (_, answer) => void answer.end()),
    await startSite(t, (_, answer) => void answer.end(), true),
  ]
  levels(t, await website.checkTls(site), 'ok', /refused/)
  levels(t, await website.checkTls(old), 'warn', /accepted/)
  const seen = await shakeHands(site)
  t.is(seen.alpn, 'h2')
  t.truthy(seen.doubt)
  t.deepEqual(sha256(seen.certificate), await certificatePin(site.files))
})

const templates = liveTemplates(['support-chat', 'beacon'])

test('the live website is asked for every shape, and for its own answer', async (t) => {
  const asked: string[] = []
  const site = await startSite(t, (request, answer) => {
    asked.push(`${request.method} ${request.url!.split('?')[0]}`)
    request.resume()
    request.on('end', () => answer.writeHead(request.url!.includes('/support/') ? 404 : 401).end('x'))
  })
  const probes = await website.probe(site, templates, undefined, randomBytes)
  t.is(probes.length, 5)
  t.deepEqual(
    probes.map(({ own }) => own?.status),
    [404, 404, 404, undefined, undefined],
  )
  t.is(asked.length, 8)
  t.regex(asked[1]!, /^POST \/[0-9a-f]{12}\/api\/support\//)
  levels(t, await website.checkBody(site, probes), 'ok', /256 KiB/)
  t.is(await website.checkBody(site, probes.slice(3)), undefined)
  const small = await startSite(t, (request, answer) => {
    answer.writeHead(Number(request.headers['content-length']) > 200_000 ? 413 : 404).end()
  })
  levels(t, await website.checkBody(small, probes), 'fail', /refused/)
})

test('an application is asked for its own answer directly', async (t) => {
  const visit: Visit = (request, answer) => {
    request.resume()
    request.on('end', () => answer.writeHead(401, { 'content-type': 'text/plain' }).end(request.headers.host))
  }
  const application = createServer(visit).listen(0, '127.0.0.1')
  t.teardown(() => void application.close())
  await new Promise((resolve) => application.once('listening', resolve))
  const url = `http://127.0.0.1:${(application.address() as AddressInfo).port}`
  levels(t, await website.checkApplication(url, 'localhost'), 'ok', /answers at .* \(401\)/)
  levels(
    t,
    await website.checkApplication('http://127.0.0.1:1', 'localhost'),
    'fail',
    /does not answer at .*ECONNREFUSED/,
  )
  const probes = await website.probe(await startSite(t, visit), templates, { kind: 'upstream', url }, randomBytes)
  levels(t, website.checkParity(probes, true), 'ok', /elsewhere/)
  const odd = await startSite(t, (request, answer) => {
    request.resume()
    request.on('end', () => answer.writeHead(502).end())
  })
  levels(
    t,
    website.checkParity(await website.probe(odd, templates, { kind: 'upstream', url }, randomBytes), true),
    'fail',
    /502, the website itself 401/,
  )
})

test('the whole: a stand-alone place that answers, and one that does not', async (t) => {
  const site = await startSite(t, (request, answer) => {
    request.resume()
    request.on('end', () => answer.writeHead(404, { server: 'x' }).end())
  })
  const state = join(folderOf(t), 'state')
  mkdirSync(state, { mode: 0o700 })
  const write = (port: number): void =>
    writeFileSync(
      join(state, 'gateway.yaml'),
      [
        ...['name: W', 'domain: localhost', 'addresses: [127.0.0.1]', `port: ${port}`],
        `listen: {https: "127.0.0.1:${port}", certificate: ${site.files.certificate}, key: ${site.files.key}}`,
        ...['decoy: {folder: site}', 'templates: [beacon]'],
      ].join('\n'),
    )
  write(site.port)
  const at = Date.now()
  const found = await examine({ state, now: at, random: randomBytes })
  t.deepEqual(
    found.filter(({ level }) => level !== 'ok').map(({ id, level }) => `${level} ${id}`),
    ['warn paths', 'fail recognised', 'warn stand-alone'],
  )
  t.true(found.some(({ id }) => id === 'front'))
  t.regex(found.find(({ id }) => id === 'recognised')!.what, /could not be tried \(E_STATE_UNREADABLE/)
  write(1)
  const away = await examine({ state, now: at, random: randomBytes })
  t.deepEqual(
    away.filter(({ level }) => level === 'fail').map(({ id }) => id),
    ['gateway', 'front'],
  )
  t.true(existsSync(state))
})

test('an answer that never comes is a fault, not a wait', async (t) => {
  const cut = createTcp((socket) => socket.destroy()).listen(0, '127.0.0.1')
  t.teardown(() => void cut.close())
  await new Promise((resolve) => cut.once('listening', resolve))
  const place = { address: '127.0.0.1', port: (cut.address() as AddressInfo).port, domain: 'localhost' }
  await t.throwsAsync(ask(place, question))
  await t.throwsAsync(shakeHands(place))
})
