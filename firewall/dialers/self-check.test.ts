/** Dialers look at themselves before anybody else does. */
import { join } from 'node:path'
import test from 'ava'
import { randomBytes } from '#protocol/crypto/random.ts'
import { startGateway } from '../fixtures/gateway.ts'
import { temporaryFolder } from '../fixtures/temporary.ts'
import { openBroker } from '../library.ts'
import { describeProfile } from './browser.ts'
import { ja3Sorted, ja4, readClientHello } from './client-hello.ts'
import { impersonation } from './impersonation.ts'
import { openDialers } from './open-dialers.ts'
import { loadProfile } from './profile.ts'
import { checkStyle, recordHello } from './self-check.ts'
import { tlsConnector } from './tls-connector.ts'
import { undiciDialer } from './undici.ts'

for (const family of ['chromium', 'firefox'] as const) {
  test(`${family}: the JA4 is the captured one on each of ten connections, and what else differs is told`, async (t) => {
    const profile = loadProfile(family)
    const style = (await impersonation(profile, randomBytes))!
    const hellos = await Promise.all(Array.from({ length: 10 }, () => recordHello(style)))
    t.deepEqual(new Set(hellos.map(ja4)), new Set(profile.ja4.fresh))
    t.is(new Set(hellos.map(ja3Sorted)).size, 1)
    const { unfit, leaks } = await checkStyle(style, profile)
    t.is(unfit, undefined)
    t.true(leaks.some((leak) => leak.startsWith('ClientHello, order of extensions')))
    const wanted = profile.tls.shares.filter((share) => share !== 'grease')
    t.deepEqual(
      hellos[0]!.shares.map(([group]) => group.toString(16).padStart(4, '0')),
      wanted,
    )
  })
}

/** Octets of Chromium 156's greeting beside the server's name, one for each length of ECH, as captured. */
const CHROMIUM_LENGTHS = [1903, 1935, 1967, 1999]

test('a greeting has one of Chromium’s lengths, though lists lack what OpenSSL cannot say', async (t) => {
  const style = (await impersonation(loadProfile('chromium'), randomBytes))!
  const hellos = await Promise.all(Array.from({ length: 60 }, () => recordHello(style)))
  const lengths = new Set(hellos.map(({ length }) => length - 'localhost'.length))
  t.deepEqual([...lengths].toSorted(), CHROMIUM_LENGTHS)
})

test('what a browser leaves to chance is left to chance', async (t) => {
  const style = (await impersonation(loadProfile('chromium'), randomBytes))!
  const hellos = await Promise.all(Array.from({ length: 60 }, () => recordHello(style)))
  const ech = hellos.map(({ extensions }) => extensions.find(({ type }) => type === 0xfe0d)!.data)
  t.deepEqual([...new Set(ech.map(({ length }) => length))].sort(), [186, 218, 250, 282])
  t.is(new Set(ech.map((data) => Buffer.from(data).toString('hex'))).size, 60)
  t.true(new Set(hellos.map(({ extensions }) => extensions[0]!.type)).size > 5, 'GREASE')
  t.true(new Set(hellos.map(({ extensions }) => extensions.map(({ type }) => type & 0xf0f0).join())).size > 20, 'order')
})

test('a style that would show another JA4 is refused, and says why', async (t) => {
  const profile = loadProfile('chromium')
  const others = { ...profile, ja4: { fresh: ['t13d1516h2_8daaf6152771_d8a2da3f94cd'], resumed: [] } }
  const { unfit } = await checkStyle((await impersonation(profile, randomBytes))!, others)
  t.regex(unfit!, /^it would show itself as t13d1517h2_\w+, which chromium 156 does not$/)
  const { unfit: failed } = await checkStyle(() => {
    throw new Error('no TLS here')
  }, profile)
  t.is(failed, 'it could not be tried on this machine')
})

test('the broker makes no exchange for a family that it lacks, and says why where it knows', async (t) => {
  const gateway = await startGateway()
  t.teardown(() => gateway.close())
  const folder = join(await temporaryFolder(t), 'firewall')
  const unfit = [{ ...describeProfile(loadProfile('chromium'), []), unfit: 'there is no TLS library for it' }]
  const dialers = [undiciDialer({ connector: tlsConnector() })]
  const broker = await openBroker({ folder, dialers, unfit, now: Date.now, random: randomBytes })
  t.teardown(() => broker.close())
  t.deepEqual(
    (await broker.dialers()).map(({ family, unfit: why }) => [family, why]),
    [
      ['node', undefined],
      ['chromium', 'there is no TLS library for it'],
    ],
  )
  const [info] = await broker.admitInvite(gateway.link)
  const permit = await broker.permit(info!.id)
  const request = { method: 'GET', target: '/', headers: [], body: undefined } as const
  const error = await t.throwsAsync(permit.exchange(request, { family: 'chromium', timeoutMs: 5_000 }), {
    code: 'E_DIALER_UNFIT',
  })
  t.regex(error!.message, /there is no TLS library for it/)
  await t.throwsAsync(permit.exchange(request, { family: 'firefox', timeoutMs: 5_000 }), { code: 'E_FIREWALL_REFUSED' })
  t.is((await permit.exchange(request, { family: 'node', timeoutMs: 5_000 })).status, 200)
  const away = { ...request, headers: [['host', 'elsewhere.test']] as [string, string][] }
  const first = permit.exchange(request, { family: 'node', timeoutMs: 5_000, first: away })
  await t.throwsAsync(first, { code: 'E_FIREWALL_REFUSED' }, 'what comes first is judged as well')
})

test('of this machine: all three, Node’s first', async (t) => {
  const { dialers, unfit } = await openDialers({ random: randomBytes, folder: await temporaryFolder(t) })
  t.deepEqual(
    dialers.map((dialer) => dialer.describe().family),
    ['node', 'chromium', 'firefox'],
  )
  t.deepEqual(unfit, [])
})

test('what is no ClientHello is none, and half of one is waited for', async (t) => {
  const record = Uint8Array.of(22, 3, 1, 0, 4, 2, 0, 0, 0)
  t.throws(() => readClientHello(record), { instanceOf: RangeError })
  t.throws(() => readClientHello(Buffer.from('GET / HTTP/1.1')), { instanceOf: RangeError })
  t.is(readClientHello(Uint8Array.of(22, 3, 1, 0, 9, 1, 0)), undefined)
})
