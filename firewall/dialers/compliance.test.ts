/**
 * What every dialer does, whatever it looks like: one suite over all of them, on both protocols where they speak both. What a
 * browser decides itself, since it is one, is left to it (`isPage`).
 */
import { once } from 'node:events'
import { mkdtempSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import test from 'ava'
import { randomBytes } from '#protocol/crypto/random.ts'
import type { SottoError } from '#protocol/errors.ts'
import type { Certificates } from '../fixtures/site.ts'
import { makeCertificates } from '../fixtures/site.ts'
import type { BothSite } from '../fixtures/site-both.ts'
import { BODY, startBothSite } from '../fixtures/site-both.ts'
import { DialLimits } from '../limits.ts'
import type { DialerDescription, ExchangeOptions, ExchangeRequest } from '../permit.ts'
import { browserDialer, resumes } from './browser.ts'
import type { DialEvent, Dialer, DialTarget } from './dialer.ts'
import { impersonation } from './impersonation.ts'
import { installedDialer } from './installed/installed.ts'
import { findBrowser } from './installed/program.ts'
import { loadProfile } from './profile.ts'
import { systemRoute } from './route.ts'
import type { ConnectorOptions } from './tls-connector.ts'
import { tlsConnector } from './tls-connector.ts'
import { undiciAlpn, undiciDialer } from './undici.ts'

const HOST = 'site.test'

interface Timing {
  readonly stallMs?: number
  readonly answerMs?: number
}

interface Kind {
  readonly family: DialerDescription['family']
  /** The exchanges are those of a page: order of fields, number of connections and what comes first are the browser's. */
  readonly isPage?: boolean
  /** The site speaks HTTP/2, and the dialer takes it. */
  readonly h2: boolean
  /** The dialer offers HTTP/2; browsers always do. */
  readonly offers?: boolean
  readonly resumes: boolean
  make(connector: ConnectorOptions, timing: Timing): Promise<Dialer>
}

const undici = (h2: boolean, offers = h2): Kind => ({
  ...{ family: 'node', h2, offers, resumes: true },
  make: async (options, timing) => {
    const connector = tlsConnector({ ...options, alpn: undiciAlpn(offers) })
    return undiciDialer({ connector, h2: offers, apartMs: 0, ...timing })
  },
})

function browser(family: 'chromium' | 'firefox', h2: boolean): Kind {
  const profile = loadProfile(family)
  return {
    ...{ family, h2, resumes: resumes(profile) },
    make: async (options, timing) => {
      const style = await impersonation(profile, randomBytes)
      const connector = tlsConnector({ ...options, style: style!, resumes: resumes(profile) })
      return browserDialer({ profile, connector, leaks: [], apartMs: 0, ...timing })
    },
  }
}

/** One folder, where the profiles lie while browsers run. */
const folder = mkdtempSync(join(tmpdir(), 'sotto-compliance-'))
test.after.always(() => rm(folder, { recursive: true, force: true }))

const page: Kind = {
  ...{ family: 'chromium', isPage: true, h2: true, resumes: true },
  make: async ({ connectMs, ...options }, timing) => {
    const browser = await findBrowser(undefined, process.env)
    const own = await mkdtemp(join(folder, 'own-'))
    return installedDialer({
      browser,
      folder: own,
      route: systemRoute(options),
      ...(connectMs && { connectMs }),
      ...timing,
    })
  },
}

const kinds: Readonly<Record<string, Kind>> = {
  'undici, HTTP/1.1': undici(false),
  'undici, HTTP/2': undici(true),
  'undici, HTTP/2 where there is none': undici(false, true),
  'chromium, HTTP/1.1': browser('chromium', false),
  'chromium, HTTP/2': browser('chromium', true),
  'firefox, HTTP/1.1': browser('firefox', false),
  'firefox, HTTP/2': browser('firefox', true),
  // Each of its tests is a browser or two: installed/installed.test.ts has the short ones.
  ...(process.env.SOTTO_LONG && { 'browser, HTTP/2': page }),
}

let certificates: Certificates
test.before(async () => {
  certificates = await makeCertificates(HOST)
})

interface Setup extends Timing {
  readonly connector?: ConnectorOptions
  readonly target?: Partial<DialTarget>
}

interface Rig {
  readonly dialer: Dialer
  readonly dials: DialEvent[]
  readonly site: BothSite
  get(target: string, options?: Partial<ExchangeOptions>): ReturnType<Dialer['exchange']>
  send(request: Partial<ExchangeRequest>, options?: Partial<ExchangeOptions>): ReturnType<Dialer['exchange']>
}

async function rig(t: { teardown(fn: () => Promise<void>): void }, kind: Kind, setup: Setup = {}): Promise<Rig> {
  const site = await startBothSite(certificates, kind.h2)
  t.teardown(() => site.close())
  const { connector, target: change, ...timing } = setup
  const dialer = await kind.make({ resolve: async () => [], ...connector }, timing)
  t.teardown(() => dialer.close())
  const dials: DialEvent[] = []
  dialer.onDial((event) => dials.push(event))
  const target: DialTarget = {
    ...{ id: 'e1', name: 'Test', host: HOST, port: site.port, addresses: ['127.0.0.1'] },
    ...{ certificate: certificates.pin, ...change },
  }
  const { family } = dialer.describe()
  const send: Rig['send'] = (request, options) =>
    dialer.exchange(
      target,
      { method: 'GET', target: '/', headers: [], body: undefined, ...request },
      { family, timeoutMs: kind.isPage ? 60_000 : 20_000, connections: DialLimits.connections, ...options },
    )
  return { dialer, dials, site, send, get: (path, options) => send({ target: path }, options) }
}

const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'fine',
    (error: SottoError) => error.code,
  )
const json = ({ body }: { body: Uint8Array }) => JSON.parse(Buffer.from(body).toString())

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/**
 * Tests at once. Each is client and server in this one process: all together they would keep its loop from the deadlines of each
 * other, and an answer that is there would be read too late.
 */
const AT_ONCE = 6
const turns: Promise<unknown>[] = Array.from({ length: AT_ONCE }, () => Promise.resolve())
let checks = 0

type Body = (t: ExecutionContext) => Promise<void>

/** Behind the others of its turn, whatever came of them. */
function inTurn(body: Body): Body {
  const turn = checks++ % AT_ONCE
  return (t) => {
    const mine = turns[turn]!.then(() => body(t))
    turns[turn] = mine.catch(() => {})
    return mine
  }
}

for (const [name, kind] of Object.entries(kinds)) {
  /** Browsers one after the other: each is some processes. */
  const check = (title: string, body: Body): void =>
    kind.isPage ? test.serial(title, body) : test(title, inTurn(body))

  check(`${name}: it says what it is`, async (t) => {
    const { dialer } = await rig(t, kind)
    const { family, version, os, alpn, knownLeaks } = dialer.describe()
    t.is(family, kind.family)
    t.regex(version, /^\d+$/)
    t.true(os.length > 0 && alpn.includes('http/1.1') && knownLeaks.length > 0)
    t.is(alpn.includes('h2'), kind.offers ?? true)
  })

  check(`${name}: fields keep their order, host and length are the dialer’s`, async (t) => {
    const { send, site } = await rig(t, kind)
    const headers: [string, string][] = [
      ['X-Zulu', '1'],
      ['Accept', '*/*'],
      ['Host', `${HOST}:${site.port}`],
      ['x-alpha', 'two words'],
      ['Connection', 'keep-alive'],
      ['Content-Length', '5'],
    ]
    const seen = json(await send({ method: 'POST', target: '/a?b=%20', headers, body: Buffer.from('hello') }))
    const pairs = (seen.fields as string[]).flatMap((field, i, all) =>
      i % 2 ? [] : [[field.toLowerCase(), all[i + 1]]],
    )
    t.like(seen, { method: 'POST', target: '/a?b=%20', octets: 5 })
    const ours = pairs.filter(([field]) => /^(x-|accept$)/.test(field!))
    t.deepEqual(kind.isPage ? ours.toSorted().toReversed() : ours, [
      ['x-zulu', '1'],
      ...(kind.isPage ? [['x-alpha', 'two words']] : []),
      ['accept', '*/*'],
      ...(kind.isPage ? [] : [['x-alpha', 'two words']]),
    ])
    const host = pairs.filter(([field]) => field === 'host' || field === ':authority').map(([, value]) => value)
    t.deepEqual([...new Set(host)], [`${HOST}:${site.port}`])
    t.deepEqual(
      pairs.filter(([field]) => field === 'content-length'),
      [['content-length', '5']],
    )
  })

  check(`${name}: bodies: none, empty, large both ways, of unknown length`, async (t) => {
    const { send, get } = await rig(t, kind)
    t.is(json(await send({ method: 'POST' })).octets, 0)
    t.is(json(await send({ method: 'POST', body: new Uint8Array(0) })).octets, 0)
    t.is(json(await send({ method: 'POST', body: BODY })).octets, BODY.length)
    t.is(json(await send({ method: 'POST', body: new Uint8Array(100).subarray(10, 15) })).octets, 5)
    for (const path of ['/large', '/chunked', '/large']) {
      const { body } = await get(path)
      t.is(Buffer.compare(body, BODY), 0, path)
      t.false(body instanceof Buffer)
    }
    t.is((await get('/redirect')).status, 302, 'a redirect is an answer like any other')
  })

  check(`${name}: one connection is used again, and shared where the protocol shares`, async (t) => {
    const { get, dials } = await rig(t, kind)
    await get('/')
    const before = dials.length
    for (let i = 0; i < 3; i++) await get('/')
    t.like(dials[0], { endpoint: 'e1' })
    t.is(dials.length, before)
    if (!kind.isPage) t.is(before, 1)
    await Promise.all([get('/late'), get('/late'), get('/late')])
    t.is(dials.length, kind.h2 ? before : 3)
  })

  check(`${name}: never more connections than are allowed, while they fail`, async (t) => {
    const { get, site } = await rig(t, kind)
    const paths = ['/', '/late', '/reset', '/reset-in-body', '/', '/large']
    const codes = await Promise.all(
      Array.from({ length: 60 }, (_, i) =>
        codeOf(get(paths[i % paths.length]!, { connections: 3, timeoutMs: 15_000 })),
      ),
    )
    t.true(site.most() <= (kind.isPage ? DialLimits.connections : 3), `${site.most()} at once`)
    t.true(codes.includes('E_PATH_RESET'))
    t.true(
      codes.every((code) => code === 'fine' || code === 'E_PATH_RESET'),
      codes.join(),
    )
    t.is((await get('/')).status, 200)
  })

  check(`${name}: given up before it began, while connecting, and on the way`, async (t) => {
    const { get, dials, site } = await rig(t, kind)
    t.is(await codeOf(get('/', { signal: AbortSignal.abort() })), 'E_PATH_CLOSED')
    t.is(dials.length, 0)
    const [early, later] = [new AbortController(), new AbortController()]
    const connecting = codeOf(get('/early', { signal: early.signal }))
    early.abort()
    t.is(await connecting, 'E_PATH_CLOSED')
    await get('/')
    const parked = codeOf(get('/silent', { signal: later.signal }))
    await get('/')
    later.abort()
    t.is(await parked, 'E_PATH_CLOSED')
    t.is((await get('/')).status, 200)
    t.false(site.asked.flat().includes('/early'))
  })

  const ends: Readonly<Record<string, string>> = {
    '/reset': 'E_PATH_RESET',
    '/reset-in-body': 'E_PATH_RESET',
    // Browsers take larger ones.
    ...(kind.isPage ? {} : { '/big-head': 'E_PATH_ANSWER' }),
    '/huge': 'E_PATH_ANSWER',
    '/huge-chunked': 'E_PATH_ANSWER',
  }
  check(`${name}: what goes wrong has a code, and the next exchange works`, async (t) => {
    const { get } = await rig(t, kind)
    for (const [path, code] of Object.entries(ends)) {
      const error = await t.throwsAsync(get(path), { code }, path)
      t.regex(error!.message, /^Test /, 'names the endpoint as people know it')
      t.is((await get('/')).status, 200, path)
    }
  })

  check(`${name}: time runs out before the answer, in a stall, and in an answer that never ends`, async (t) => {
    const { get } = await rig(t, kind, { stallMs: 2_000, answerMs: 4_000 })
    await get('/')
    const late = async (path: string, where: RegExp): Promise<void> => {
      const error = await t.throwsAsync(get(path, { timeoutMs: 3_000 }), { code: 'E_PATH_TIMEOUT' }, path)
      t.regex(error!.message, where)
      t.is((await get('/')).status, 200)
    }
    await late('/silent', /waiting for the answer/)
    await late('/stall', /middle of the answer/)
    await late('/drip', /middle of the answer/)
  })

  check(`${name}: an answer that has begun may take its time; a silence makes the next one connect anew`, async (t) => {
    const { get, dials } = await rig(t, kind)
    await get('/')
    const before = dials.length
    t.is((await get('/slow', { timeoutMs: 4_000 })).body.length, 25)
    t.is(dials.length, before)
    t.is(await codeOf(get('/silent', { timeoutMs: 300 })), 'E_PATH_TIMEOUT')
    await get('/')
    const after = dials.length
    t.true(kind.isPage ? after > before : after === before + 1)
    await get('/', { fresh: true })
    t.true(kind.isPage ? dials.length > after : dials.length === after + 1, 'as what is asked to be fresh does')
  })

  check(`${name}: nothing listens, or hangs up in the TLS handshake, or speaks no TLS, or says nothing`, async (t) => {
    const silent = createServer((socket) => socket.on('error', () => {})).listen(0, '127.0.0.1')
    const rude = createServer((socket) => socket.once('data', () => socket.destroy())).listen(0, '127.0.0.1')
    const plain = createServer((socket) => {
      socket.on('error', () => {}).once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
    }).listen(0, '127.0.0.1')
    await Promise.all([silent, rude, plain].map((server) => once(server, 'listening')))
    t.teardown(async () => [silent, rude, plain].forEach((server) => void server.close()))
    const at = async (port: number, connectMs = 20_000): Promise<string> => {
      const { get } = await rig(t, kind, { target: { port }, connector: { connectMs } })
      // A browser waits for TLS for as long as the exchange does.
      const options = kind.isPage && connectMs < 1_000 ? { timeoutMs: 5_000 } : {}
      return (await Promise.all([codeOf(get('/', options)), codeOf(get('/', options))])).join()
    }
    const portOf = (server: typeof plain): number => (server.address() as AddressInfo).port
    t.is(await at(await freePort()), 'E_PATH_REFUSED,E_PATH_REFUSED')
    t.is(await at(portOf(rude)), kind.isPage ? 'E_PATH_RESET,E_PATH_RESET' : 'E_PATH_HELLO,E_PATH_HELLO')
    t.is(await at(portOf(plain)), 'E_PATH_TLS,E_PATH_TLS')
    t.is(await at(portOf(silent), 300), 'E_PATH_TIMEOUT,E_PATH_TIMEOUT')
  })

  check(
    `${name}: a pinned certificate is the only one taken; without a pin an authority must vouch for this very name`,
    async (t) => {
      const authorities = [certificates.authority]
      const other = certificates.pin.map((octet) => octet ^ 1)
      const code = async (target: Partial<DialTarget>, connector: ConnectorOptions = {}): Promise<string> => {
        const { get } = await rig(t, kind, { target, connector })
        return codeOf(get('/'))
      }
      t.is(await code({}), 'fine', 'no authority needed')
      t.is(await code({ certificate: other }, { authorities }), 'E_PATH_TLS')
      // A browser asks the system's authorities, whatever we say.
      if (!kind.isPage) t.is(await code({ certificate: undefined }, { authorities }), 'fine')
      t.is(await code({ certificate: undefined }), 'E_PATH_TLS')
      t.is(await code({ certificate: undefined, host: 'other.test' }, { authorities }), 'E_PATH_TLS')
    },
  )

  if (!kind.isPage) {
    check(
      `${name}: a second connection resumes the session of the first where the browser can be matched`,
      async (t) => {
        const { get, site } = await rig(t, kind)
        for (let i = 0; i < 3; i++) await get('/', { fresh: true })
        t.deepEqual(site.resumed, [false, kind.resumes, kind.resumes])
      },
    )
  }

  if (!kind.isPage) {
    check(`${name}: what comes first on a new connection comes first, and only there`, async (t) => {
      const { get, site } = await rig(t, kind)
      const first: ExchangeRequest = { method: 'GET', target: '/page', headers: [], body: undefined }
      await get('/a', { first })
      await get('/b', { first })
      await get('/c', { first, fresh: true })
      t.deepEqual(site.asked, [
        ['/page', '/a', '/b'],
        ['/page', '/c'],
      ])
    })
  }

  check(`${name}: forgetting an endpoint ends what is under way and closes its connections`, async (t) => {
    const { get, dialer, dials } = await rig(t, kind)
    await get('/')
    const parked = codeOf(get('/silent'))
    await get('/')
    await dialer.forget('e1')
    t.is(await parked, 'E_PATH_CLOSED')
    const before = dials.length
    await get('/')
    t.true(dials.length > before)
  })

  if (kind.family !== 'node') {
    check(`${name}: packed answers are unpacked, within bounds`, async (t) => {
      const { get } = await rig(t, kind)
      const { body, headers } = await get('/packed')
      t.is(Buffer.compare(body, BODY), 0)
      t.false(headers.some(([field]) => field.toLowerCase() === 'content-encoding'))
      t.is(await codeOf(get('/bomb')), 'E_PATH_ANSWER')
    })
  }
}
