import test from 'ava'
import { startGateway } from './fixtures/gateway.ts'
import { offerBy, rootOf } from './fixtures/offers.ts'
import { temporaryFolder } from './fixtures/temporary.ts'
import type { Kept } from './journal.ts'
import { nothingKept, undone, withEndpoints } from './journal.ts'
import { openBroker } from './library.ts'
import { PolicyLimits } from './limits.ts'
import { allowOffer, decideOffers, offeredPeers } from './peers.ts'
import type { FirewallEvent, OfferedPeer } from './permit.ts'
import { NO_EXPIRY } from './permit.ts'
import type { Decision, Endpoint } from './policy.ts'
import { confirmed, decideDial } from './policy.ts'

const NOW = 1_900_000_000_000
const filled = (length: number, value: number) => new Uint8Array(length).fill(value)
let made = 100
const fresh = {
  credential: () => ({ id: filled(16, ++made), key: filled(32, made) }),
  newId: () => `p${++made}`,
}
const gateway = (host: string, kind: 'gateway' | 'node' = 'gateway'): Endpoint => ({
  ...{ id: host, kind, name: 'Friends', host, port: 443, template: 'plain', source: 'invite', expires: NO_EXPIRY },
  ...{ addresses: [], certificate: undefined, code: undefined, key: filled(32, 9), cohort: filled(32, 9) },
  ...{ invite: filled(16, 9), credential: { id: filled(16, 9), key: filled(32, 9) } },
})
const keeping = (...endpoints: Endpoint[]): Kept =>
  withEndpoints(nothingKept, new Map(endpoints.map((each) => [each.id, each])), 'admitted', NOW)
const offered = (person: number, offer = offerBy(person)): OfferedPeer => ({ name: `Person ${person}`, offer })
const offer = (kept: Kept, ...offers: OfferedPeer[]) => decideOffers(kept, offers, NOW, fresh)
function value<T>(decision: Decision<T>): T {
  if (!decision.allowed) throw new Error(decision.reason)
  return decision.value
}
const peers = ({ endpoints }: Kept): Endpoint[] => [...endpoints.values()].filter(({ kind }) => kind === 'peer')

/** With a peer that the person has let in. */
function withPeer(person = 1): Kept {
  return value(allowOffer(offer(keeping(gateway('g.example')), offered(person)).kept, rootOf(person), NOW, fresh))
}

test('an offer alone lets nothing in; the person does, by the key that signed it', (t) => {
  const { kept, refused } = offer(keeping(gateway('g.example')), offered(1), offered(2))
  t.deepEqual([refused, peers(kept)], [[], []])
  t.deepEqual(
    offeredPeers(kept).map(({ name, host, isAllowed }) => [name, host, isAllowed]),
    [1, 2].map((n) => [`Person ${n}`, `p${n}.example`, false]),
  )
  const [peer, ...others] = peers(value(allowOffer(kept, rootOf(2), NOW, fresh)))
  t.is(others.length, 0)
  t.like(peer, { kind: 'peer', source: 'contact', name: 'Person 2', host: 'p2.example', expires: 4_000_000_000 })
  t.true(decideDial(new Map([[peer!.id, peer!]]), peer!.id, NOW / 1000).allowed)
  t.deepEqual(allowOffer(kept, rootOf(3), NOW, fresh), { allowed: false, reason: 'unknown-endpoint' })
  const late = allowOffer(kept, rootOf(1), 4_000_000_000_000, fresh)
  t.deepEqual(late, { allowed: false, reason: 'invite-expired' })
})

test('the same offers again change nothing, also once the invite is past', (t) => {
  const kept = withPeer()
  t.is(offer(kept, offered(1)).kept, kept)
  t.is(value(allowOffer(kept, rootOf(1), NOW, fresh)), kept)
  const [peer] = peers(kept)
  const standing = { ...kept, endpoints: new Map(kept.endpoints).set(peer!.id, confirmed(peer!)) }
  t.is(decideOffers(standing, [offered(1)], 5_000_000_000_000, fresh).kept, standing)
})

test('a newer offer moves the peer, and keeps the membership where the code is the same', (t) => {
  const kept = withPeer()
  const [peer] = peers(kept)
  const proven = { ...kept, endpoints: new Map(kept.endpoints).set(peer!.id, confirmed(peer!)) }
  const [moved] = peers(offer(proven, offered(1, offerBy(1, 2, { host: 'new.example' }))).kept)
  t.like(moved, { host: 'new.example', code: undefined, expires: NO_EXPIRY, credential: peer!.credential })
  t.not(moved!.id, peer!.id, 'what is remembered of the old place is not used for the new one')
  const [other] = peers(offer(proven, offered(1, offerBy(1, 2, { code: filled(16, 77) }))).kept)
  t.like(other, { code: filled(16, 77), expires: 4_000_000_000 })
  t.notDeepEqual(other!.credential, peer!.credential)
})

test('an older offer, or another key, moves nothing', (t) => {
  const kept = offer(withPeer(), offered(1, offerBy(1, 5))).kept
  const older = offer(kept, offered(1, offerBy(1, 4, { host: 'old.example' })))
  t.deepEqual(older.refused, ['peer-old'])
  t.deepEqual(peers(older.kept), peers(kept))
  const stranger = offer(kept, offered(1, offerBy(1, 5)), { name: 'Person 1', offer: offerBy(2, 6) })
  t.deepEqual(peers(stranger.kept), peers(kept), 'the key counts, whatever it is called')
})

test('what is not offered any more goes, and can be taken back for a while', (t) => {
  const kept = withPeer()
  const gone = offer(kept).kept
  t.deepEqual([peers(gone), gone.offers], [[], []])
  t.deepEqual(peers(value(undone(gone, NOW)).kept), peers(kept))
  t.deepEqual(peers(value(undone(kept, NOW)).kept), [], 'letting in is taken back as well')
})

test('moves of a node are not the person’s changes: what they can take back stays, however often it moves', (t) => {
  const list = withPeer()
  const others = new Map([...list.endpoints].filter(([id]) => id !== 'g.example'))
  const before = withEndpoints(list, others, 'forgotten', NOW)
  let kept = before
  for (let n = 2; n < 200; n++) {
    kept = decideOffers(kept, [offered(1, offerBy(1, n, { host: `m${n}.example` }))], NOW + n * 1000, fresh).kept
  }
  t.is(peers(kept)[0]?.host, 'm199.example')
  t.is(kept.changes.length, before.changes.length)
  const once = value(undone(kept, NOW + 200_000))
  t.deepEqual([once.change.kind, once.kept.endpoints.has('g.example')], ['forgotten', true])
  const twice = value(undone(once.kept, NOW + 200_000))
  t.deepEqual([twice.change.kind, peers(twice.kept)], ['peered', []], 'letting in is taken back wherever it is by now')
})

test('no offer leads into the person’s own network, unless an invite does', (t) => {
  const near = ['localhost', '127.0.0.1', '192.168.1.1', '169.254.169.254', '10.0.0.1', '::1', 'fd00::1']
  for (const host of near)
    t.deepEqual(offer(keeping(gateway('g.example')), offered(1, offerBy(1, 1, { host }))).refused, ['peer-near'])
  for (const address of ['127.0.0.1', '192.168.1.1', '::ffff:a00:1', 'fe80::1']) {
    const addresses = ['93.184.216.34', address]
    t.deepEqual(offer(keeping(gateway('g.example')), offered(1, offerBy(1, 1, { addresses }))).refused, ['peer-near'])
  }
  const inside = offered(1, offerBy(1, 1, { host: 'localhost' }))
  t.deepEqual(offer(keeping(gateway('localhost')), inside).refused, [])
  t.deepEqual(
    offer(keeping(gateway('localhost', 'node')), inside).refused,
    ['peer-near'],
    'one’s own node is no such invite',
  )
  t.deepEqual(
    peers(offer(withPeer(), offered(1, offerBy(1, 2, { host: 'localhost' }))).kept),
    [],
    'nor does one that moves',
  )
})

test('PolicyLimits.peers; what is damaged takes nothing else along', (t) => {
  const many = Array.from({ length: PolicyLimits.peers + 1 }, (_, n) => offered(n))
  const { kept, refused } = offer(keeping(gateway('g.example')), ...many)
  t.deepEqual([kept.offers.length, refused], [PolicyLimits.peers, ['too-many-peers']])
  const bad = { name: 'Bad', offer: offerBy(9).slice(1) }
  t.deepEqual(offer(withPeer(), bad, offered(1)).refused, ['peer-format'])
  t.is(peers(offer(withPeer(), bad, offered(1)).kept).length, 1)
})

test('at work: what is let in is there after a restart, is dialed, and every step is told', async (t) => {
  const site = await startGateway()
  const folder = await temporaryFolder(t)
  t.teardown(() => site.close())
  const events: FirewallEvent[] = []
  const open = async () => {
    const broker = await openBroker({ folder, dialers: [], now: () => NOW, random: (n) => filled(n, ++made) })
    broker.onEvent((event) => events.push(event))
    return broker
  }
  const first = await open()
  await first.admitInvite(site.link)
  t.deepEqual(await first.offerPeers([offered(1)]), [])
  await first.allowPeer(rootOf(1))
  await first.close()
  const second = await open()
  const [peer] = await second.offerPeers([offered(1)])
  t.like(peer, { kind: 'peer', host: 'p1.example', peer: { version: 1 } })
  t.false(JSON.stringify(peer).includes('credential'), 'no secret crosses over')
  t.is((await second.permit(peer!.id)).endpoint.id, peer!.id)
  t.deepEqual(
    second.peerOffers().map(({ isAllowed }) => isAllowed),
    [true],
  )
  t.deepEqual(await second.offerPeers([]), [])
  await t.throwsAsync(second.permit(peer!.id), { message: /No invite names/ })
  await second.undo()
  t.is((await second.endpoints()).length, 2)
  await second.close()
  const told = events.filter(({ kind }) => ['peered', 'forgotten', 'undone'].includes(kind))
  t.deepEqual(
    told.map(({ kind, reason }) => [kind, reason]),
    [
      ['peered', undefined],
      ['forgotten', 'peer'],
      ['undone', 'forgotten'],
    ],
  )
})
