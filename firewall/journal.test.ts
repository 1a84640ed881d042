import test from 'ava'
import type { Kept } from './journal.ts'
import { compacted, nothingKept, undone, withEndpoints } from './journal.ts'
import { PolicyLimits } from './limits.ts'
import { NO_EXPIRY } from './permit.ts'
import type { Decision, Endpoint } from './policy.ts'

const NOW = 1_900_000_000_000
const filled = (length: number, value: number) => new Uint8Array(length).fill(value)
const endpoint = (n: number): Endpoint => ({
  ...{ id: `e${n}`, kind: 'gateway', name: 'Friends', host: `g${n}.example`, port: 443, template: 'plain' },
  ...{ expires: NO_EXPIRY, source: 'invite', addresses: [], certificate: undefined, code: undefined },
  ...{ key: filled(32, n), cohort: filled(32, n), invite: filled(16, n) },
  credential: { id: filled(16, n), key: filled(32, n) },
})

function value<T>(decision: Decision<T>): T {
  if (!decision.allowed) throw new Error(decision.reason)
  return decision.value
}

const including = (kept: Kept, ...numbers: number[]): Kept => {
  const endpoints = new Map([...kept.endpoints.values(), ...numbers.map(endpoint)].map((each) => [each.id, each]))
  return withEndpoints(kept, endpoints, 'admitted', NOW)
}
const excluding = (kept: Kept, id: string, at = NOW): Kept =>
  withEndpoints(kept, new Map([...kept.endpoints].filter(([each]) => each !== id)), 'forgotten', at)

test('changes are taken back one by one, the latest first, with everything that was secret', (t) => {
  const first = including(nothingKept, 1, 2)
  const kept = excluding(including(first, 3), 'e1')
  const one = value(undone(kept, NOW))
  t.is(one.change.kind, 'forgotten')
  t.deepEqual(one.kept.endpoints.get('e1'), endpoint(1))
  const two = value(undone(one.kept, NOW))
  t.deepEqual([...two.kept.endpoints.keys()].sort(), ['e1', 'e2'])
  const three = value(undone(two.kept, NOW))
  t.is(three.kept.endpoints.size, 0)
  t.deepEqual(undone(three.kept, NOW), { allowed: false, reason: 'nothing-to-undo' })
})

test('what changes nothing is no change', (t) => {
  const kept = including(nothingKept, 1)
  t.is(withEndpoints(kept, new Map(kept.endpoints), 'admitted', NOW), kept)
})

test('PolicyLimits.undoMs: what was forgotten long ago is gone', (t) => {
  const kept = excluding(including(nothingKept, 1), 'e1')
  t.true(undone(kept, NOW + PolicyLimits.undoMs).allowed)
  t.deepEqual(undone(kept, NOW + PolicyLimits.undoMs + 1), { allowed: false, reason: 'nothing-to-undo' })
  t.deepEqual(compacted(kept.changes, NOW + PolicyLimits.undoMs + 1), [])
})

test('PolicyLimits.changes and keptRemovals: a core that forgets and forgets pushes nothing out but older changes', (t) => {
  let kept = nothingKept
  for (let n = 0; n < PolicyLimits.changes + 5; n++) kept = including(kept, n)
  t.is(kept.changes.length, PolicyLimits.changes)
  t.is(kept.changes.at(-1)!.added[0], `e${PolicyLimits.changes + 4}`)
  const removed = Array.from({ length: PolicyLimits.keptRemovals }, (_, n) => endpoint(n))
  const many = { at: NOW, kind: 'forgotten', added: [], removed } as const
  const one = { ...many, removed: [endpoint(99)] }
  t.deepEqual(compacted([many], NOW), [many])
  t.deepEqual(compacted([many, one], NOW), [one], 'all of an older change or nothing of it')
})

test('a list that is full again takes nothing back', (t) => {
  const numbers = Array.from({ length: PolicyLimits.endpoints }, (_, n) => n)
  const kept = excluding(including(nothingKept, ...numbers), 'e0')
  const full = { ...kept, endpoints: new Map(kept.endpoints).set('other', { ...endpoint(0), id: 'other' }) }
  t.deepEqual(undone(full, NOW), { allowed: false, reason: 'too-many-endpoints' })
})
