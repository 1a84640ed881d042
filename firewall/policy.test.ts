import test from 'ava'
import type { Invite } from '#protocol/invite.ts'
import { PolicyLimits } from './limits.ts'
import { NO_EXPIRY } from './permit.ts'
import type { Decision, Endpoints } from './policy.ts'
import { authority, confirmed, decideAdmission, decideDial, publicInfo } from './policy.ts'

const NOW = 1_900_000_000
const filled = (length: number, value: number) => new Uint8Array(length).fill(value)

const gateway = (n: number): Invite['gateways'][number] => ({
  host: `g${n}.example.org`,
  port: 443,
  addresses: [],
  key: filled(32, n),
  cohort: filled(32, 100 + n),
})

const invite = (...gateways: Invite['gateways']): Invite => ({
  name: 'Friends',
  gateways,
  code: filled(16, 1),
  template: 'plain',
  expires: NOW + 10,
  root: filled(32, 2),
})

let ids = 0
let credentials = 0
const fresh = (mark: number) => ({
  kind: 'gateway' as const,
  invite: filled(16, mark),
  credential: { id: filled(16, ++credentials), key: filled(32, credentials) },
  newId: () => `e${++ids}`,
})

function value<T>(decision: Decision<T>): T {
  if (!decision.allowed) throw new Error(decision.reason)
  return decision.value
}

const none: Endpoints = new Map()
const admit = (endpoints: Endpoints, mark: number, ...gateways: Invite['gateways']) =>
  value(decideAdmission(endpoints, invite(...gateways), fresh(mark)))

test('nothing may be dialed that no invite named', (t) => {
  t.deepEqual(decideDial(none, 'e1', NOW), { allowed: false, reason: 'unknown-endpoint' })
  const { endpoints } = admit(none, 1, gateway(1))
  t.false(decideDial(endpoints, 'e999', NOW).allowed)
  t.false(decideDial(endpoints, '__proto__', NOW).allowed)
})

test('an invite opens its gateways, and the list before it stays as it was', (t) => {
  const { endpoints, ofInvite } = admit(none, 1, gateway(1), gateway(2))
  t.is(none.size, 0)
  t.deepEqual(
    ofInvite.map(({ host }) => host),
    ['g1.example.org', 'g2.example.org'],
  )
  for (const { id } of ofInvite) t.true(decideDial(endpoints, id, NOW).allowed)
  t.deepEqual(ofInvite[0]!.credential, ofInvite[1]!.credential, 'one membership for all gateways of an invite')
})

test('the same invite again changes nothing; a gateway more keeps the credential', (t) => {
  const first = admit(none, 1, gateway(1))
  const again = admit(first.endpoints, 1, gateway(1))
  t.deepEqual([...again.endpoints], [...first.endpoints])
  const more = admit(first.endpoints, 1, gateway(1), gateway(2))
  t.is(more.endpoints.size, 2)
  t.deepEqual(more.ofInvite[1]!.credential, first.ofInvite[0]!.credential)
})

test('another invite to the same place is another membership', (t) => {
  const first = admit(none, 1, gateway(1))
  const second = admit(first.endpoints, 2, gateway(1))
  t.is(second.endpoints.size, 2)
  t.notDeepEqual(second.ofInvite[0]!.credential, first.ofInvite[0]!.credential)
})

test('an invite ends, unless the gateway has once answered it', (t) => {
  const { endpoints, ofInvite } = admit(none, 1, gateway(1))
  const id = ofInvite[0]!.id
  t.true(decideDial(endpoints, id, NOW + 10).allowed)
  t.deepEqual(decideDial(endpoints, id, NOW + 11), { allowed: false, reason: 'invite-expired' })
  const standing = confirmed(ofInvite[0]!)
  t.is(standing.code, undefined)
  t.is(standing.expires, NO_EXPIRY)
  t.true(decideDial(new Map([[id, standing]]), id, NOW * 2).allowed)
})

test('PolicyLimits.endpoints', (t) => {
  let endpoints = none
  for (let n = 0; n < PolicyLimits.endpoints; n++) endpoints = admit(endpoints, n, gateway(n)).endpoints
  t.is(endpoints.size, PolicyLimits.endpoints)
  const decision = decideAdmission(endpoints, invite(gateway(200)), fresh(200))
  t.deepEqual(decision, { allowed: false, reason: 'too-many-endpoints' })
})

test('a person has one node: another one takes its place, and touches no gateway', (t) => {
  const node = (endpoints: Endpoints, n: number) =>
    value(decideAdmission(endpoints, invite(gateway(n)), { ...fresh(n), kind: 'node' })).endpoints
  const first = node(admit(none, 1, gateway(1)).endpoints, 2)
  t.deepEqual(
    [...first.values()].map(({ kind }) => kind),
    ['gateway', 'node'],
  )
  t.deepEqual(node(first, 2), first, 'the same link again changes nothing')
  t.deepEqual(
    [...node(first, 3).values()].map(({ host }) => host),
    [gateway(1).host, gateway(3).host],
  )
})

test('what the core may know holds no secret', (t) => {
  const { ofInvite } = admit(none, 1, gateway(1))
  t.deepEqual(Object.keys(publicInfo(ofInvite[0]!)).sort(), [
    ...['expires', 'host', 'id', 'kind', 'name', 'port', 'root', 'source', 'template'],
  ])
  // `root` is a public key.
  const { root, ...rest } = publicInfo(ofInvite[0]!)
  t.is(root?.length, 32)
  for (const field of Object.values(rest) as unknown[]) t.false(field instanceof Uint8Array)
})

test('authority', (t) => {
  t.is(authority({ host: 'a.example', port: 443 }), 'a.example')
  t.is(authority({ host: 'a.example', port: 8443 }), 'a.example:8443')
  t.is(authority({ host: '::1', port: 443 }), '[::1]')
  t.is(authority({ host: '127.0.0.1', port: 80 }), '127.0.0.1:80')
})
