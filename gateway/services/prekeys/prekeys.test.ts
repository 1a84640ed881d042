import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { base64url, empty, latin1 } from '#protocol/bytes.ts'
import { sha256 } from '#protocol/crypto/hash.ts'
import type { Caller } from '#protocol/services/service.ts'
import { guest, type Keys, refusalOf } from '../mailbox/fixture.ts'
import { Fixture, numbered, requestOf, shelf, TABLES } from './fixture.ts'
import { PrekeyLimits } from './limits.ts'

const caller = (n: number): Caller => ({ member: `guest ${n}`, role: 'guest' })
const ben: Caller = { member: 'ben', role: 'member' }

test('each question takes the lowest key of each kind; when they are gone, the head alone', async (t) => {
  const fixture = await Fixture.create(t)
  const keys = await fixture.queue()
  const { head } = shelf() as { head: Uint8Array }
  t.deepEqual(await fixture.publish(keys, { dh: numbered(1, 3), kem: numbered(1, 2) }), {
    head: sha256(head),
    dh: { count: 3, low: 1 },
    kem: { count: 2, low: 1 },
  })
  t.deepEqual(await fixture.fetch(keys, 1, caller(1)), {
    head,
    dh: numbered(1, 1)[0]!.key,
    kem: numbered(1, 1)[0]!.key,
  })
  t.deepEqual(await fixture.fetch(keys, 2, caller(2)), {
    head,
    dh: numbered(2, 2)[0]!.key,
    kem: numbered(2, 2)[0]!.key,
  })
  t.deepEqual(await fixture.fetch(keys, 3, caller(3)), { head, dh: numbered(3, 3)[0]!.key, kem: empty })
  t.deepEqual(await fixture.fetch(keys, 4, caller(4)), { head, dh: empty, kem: empty })
  const { rid, rauth } = keys
  t.like(await fixture.call('prekeys.stock', { rid, rauth }), { dh: { count: 0, low: 4 }, kem: { count: 0, low: 3 } })
})

test('a repeated question gets the same answer, of the same caller alone', async (t) => {
  const fixture = await Fixture.create(t)
  const keys = await fixture.queue()
  await fixture.publish(keys, { dh: numbered(1, 9), kem: numbered(1, 9) })
  const [first, same] = await Promise.all([fixture.fetch(keys, 1), fixture.fetch(keys, 1)])
  t.deepEqual(same, first)
  t.deepEqual(await fixture.fetch(keys, 1), first)
  const other = await fixture.fetch(keys, 1, ben)
  t.notDeepEqual(other.dh, first!.dh)
  fixture.now += PrekeyLimits.answerMs
  t.notDeepEqual(await fixture.fetch(keys, 1), first)
})

test('many at once: no key twice', async (t) => {
  const fixture = await Fixture.create(t)
  const keys = await fixture.queue()
  await fixture.publish(keys, { dh: numbered(1, 100), kem: numbered(1, 20) })
  const all = await Promise.all(Array.from({ length: 120 }, (_, i) => fixture.fetch(keys, 1, caller(i))))
  for (const kind of ['dh', 'kem'] as const) {
    const given = all.map((fetched) => latin1(fetched[kind])).filter((key) => key !== '')
    t.is(given.length, kind === 'dh' ? 100 : 20)
    t.is(new Set(given).size, given.length)
  }
})

test('publishing again after a lost answer, or what was taken, brings no key back', async (t) => {
  const fixture = await Fixture.create(t)
  const keys = await fixture.queue()
  await fixture.publish(keys, { dh: numbered(1, 3) })
  await fixture.fetch(keys, 1)
  t.like(await fixture.publish(keys, { dh: numbered(1, 3) }), { dh: { count: 2, low: 2 } })
  t.like(await fixture.publish(keys, { dh: numbered(3, 4) }), { dh: { count: 3, low: 2 } })
  t.like(await fixture.publish(keys, { dh: numbered(5, 6), clear: true }), { dh: { count: 2, low: 5 } })
  t.like(await fixture.publish(keys, { dh: numbered(5, 6), clear: true }), { dh: { count: 0, low: 7 } })
  const { rid, rauth } = keys
  t.is(await fixture.refusal('prekeys.publish', { rid, rauth, ...shelf(), dh: numbered(1, 2).reverse() }), 'invalid')
})

test('who may do what', async (t) => {
  const fixture = await Fixture.create(t)
  const keys = await fixture.queue()
  const { rid, rauth, sid, sauth } = keys
  const request = requestOf(1)
  t.is(await fixture.refusal('prekeys.fetch', { sid, sauth, request }), 'none')
  t.is(await fixture.refusal('prekeys.fetch', { sid, sauth: rauth, request }), 'unknown')
  t.is(await fixture.refusal('prekeys.fetch', { sid: rid, sauth, request }), 'unknown')
  t.is(await fixture.refusal('prekeys.fetch', { sid, sauth, request, more: 1 }), 'invalid')
  t.is(await fixture.refusal('prekeys.publish', { rid, rauth: sauth, ...shelf() }), 'unknown')
  t.is(await fixture.refusal('prekeys.publish', { rid, rauth, ...shelf() }, guest), 'forbidden')
  t.is(await fixture.refusal('prekeys.stock', { rid, rauth }, guest), 'forbidden')
  t.deepEqual(await fixture.call('prekeys.stock', { rid, rauth }), {
    head: empty,
    dh: { count: 0, low: 1 },
    kem: { count: 0, low: 1 },
  })
})

test('a shelf goes with its queue, and its owner may fill another', async (t) => {
  const fixture = await Fixture.create(t, { shelvesPerMember: 1 })
  const [first, second] = [await fixture.queue(), await fixture.queue()]
  await fixture.publish(first, { dh: numbered(1, 2), kem: numbered(1, 2) })
  t.is(await refusalOf(fixture.publish(second)), 'limit', 'PrekeyLimits.shelvesPerMember')
  await fixture.call('mailbox.delete', { rid: first.rid, rauth: first.rauth })
  await fixture.publish(second)
  await fixture.call('mailbox.delete', { rid: second.rid, rauth: second.rauth })
  t.is(await fixture.prekeys.sweep(), 1)
  for (const table of TABLES.filter((name) => name.startsWith('prekey-')))
    t.deepEqual(fixture.store.table(table).scan(undefined, 9), [], table)
})

test('PrekeyLimits: sizes and counts of what is published', async (t) => {
  const fixture = await Fixture.create(t)
  const keys = await fixture.queue()
  const refusal = (more: object): Promise<string> => refusalOf(fixture.publish(keys, more))
  t.is(await refusal({ head: new Uint8Array(PrekeyLimits.headBytes + 1) }), 'invalid')
  t.is(await refusal({ dh: [{ id: 1, key: new Uint8Array(PrekeyLimits.dhBytes + 1) }] }), 'invalid')
  t.is(await refusal({ kem: [{ id: 1, key: new Uint8Array(PrekeyLimits.kemBytes + 1) }] }), 'invalid')
  t.is(await refusal({ dh: numbered(1, PrekeyLimits.dhPerShelf + 1) }), 'invalid')
  t.is(await refusal({ kem: numbered(1, PrekeyLimits.kemPerShelf + 1) }), 'invalid')
  const kem = Array.from({ length: PrekeyLimits.kemPerShelf }, (_, i) => ({
    id: i + 1,
    key: new Uint8Array(PrekeyLimits.kemBytes),
  }))
  t.is(await refusal({ head: new Uint8Array(PrekeyLimits.headBytes), dh: numbered(1, 100), kem }), 'accepted')
  t.is(await refusal({ dh: numbered(101, 101) }), 'full')
  t.is(await refusal({ kem: [{ id: 21, key: new Uint8Array(1) }] }), 'full')
})

test('PrekeyLimits.drawsPerShelf, drawsPerMember: who asks on and on gets the last resort, and others go on', async (t) => {
  const fixture = await Fixture.create(t, { drawsPerMember: 5 })
  const shelves = await Promise.all([1, 2].map(() => fixture.queue()))
  for (const keys of shelves) await fixture.publish(keys, { dh: numbered(1, 50) })
  const drawn = async (keys: Keys, who: Caller): Promise<number> => {
    let count = 0
    for (let i = 0; i < 10; i++) if ((await fixture.fetch(keys, i, who)).dh.length > 0) count++
    return count
  }
  t.is(await drawn(shelves[0]!, caller(1)), PrekeyLimits.drawsPerShelf)
  t.is(await drawn(shelves[1]!, caller(1)), 2)
  t.is(await drawn(shelves[0]!, caller(2)), PrekeyLimits.drawsPerShelf)
  fixture.now += 86_400_000
  t.is(await drawn(shelves[0]!, caller(1)), PrekeyLimits.drawsPerShelf, 'a new day')
})

test('PrekeyLimits.counts, answers: memory stays bounded', async (t) => {
  const fixture = await Fixture.create(t, { counts: 4, answers: 3 })
  const keys = await fixture.queue()
  await fixture.publish(keys, { dh: numbered(1, 50) })
  const drawn = await Promise.all([1, 2, 3].map((n) => fixture.fetch(keys, 1, caller(n))))
  t.deepEqual(
    drawn.map(({ dh }) => dh.length > 0),
    [true, true, false],
    'two counts for each of two callers',
  )
  const first = await fixture.fetch(keys, 7, caller(1))
  for (const request of [8, 9, 10]) await fixture.fetch(keys, request, caller(2))
  t.notDeepEqual(await fixture.fetch(keys, 7, caller(1)), first, 'forgotten')
})

/** A gateway process that gives away one key after the other, and says which. */
const program = (folder: string, keys: Keys): string => `
  import { openStore } from '#gateway/store/store.ts'
  import { Prekeys } from '#gateway/services/prekeys/prekeys.ts'
  const tables = ${JSON.stringify(TABLES)}
  const store = await openStore({ folder: ${JSON.stringify(folder)}, key: new Uint8Array(32).fill(1), tables })
  const { service } = new Prekeys({ store, now: Date.now })
  const bytes = (text) => new Uint8Array(Buffer.from(text, 'base64url'))
  const [sid, sauth] = [bytes('${base64url(keys.sid)}'), bytes('${base64url(keys.sauth)}')]
  for (let n = 0; n < 90; n++) {
    const args = { sid, sauth, request: new Uint8Array(16) }
    const { dh } = await service.unary['prekeys.fetch'](args, { member: 'guest ' + n, role: 'guest' })
    process.send(dh[0])
  }
  setInterval(() => undefined, 1_000)
`

function start(t: ExecutionContext, folder: string, keys: Keys): ChildProcess {
  const child = spawn(process.execPath, ['--input-type=module', '-e', program(folder, keys)], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    cwd: join(import.meta.dirname, '../../..'),
  })
  t.teardown(() => child.kill('SIGKILL'))
  return child
}

for (const count of [1, 20, 60]) {
  test(`a gateway killed after ${count} keys gives none of them again`, async (t) => {
    const fixture = await Fixture.create(t)
    const keys = await fixture.queue()
    await fixture.publish(keys, { dh: numbered(1, 100) })
    await fixture.store.close()
    const child = start(t, join(fixture.folder, 'store'), keys)
    const given: number[] = []
    child.on('message', (id: number) => {
      if (given.push(id) === count) child.kill('SIGKILL')
    })
    const [, signal] = await once(child, 'exit')
    t.is(signal, 'SIGKILL')
    await fixture.open()
    for (let n = 0; n < 100 - given.length; n++) {
      const { dh } = await fixture.fetch(keys, 1, caller(n))
      if (dh.length > 0) t.false(given.includes(dh[0]!), `key ${dh[0]}`)
    }
    const { rid, rauth } = keys
    t.like(
      await fixture.publish(keys, { dh: numbered(1, 100) }),
      { dh: { count: 0, low: 101 } },
      'nor after publishing',
    )
    t.like(await fixture.call('prekeys.stock', { rid, rauth }), { dh: { count: 0 } })
  })
}
