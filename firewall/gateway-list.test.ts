import test from 'ava'
import { ed25519PublicKey } from '#protocol/crypto/ed25519.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import type { GatewayList, ListedGateway } from '#protocol/gateway-list.ts'
import { sealGatewayList } from '#protocol/gateway-list.ts'
import { tlsConnector } from './dialers/tls-connector.ts'
import { undiciDialer } from './dialers/undici.ts'
import { startGateway } from './fixtures/gateway.ts'
import { temporaryFolder } from './fixtures/temporary.ts'
import { decideList } from './gateway-list.ts'
import type { Kept } from './journal.ts'
import { nothingKept, undone, withEndpoints } from './journal.ts'
import { openBroker } from './library.ts'
import { PolicyLimits } from './limits.ts'
import type { FirewallEvent } from './permit.ts'
import { NO_EXPIRY } from './permit.ts'
import type { Decision, Endpoint } from './policy.ts'
import { decideDial } from './policy.ts'

const NOW = 1_900_000_000_000
const SECOND = NOW / 1000
const seed = new Uint8Array(32).fill(3)
const root = ed25519PublicKey(seed)
const filled = (length: number, value: number) => new Uint8Array(length).fill(value)

const member = (n: number, changes: Partial<Endpoint> = {}): Endpoint => ({
  ...{ id: `e${n}`, kind: 'gateway', name: 'Friends', host: `g${n}.example`, port: 443, template: 'plain', root },
  ...{ expires: NO_EXPIRY, source: 'invite', addresses: [], certificate: undefined, code: undefined },
  ...{ key: filled(32, n), cohort: filled(32, n), invite: filled(16, 1) },
  ...{ credential: { id: filled(16, 1), key: filled(32, 1) } },
  ...changes,
})
const keeping = (...endpoints: Endpoint[]): Kept =>
  withEndpoints(nothingKept, new Map(endpoints.map((each) => [each.id, each])), 'admitted', NOW)
const place = (n: number, more: Partial<ListedGateway> = {}): ListedGateway => ({
  ...{ host: `g${n}.example`, port: 443, addresses: [], key: filled(32, n) },
  ...more,
})
const sealed = (version: number, gateways: readonly ListedGateway[], more: Partial<GatewayList> = {}, by = seed) =>
  sealGatewayList(by, { version, from: SECOND - 10, until: SECOND + 1000, gateways, ...more })

let ids = 0
const decide = (kept: Kept, bytes: Uint8Array, now = NOW) => decideList(kept, bytes, now, () => `l${++ids}`)
function value<T>(decision: Decision<T>): T {
  if (!decision.allowed) throw new Error(decision.reason)
  return decision.value
}
const hosts = (kept: Kept): string[] =>
  [...kept.endpoints.values()].map(({ host, source }) => `${source} ${host}`).sort()
const reason = (decision: Decision<unknown>): string => (decision.allowed ? 'allowed' : decision.reason)

test('a list adds gateways to the membership of its invite, until it ends', (t) => {
  const kept = value(decide(keeping(member(1)), sealed(1, [place(1), place(2)])))
  t.deepEqual(hosts(kept), ['invite g1.example', 'list g2.example'])
  const added = [...kept.endpoints.values()].find(({ source }) => source === 'list')!
  t.like(added, { name: 'Friends', expires: SECOND + 1000, cohort: filled(32, 1), credential: member(1).credential })
  t.true(decideDial(kept.endpoints, added.id, SECOND + 1000).allowed)
  t.is(reason(decideDial(kept.endpoints, added.id, SECOND + 1001)), 'list-expired')
})

test('a newer list takes away what the older one added, and nothing that an invite named', (t) => {
  const first = value(decide(keeping(member(1)), sealed(1, [place(2), place(3)])))
  const second = value(decide(first, sealed(2, [place(3), place(4)])))
  t.deepEqual(hosts(second), ['invite g1.example', 'list g3.example', 'list g4.example'])
  const idOf = (kept: Kept, host: string) => [...kept.endpoints.values()].find((each) => each.host === host)!.id
  t.is(idOf(first, 'g3.example'), idOf(second, 'g3.example'), 'what stays is the same endpoint')
  const moved = value(decide(second, sealed(3, [place(3, { addresses: ['9.9.9.9'] })])))
  t.not(idOf(moved, 'g3.example'), idOf(second, 'g3.example'), 'at another address it is another')
  t.deepEqual(hosts(value(decide(moved, sealed(4, [])))), ['invite g1.example'])
})

test('no list is taken back to an older one, and the same again changes nothing', (t) => {
  const kept = value(decide(keeping(member(1)), sealed(5, [place(2)])))
  t.is(reason(decide(kept, sealed(4, [place(3)]))), 'list-old')
  t.is(value(decide(kept, sealed(5, [place(3)]))), kept)
})

test('a list that was taken back does not come again', (t) => {
  const list = sealed(5, [place(2)])
  const kept = value(decide(keeping(member(1)), list))
  const back = value(undone(kept, NOW))
  t.is(back.change.kind, 'listed')
  t.deepEqual(hosts(back.kept), ['invite g1.example'])
  t.deepEqual(hosts(value(decide(back.kept, list))), ['invite g1.example'])
})

test('what is no list, another’s, not yet or no longer valid, or too much is refused', (t) => {
  const kept = keeping(member(1))
  const good = sealed(1, [place(2)])
  t.is(reason(decide(kept, good.slice(1))), 'list-format')
  t.is(reason(decide(kept, randomBytes(500))), 'list-format')
  t.is(reason(decide(kept, sealed(1, [place(2)], {}, filled(32, 4)))), 'list-signature')
  t.is(reason(decide(keeping(member(1, { root: filled(32, 9) })), good)), 'list-signature')
  t.is(reason(decide(nothingKept, good)), 'list-signature')
  t.is(reason(decide(kept, good, NOW - 11_000)), 'list-expired')
  t.is(reason(decide(kept, good, NOW + 1_000_000)), 'list-expired')
  const full = keeping(...Array.from({ length: PolicyLimits.endpoints }, (_, n) => member(n)))
  t.is(reason(decide(full, sealed(1, [place(200)]))), 'too-many-endpoints')
})

test('a list leads into the person’s own network only where the invite does', (t) => {
  const near: Partial<ListedGateway>[] = [
    ...['127.0.0.1', '192.168.1.1', '::1', '::ffff:10.0.0.1', '64:ff9b::a00:1'].map((address) => ({
      addresses: [
        '9.9.9.9',
        new URL(`http://${address.includes(':') ? `[${address}]` : address}`).hostname.replace(/[[\]]/g, ''),
      ],
    })),
    { host: '10.0.0.1' },
    { host: 'router.localhost' },
  ]
  for (const more of near) {
    const list = sealed(1, [place(2), place(3, more)])
    t.is(reason(decide(keeping(member(1)), list)), 'list-near', JSON.stringify(more))
    t.true(decide(keeping(member(1, { addresses: ['192.168.1.7'] })), list).allowed)
  }
})

test('a list vouches for no further lists: only an invite’s root key does', (t) => {
  const kept = value(decide(keeping(member(1)), sealed(1, [place(2)])))
  const alone = { ...kept, endpoints: new Map([...kept.endpoints].filter(([, { source }]) => source === 'list')) }
  t.is(reason(decide(alone, sealed(2, [place(3)]))), 'list-signature')
})

test('two memberships under one root each get the gateways, with their own secrets', (t) => {
  const other = member(2, {
    id: 'o',
    host: 'g1.example',
    key: filled(32, 1),
    invite: filled(16, 2),
    cohort: filled(32, 8),
  })
  const kept = value(decide(keeping(member(1), other), sealed(1, [place(5)])))
  const added = [...kept.endpoints.values()].filter(({ source }) => source === 'list')
  t.deepEqual(added.map(({ cohort }) => cohort[0]).sort(), [1, 8])
})

test('in the broker: a list is taken in, told, dialed, and refused lists cut off who goes on offering them', async (t) => {
  const gateway = await startGateway()
  t.teardown(() => gateway.close())
  const dialer = undiciDialer({ connector: tlsConnector({ resolve: async () => [] }) })
  const folder = await temporaryFolder(t)
  const now = (): number => NOW
  const broker = await openBroker({ folder, dialers: [dialer], now, random: randomBytes, wait: async () => {} })
  t.teardown(() => broker.close())
  const events: FirewallEvent[] = []
  broker.onEvent((event) => events.push(event))
  const [info] = await broker.admitInvite(gateway.invite({ root }))
  const { port } = gateway.site
  const more = { host: 'localhost', port, addresses: ['127.0.0.1'], key: gateway.key, tls: gateway.certificates.pin }
  const [added, ...others] = await broker.offerList(info!.id, sealed(1, [more]))
  t.deepEqual(others, [])
  t.like(added, { host: 'localhost', source: 'list', expires: SECOND + 1000 })
  const permit = await broker.permit(added!.id)
  const { status } = await permit.exchange(
    { method: 'GET', target: '/x', headers: [], body: undefined },
    { family: 'node', timeoutMs: 9_000 },
  )
  t.is(status, 200)
  t.deepEqual(await broker.offerList(info!.id, sealed(1, [more])), [])
  await broker.offerList(info!.id, sealed(2, []))
  await t.throwsAsync(broker.permit(added!.id), { code: 'E_FIREWALL_REFUSED' })
  const told = events.filter(({ endpoint }) => endpoint === added!.id).map(({ kind }) => kind)
  t.deepEqual(told, ['listed', 'permitted', 'dialed', 'forgotten'])
  for (let i = 0; i < 30; i++)
    await t.throwsAsync(broker.offerList(info!.id, randomBytes(300)), { code: 'E_FIREWALL_REFUSED' })
  t.like(broker.view(info!.id), { condition: 'cut', reason: 'lists' })
  const refused = new Set(events.filter(({ kind }) => kind === 'refused').map((event) => event.reason))
  t.deepEqual([...refused].sort(), ['list-format', 'too-many-lists', 'unknown-endpoint'])
})
