/** One suite for the two ways to the firewall: in one process, and over the pipe. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { duplexPair } from 'node:stream'
import type { ExecutionContext } from 'ava'
import test from 'ava'
import { concat, hex, utf8 } from '#protocol/bytes.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import type { SottoError } from '#protocol/errors.ts'
import { HELLO_MAX } from '#protocol/handshake.ts'
import { serveBroker } from './broker.ts'
import { connectBroker } from './core-side.ts'
import { tlsConnector } from './dialers/tls-connector.ts'
import { undiciDialer } from './dialers/undici.ts'
import type { TestGateway } from './fixtures/gateway.ts'
import { BINDING, LARGE, PROLOGUE, startGateway } from './fixtures/gateway.ts'
import { temporaryFolder } from './fixtures/temporary.ts'
import { openBroker } from './library.ts'
import { DialLimits, PipeLimits } from './limits.ts'
import { Line } from './line.ts'
import type { LocalBroker } from './local-broker.ts'
import { FrameType } from './messages.ts'
import type { Broker, FirewallEvent, FirstContact, Permit } from './permit.ts'
import { NO_EXPIRY } from './permit.ts'

let gateway: TestGateway
test.before(async () => {
  gateway = await startGateway()
})
test.after.always(() => gateway.close())

/** Milliseconds for connections and answers: a busy machine may stand still for longer than a member waits. */
const PATIENCE_MS = 100_000

/** A gateway of the test's own, where it counts who came. */
async function ownGateway(t: ExecutionContext): Promise<TestGateway> {
  const own = await startGateway()
  t.teardown(() => own.close())
  return own
}

async function openLocal(t: ExecutionContext, folder: string, now: () => number = Date.now): Promise<LocalBroker> {
  const resolve = async (): Promise<never> => {
    throw new Error('no name is to be resolved')
  }
  const connector = tlsConnector({ resolve, connectMs: PATIENCE_MS })
  const broker = await openBroker({ folder, dialers: [undiciDialer({ connector })], now, random: randomBytes })
  t.teardown(() => broker.close())
  return broker
}

function overPipe(t: ExecutionContext, local: LocalBroker): Broker {
  const [near, far] = duplexPair()
  const server = serveBroker(local, far, () => {})
  t.teardown(() => server.close())
  return connectBroker(near, () => {})
}

const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'fine',
    (error: SottoError) => error.code,
  )
const get = (permit: Permit, target: string, options = {}) =>
  permit.exchange(
    { method: 'GET', target, headers: [], body: undefined },
    { family: 'node', timeoutMs: PATIENCE_MS, ...options },
  )
const post = (permit: Permit, target: string, body: Uint8Array) =>
  permit.exchange({ method: 'POST', target, headers: [], body }, { family: 'node', timeoutMs: PATIENCE_MS })

/** First contact as a carrier would do it. */
async function contact(permit: Permit): Promise<Awaited<ReturnType<FirstContact['finish']>>> {
  const first = await permit.firstContact({ hello: utf8('hello'), binding: BINDING, length: 320, now: Date.now() })
  const answer = await post(permit, '/contact', concat(first.token, first.parcel))
  return first.finish(answer.body)
}

/** What a test uses: the firewall by one of the ways, and the leave to admit, which is not the core's. */
type Reached = Broker & Pick<LocalBroker, 'admitInvite' | 'allowPeer'>

const ways = { 'in one process': (_: ExecutionContext, local: LocalBroker): Broker => local, 'over the pipe': overPipe }

for (const [way, reach] of Object.entries(ways)) {
  const open = async (t: ExecutionContext, folder?: string, now?: () => number): Promise<Reached> => {
    const local = await openLocal(t, folder ?? (await temporaryFolder(t)), now)
    const broker = reach(t, local)
    return {
      endpoints: () => broker.endpoints(),
      ways: () => broker.ways(),
      password: () => broker.password(),
      joined: () => broker.joined(),
      network: () => broker.network(),
      dialers: () => broker.dialers(),
      offerList: (id, list) => broker.offerList(id, list),
      offerPeers: (offers) => broker.offerPeers(offers),
      allowPeer: (root) => local.allowPeer(root),
      forget: (id) => broker.forget(id),
      permit: (id) => broker.permit(id),
      onEvent: (listener) => broker.onEvent(listener),
      admitInvite: (link) => local.admitInvite(link),
    }
  }

  test(`${way}: nothing goes before an invite is admitted`, async (t) => {
    const broker = await open(t)
    t.deepEqual(await broker.endpoints(), [])
    t.is(await codeOf(broker.permit('0011223344556677')), 'E_FIREWALL_REFUSED')
  })

  test(`${way}: an invite opens its endpoint, once`, async (t) => {
    const broker = await open(t)
    const [endpoint, ...others] = await broker.admitInvite(gateway.link)
    t.deepEqual(others, [])
    t.like(endpoint, { kind: 'gateway', name: 'Test', host: 'gateway.test', source: 'invite', expires: 4_000_000_000 })
    t.deepEqual(await broker.admitInvite(` ${gateway.link}\n`), [endpoint!])
    t.deepEqual(await broker.endpoints(), [endpoint!])
  })

  test(`${way}: the network has a name that says nothing, the same each time`, async (t) => {
    const broker = await open(t)
    const id = await broker.network()
    t.is(id.length, 16)
    t.deepEqual(await broker.network(), id)
  })

  test(`${way}: what is no invite, or an old one, opens nothing`, async (t) => {
    const broker = await open(t)
    t.is(await codeOf(broker.admitInvite('sotto://abc')), 'E_INVITE_FORMAT')
    t.is(await codeOf(broker.admitInvite(gateway.invite({ expires: 1_000_000_000 }))), 'E_INVITE_EXPIRED')
    t.deepEqual(await broker.endpoints(), [])
  })

  test(`${way}: exchanges`, async (t) => {
    const broker = await open(t)
    const permit = await broker.permit((await broker.admitInvite(gateway.link))[0]!.id)
    const echo = await permit.exchange(
      {
        method: 'POST',
        target: '/x?y',
        headers: [
          ['X-B', '1'],
          ['x-a', '2'],
        ],
        body: LARGE,
      },
      { family: 'node', timeoutMs: PATIENCE_MS, connection: 'send' },
    )
    const seen = JSON.parse(Buffer.from(echo.body).toString())
    t.like(seen, { method: 'POST', target: '/x?y', octets: LARGE.length })
    t.deepEqual(seen.fields.slice(4, 8), ['X-B', '1', 'x-a', '2'])
    t.true(echo.headers.some(([name, value]) => name === 'X-Mixed' && value === 'Case'))
    const large = await get(permit, '/large')
    t.is(Buffer.compare(large.body, LARGE), 0)
    t.false(large.body instanceof Buffer)
    t.is((await post(permit, '/x', new Uint8Array(0))).status, 200)
    t.is(await codeOf(get(permit, '/reset')), 'E_PATH_RESET')
    t.is(await codeOf(get(permit, '/silent', { timeoutMs: 50 })), 'E_PATH_TIMEOUT')
  })

  test(`${way}: an exchange that is given up`, async (t) => {
    const broker = await open(t)
    const permit = await broker.permit((await broker.admitInvite(gateway.link))[0]!.id)
    const controller = new AbortController()
    const parked = codeOf(get(permit, '/silent', { signal: controller.signal }))
    setImmediate(() => controller.abort())
    t.is(await parked, 'E_PATH_CLOSED')
    t.is(await codeOf(get(permit, '/', { signal: AbortSignal.abort() })), 'E_PATH_CLOSED')
    t.is((await get(permit, '/')).status, 200)
  })

  test(`${way}: requests that may not be sent are refused and written down`, async (t) => {
    const broker = await open(t)
    const events: FirewallEvent[] = []
    broker.onEvent((event) => events.push(event))
    const own = await ownGateway(t)
    const endpoint = (await broker.admitInvite(own.link))[0]!.id
    const permit = await broker.permit(endpoint)
    const send = (request: object) =>
      codeOf(
        permit.exchange(
          { method: 'GET', target: '/', headers: [], body: undefined, ...request },
          { family: 'node', timeoutMs: 1000 },
        ),
      )
    t.is(await send({ headers: [['host', 'evil.example']] }), 'E_FIREWALL_REFUSED')
    t.is(await send({ headers: [['x-a', 'b\r\nhost: evil.example']] }), 'E_FIREWALL_REFUSED')
    t.is(await send({ target: '/ HTTP/1.1\r\nhost: evil.example\r\n\r\n' }), 'E_FIREWALL_REFUSED')
    t.is(await send({ target: 'https://evil.example/' }), 'E_FIREWALL_REFUSED')
    t.is(await send({ method: 'POST', body: new Uint8Array(DialLimits.requestBytes + 1) }), 'E_FIREWALL_REFUSED')
    t.is(await send({ method: 'POST', body: new Uint8Array(PipeLimits.frameBytes) }), 'E_FIREWALL_REFUSED')
    t.is(await send({ headers: [['x-a', 'b'.repeat(PipeLimits.headBytes)]] }), 'E_FIREWALL_REFUSED')
    const reasons = events.filter(({ kind }) => kind === 'refused').map((event) => `${event.endpoint} ${event.reason}`)
    const expected = ['other-host', 'bad-header', 'bad-target', 'bad-target', 'bad-length', 'bad-length', 'bad-header']
    const atTheSource = way === 'over the pipe' ? expected.slice(0, 5) : expected
    t.deepEqual(
      reasons,
      atTheSource.map((reason) => `${endpoint} ${reason}`),
    )
    t.deepEqual(own.requests, [], 'the site saw none of it')
    t.is((await get(permit, '/')).status, 200)
  })

  test(`${way}: first contact redeems the invite, and the next one proves the credential`, async (t) => {
    const folder = await temporaryFolder(t)
    const broker = await open(t, folder)
    const own = await ownGateway(t)
    const [info] = await broker.admitInvite(own.link)
    const permit = await broker.permit(info!.id)
    const first = await contact(permit)
    t.is(first?.keys.root.length, 32)
    t.deepEqual(first?.reply, utf8('hello'))
    t.is((await broker.endpoints())[0]!.expires, NO_EXPIRY)
    const second = await contact(permit)
    t.notDeepEqual(second?.keys.root, first?.keys.root)
    const [redeem, proof] = own.claims
    t.is(redeem?.kind, 'redeem')
    t.is(proof?.kind, 'credential')
    t.deepEqual(redeem?.credentialId, proof?.credentialId)
  })

  test(`${way}: an answer that is not authentic, and one for another contact`, async (t) => {
    const broker = await open(t)
    const permit = await broker.permit((await broker.admitInvite(gateway.link))[0]!.id)
    const input = { hello: new Uint8Array(0), binding: BINDING, length: 320, now: Date.now() }
    const [a, b] = [await permit.firstContact(input), await permit.firstContact(input)]
    t.notDeepEqual(a.token.slice(0, 8), a.parcel.slice(0, 8))
    t.is(a.parcel.length, 320)
    const answer = await post(permit, '/contact', concat(a.token, a.parcel))
    t.is(await b.finish(answer.body), undefined)
    t.is(await codeOf(b.finish(answer.body)), 'E_INTERNAL', 'once only')
    answer.body[40]! ^= 1
    t.is(await a.finish(answer.body), undefined)
    t.is((await broker.endpoints())[0]!.expires, 4_000_000_000, 'nothing was confirmed')
    for (const length of [0, 1, 200_000]) {
      t.is(await (await permit.firstContact(input)).finish(new Uint8Array(length)), undefined)
    }
  })

  test(`${way}: a first contact that cannot be is an error of ours`, async (t) => {
    const broker = await open(t)
    const permit = await broker.permit((await broker.admitInvite(gateway.link))[0]!.id)
    const input = { hello: new Uint8Array(0), binding: BINDING, length: 320, now: Date.now() }
    t.is(await codeOf(permit.firstContact({ ...input, length: 40 })), 'E_INTERNAL')
    t.is(await codeOf(permit.firstContact({ ...input, length: 2 ** 40 })), 'E_INTERNAL')
    t.is(await codeOf(permit.firstContact({ ...input, hello: new Uint8Array(HELLO_MAX + 1) })), 'E_INTERNAL')
  })

  test(`${way}: rekey`, async (t) => {
    const broker = await open(t)
    const permit = await broker.permit((await broker.admitInvite(gateway.link))[0]!.id)
    const rekey = await permit.rekey({ prologue: PROLOGUE })
    const { body } = await post(permit, '/rekey', rekey.first)
    t.is((await rekey.finish(body))?.length, 32)
    t.is(await codeOf(rekey.finish(body)), 'E_INTERNAL')
    const other = await permit.rekey({ prologue: PROLOGUE })
    t.is(await other.finish(body), undefined)
  })

  test(`${way}: a forgotten endpoint is refused at once, permits in hand too`, async (t) => {
    const broker = await open(t)
    const [info] = await broker.admitInvite(gateway.link)
    const permit = await broker.permit(info!.id)
    await get(permit, '/')
    const parked = codeOf(get(permit, '/silent'))
    await broker.forget(info!.id)
    t.is(await parked, 'E_PATH_CLOSED')
    t.is(await codeOf(get(permit, '/')), 'E_FIREWALL_REFUSED')
    t.is(await codeOf(permit.rekey({ prologue: PROLOGUE })), 'E_FIREWALL_REFUSED')
    t.is(await codeOf(broker.permit(info!.id)), 'E_FIREWALL_REFUSED')
    t.is(await codeOf(broker.forget(info!.id)), 'fine')
    t.deepEqual(await broker.endpoints(), [])
  })

  test(`${way}: an invite that ended unused is refused`, async (t) => {
    let now = Date.now()
    const broker = await open(t, undefined, () => now)
    const [info] = await broker.admitInvite(
      gateway.invite({ expires: Math.floor(now / 1000) + 60, code: randomBytes(16) }),
    )
    const permit = await broker.permit(info!.id)
    now += 62_000
    t.is(await codeOf(get(permit, '/')), 'E_FIREWALL_REFUSED')
    t.is(await codeOf(broker.permit(info!.id)), 'E_FIREWALL_REFUSED')
  })

  test(`${way}: DialLimits.exchanges of one endpoint`, async (t) => {
    const broker = await open(t)
    const { id } = (await broker.admitInvite(gateway.link))[0]!
    const permits = [await broker.permit(id), await broker.permit(id)]
    const controller = new AbortController()
    const parked = Array.from({ length: DialLimits.exchanges }, (_, i) =>
      codeOf(get(permits[i % 2]!, '/silent', { signal: controller.signal })),
    )
    t.is(await codeOf(get(permits[0]!, '/')), 'E_FIREWALL_REFUSED')
    controller.abort()
    t.deepEqual(new Set(await Promise.all(parked)), new Set(['E_PATH_CLOSED']))
  })

  test(`${way}: events tell what happened, by id`, async (t) => {
    const folder = await temporaryFolder(t)
    const broker = await open(t, folder)
    const events: FirewallEvent[] = []
    broker.onEvent((event) => events.push(event))
    const { id } = (await broker.admitInvite(gateway.link))[0]!
    const permit = await broker.permit(id)
    await contact(permit)
    await codeOf(broker.permit('nobody'))
    await broker.forget(id)
    const brief = events.map(({ kind, endpoint, reason }) => [kind, endpoint, reason].filter(Boolean).join(' '))
    t.deepEqual(brief, [
      `admitted ${id}`,
      `permitted ${id}`,
      `dialed ${id}`,
      `redeemed ${id}`,
      'refused unknown-endpoint',
      `forgotten ${id}`,
    ])
  })
}

test('what was admitted and redeemed is there after a restart; a lost answer to redeeming does not harm', async (t) => {
  const folder = await temporaryFolder(t)
  const first = await openLocal(t, folder)
  const own = await ownGateway(t)
  const { id } = (await first.admitInvite(own.link))[0]!
  const permit = await first.permit(id)
  const lost = await permit.firstContact({ hello: new Uint8Array(0), binding: BINDING, length: 320, now: Date.now() })
  await post(permit, '/contact', concat(lost.token, lost.parcel))
  await first.close()

  const second = await openLocal(t, folder)
  t.truthy(await contact(await second.permit(id)))
  await second.close()

  const third = await openLocal(t, folder)
  t.truthy(await contact(await third.permit(id)))
  const { claims } = own
  t.deepEqual(
    claims.map(({ kind }) => kind),
    ['redeem', 'redeem', 'credential'],
  )
  t.is(new Set(claims.map(({ credentialId }) => hex(credentialId))).size, 1, 'the same credential throughout')
})

test('the credential is on disk before a first contact can be computed', async (t) => {
  const folder = await temporaryFolder(t)
  const broker = await openLocal(t, folder)
  const vault = join(folder, 'vault')
  await t.throwsAsync(readFile(vault), { code: 'ENOENT' })
  await broker.admitInvite(gateway.link)
  const stored = await readFile(vault)
  await broker.permit((await broker.endpoints())[0]!.id)
  t.deepEqual(await readFile(vault), stored)
})

test('a folder in use is refused, and free again after closing', async (t) => {
  const folder = await temporaryFolder(t)
  const broker = await openLocal(t, folder)
  t.is(await codeOf(openLocal(t, folder)), 'E_STATE_BUSY')
  await broker.close()
  t.is(await codeOf(openLocal(t, folder)), 'fine')
})

test('the audit log names neither host nor address', async (t) => {
  const folder = await temporaryFolder(t)
  const broker = await openLocal(t, folder)
  const { id } = (await broker.admitInvite(gateway.link))[0]!
  const permit = await broker.permit(id)
  await get(permit, '/')
  await codeOf(get(permit, '/', { timeoutMs: 0 }))
  await broker.close()
  const log = await readFile(join(folder, 'audit.log'), 'utf8')
  t.deepEqual(
    log
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).kind),
    ['admitted', 'permitted', 'dialed', 'refused'],
  )
  t.notRegex(log, /gateway\.test|127\.0\.0\.1/)
})

test('the core cannot have an invite admitted: there is no such call', async (t) => {
  const local = await openLocal(t, await temporaryFolder(t))
  const own = await ownGateway(t)
  const events: FirewallEvent[] = []
  local.onEvent((event) => events.push(event))
  const [near, far] = duplexPair()
  const broker = overPipe(t, local)
  t.is(await codeOf(broker.joined()), 'E_NOT_JOINED')
  serveBroker(local, far, () => {})
  const line = new Line(near, () => {})
  for (const args of [{ link: own.link }, own.link, [own.link]]) {
    t.is(await codeOf(line.call('joined', args as unknown as null)), 'E_FIREWALL_REFUSED')
  }
  t.deepEqual(await local.endpoints(), [])
  t.deepEqual(new Set(events.map(({ kind, reason }) => `${kind} ${reason}`)), new Set(['refused malformed-call']))
  t.false(Object.keys(FrameType).includes('admit'))
  await local.admitInvite(own.link)
  t.deepEqual(await broker.joined(), await local.endpoints())
})

test('an exchange that names an endpoint nobody admitted is refused, whatever the core says before', async (t) => {
  const local = await openLocal(t, await temporaryFolder(t))
  const own = await ownGateway(t)
  const events: FirewallEvent[] = []
  local.onEvent((event) => events.push(event))
  const [near, far] = duplexPair()
  serveBroker(local, far, () => {})
  const line = new Line(near, () => {})
  const request = { method: 'GET', target: '/', headers: [], timeoutMs: 20_000, family: 'node', body: false } as const
  for (const endpoint of ['ffffffffffffffff', '', '__proto__', 'gateway.test']) {
    t.is(await codeOf(line.call('exchange', { ...request, endpoint })), 'E_FIREWALL_REFUSED')
  }
  t.deepEqual(new Set(events.map(({ kind, reason }) => `${kind} ${reason}`)), new Set(['refused unknown-endpoint']))
  const [info] = await local.admitInvite(own.link)
  t.is(await codeOf(line.call('exchange', { ...request, endpoint: info!.id })), 'fine', 'the id alone is what counts')
})
