import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { hex, utf8 } from '#protocol/bytes.ts'
import { isSottoError } from '#protocol/errors.ts'
import type { Caller } from '#protocol/services/service.ts'
import { anna, bodyOf, drawKeys, Fixture, guest, idOf, openBox, refusalOf } from './fixture.ts'
import { MailboxLimits } from './limits.ts'

const DAY_MS = 86_400_000

test('a message waits on disk until it is acknowledged, and leaves sealed again', async (t) => {
  const fixture = await Fixture.create(t)
  const keys = await fixture.queue()
  t.deepEqual(await fixture.put(keys, 1), { stored: 'stored' })
  const first = await fixture.waiting([keys], 1)
  const again = await fixture.waiting([keys], 1)
  t.is(openBox(keys, first.got[0]!), hex(bodyOf(1)))
  t.is(openBox(keys, again.got[0]!), hex(bodyOf(1)))
  t.notDeepEqual(first.got[0]!.box, again.got[0]!.box, 'a fresh nonce each time')
  t.is(Buffer.from(first.got[0]!.box).indexOf(bodyOf(1, 16)), -1)
  t.deepEqual(first.got[0]!.rid, keys.rid)
  t.is(first.got[0]!.at, fixture.now)
  t.deepEqual(await fixture.ack(keys, 1, 2), { acked: 1 })
  t.deepEqual(await fixture.ack(keys, 1), { acked: 0 })
  t.deepEqual((await fixture.waiting([keys], 0)).got, [])
})

for (const policy of ['ram', 'disk'] as const) {
  test(`${policy}: the same id is stored once, also after it was acknowledged`, async (t) => {
    const fixture = await Fixture.create(t)
    const keys = await fixture.queue(policy)
    const results = await Promise.all([fixture.put(keys, 1), fixture.put(keys, 1), fixture.put(keys, 1)])
    t.deepEqual(results, [{ stored: 'stored' }, { stored: 'duplicate' }, { stored: 'duplicate' }])
    t.deepEqual((await fixture.waiting([keys], 1)).ids(), [1])
    await fixture.ack(keys, 1)
    t.deepEqual(await fixture.put(keys, 1), { stored: 'duplicate' })
    t.deepEqual((await fixture.waiting([keys], 0)).ids(), [])
    const other = await fixture.queue(policy)
    t.deepEqual(await fixture.put(other, 1), { stored: 'stored' }, 'ids count per queue')
  })

  test(`${policy}: a full queue refuses, keeps what it has, and takes more after an acknowledgement`, async (t) => {
    const fixture = await Fixture.create(t)
    const keys = await fixture.queue(policy)
    const all = Array.from({ length: MailboxLimits.waitingPerQueue }, (_, n) => n)
    await Promise.all(all.map((n) => fixture.put(keys, n)))
    t.is(await fixture.putRefusal(keys, 200), 'full')
    t.deepEqual(await fixture.put(keys, 5), { stored: 'duplicate' }, 'a repeat is still known')
    t.deepEqual((await fixture.waiting([keys], all.length)).ids(), all)
    t.deepEqual(await fixture.ack(keys, 0, 1), { acked: 2 })
    t.deepEqual(await fixture.put(keys, 200), { stored: 'stored' })
    t.deepEqual((await fixture.waiting([keys], all.length - 1)).ids(), [...all.slice(2), 200])
  })

  test(`${policy}: what has expired is neither delivered nor counted`, async (t) => {
    const fixture = await Fixture.create(t, { limits: { waitingPerQueue: 2 } })
    const keys = await fixture.queue(policy, 60)
    await fixture.put(keys, 1)
    fixture.now += 30_000
    await fixture.put(keys, 2)
    t.is(await fixture.putRefusal(keys, 3), 'full')
    fixture.now += 30_000
    t.deepEqual((await fixture.waiting([keys], 1)).ids(), [2])
    t.deepEqual(await fixture.put(keys, 3), { stored: 'stored' })
    t.deepEqual((await fixture.waiting([keys], 2)).ids(), [2, 3])
  })

  test(`${policy}: the sweep drops what has expired and gives the space back`, async (t) => {
    const fixture = await Fixture.create(t)
    const keys = await fixture.queue(policy, 60)
    for (let n = 0; n < 100; n++) await fixture.put(keys, n, { body: bodyOf(n, 16_000) })
    const before = fixture.store.usedBytes()
    t.is(await fixture.mailbox.sweep(), 0)
    fixture.now += 60_000
    t.is(await fixture.mailbox.sweep(), 100)
    t.is(await fixture.mailbox.sweep(), 0)
    if (policy === 'disk') t.true(fixture.store.usedBytes() < before / 10)
    t.deepEqual(await fixture.put(keys, 1), { stored: 'stored' })
  })
}

test('a restart keeps mail on disk, and the queues but not the mail of memory', async (t) => {
  const fixture = await Fixture.create(t)
  const [disk, ram] = [await fixture.queue('disk'), await fixture.queue('ram')]
  for (const n of [1, 2, 3]) await fixture.put(disk, n)
  await fixture.put(ram, 1)
  await fixture.ack(disk, 2)
  await fixture.restart()
  t.deepEqual((await fixture.waiting([disk, ram], 2)).ids(), [1, 3])
  t.deepEqual(await fixture.put(ram, 1), { stored: 'stored' })
  t.deepEqual(await fixture.put(disk, 4), { stored: 'stored' })
  t.deepEqual((await fixture.waiting([disk], 3)).ids(), [1, 3, 4], 'the order of arrival outlives a restart')
})

test('no id, secret or body stands on disk', async (t) => {
  const fixture = await Fixture.create(t)
  const keys = await fixture.queue()
  const id = utf8('sixteen-octets-!')
  await fixture.put(keys, 1, { id, body: utf8('a planted body of a message') })
  await fixture.ack(keys, 9)
  const planted = [keys.rid, keys.sid, keys.rauth, keys.sauth, keys.seal, id, utf8('planted body'), utf8('anna')]
  const folder = join(fixture.folder, 'store')
  for (const file of readdirSync(folder)) {
    const bytes = readFileSync(join(folder, file))
    for (const secret of planted) t.is(bytes.indexOf(secret), -1, file)
  }
})

test('making a queue again is harmless; taking somebody else’s ids is refused', async (t) => {
  const fixture = await Fixture.create(t)
  const keys = drawKeys()
  const args = { ...keys, policy: 'disk', ttl: 60 }
  t.deepEqual(await fixture.call('create', args), { created: true })
  t.deepEqual(await fixture.call('create', args), { created: false })
  const other = drawKeys()
  const variants = [
    { ...args, ttl: 61 },
    { ...args, policy: 'ram' },
    { ...args, rauth: other.rauth },
    { ...args, sauth: other.sauth },
    { ...args, seal: other.seal },
    { ...args, sid: other.sid },
    { ...args, rid: other.rid },
  ]
  for (const variant of variants) t.is(await fixture.refusal('create', variant), 'exists')
  t.is(await fixture.refusal('create', args, { member: 'ben', role: 'member' }), 'exists')
  t.is(await fixture.refusal('create', { ...args, rid: other.rid, sid: other.rid }), 'invalid')
})

test('an unknown queue and a wrong secret look the same', async (t) => {
  const fixture = await Fixture.create(t)
  const [keys, none] = [await fixture.queue(), drawKeys()]
  await fixture.put(keys, 1)
  const wrong = { ...keys, rauth: none.rauth, sauth: none.sauth }
  for (const bad of [none, wrong]) {
    t.is(await fixture.putRefusal(bad, 2), 'unknown')
    t.is(await refusalOf(fixture.ack(bad, 1)), 'unknown')
    t.is(await refusalOf(fixture.read([keys, bad]).ended), 'unknown')
    t.deepEqual(await fixture.call('delete', { rid: bad.rid, rauth: bad.rauth }), { deleted: false })
  }
  t.is(
    await fixture.putRefusal({ ...keys, sid: keys.rid, sauth: keys.rauth }, 2),
    'unknown',
    'a recipient is no sender',
  )
  t.deepEqual((await fixture.waiting([keys], 1)).ids(), [1])
})

test('a deleted queue is gone with its mail, and its place is free again', async (t) => {
  const fixture = await Fixture.create(t, { limits: { queuesPerMember: 1 } })
  const keys = await fixture.queue()
  await fixture.put(keys, 1)
  t.deepEqual(await fixture.call('delete', { rid: keys.rid, rauth: keys.rauth }), { deleted: true })
  t.deepEqual(await fixture.call('delete', { rid: keys.rid, rauth: keys.rauth }), { deleted: false })
  t.is(await fixture.putRefusal(keys, 2), 'unknown')
  t.deepEqual(await fixture.call('create', { ...keys, policy: 'disk', ttl: 60 }), { created: true })
  t.deepEqual((await fixture.waiting([keys], 0)).ids(), [])
})

test('guests may put and nothing else', async (t) => {
  const fixture = await Fixture.create(t)
  const keys = await fixture.queue()
  const { rid, rauth } = keys
  t.deepEqual(await fixture.put(keys, 1), { stored: 'stored' })
  t.is(await fixture.refusal('create', { ...drawKeys(), policy: 'disk', ttl: 60 }, guest), 'forbidden')
  t.is(await fixture.refusal('ack', { rid, rauth, ids: [idOf(1)] }, guest), 'forbidden')
  t.is(await fixture.refusal('delete', { rid, rauth }, guest), 'forbidden')
  const subscribe = fixture.mailbox.service.subscribe['mailbox.subscribe']!
  const none = async (): Promise<void> => undefined
  t.is(await refusalOf(subscribe({ queues: [{ rid, rauth }] }, guest, none, AbortSignal.abort())), 'forbidden')
})

test('what is not exactly a message of the service is invalid', async (t) => {
  const fixture = await Fixture.create(t)
  const keys = await fixture.queue()
  const create = { ...drawKeys(), policy: 'disk', ttl: 60 }
  const put = { sid: keys.sid, sauth: keys.sauth, id: idOf(1), body: bodyOf(1) }
  const ack = { rid: keys.rid, rauth: keys.rauth, ids: [idOf(1)] }
  const bad: [string, unknown][] = [
    ...[undefined, null, 1, 'text', [], {}].flatMap((args): [string, unknown][] =>
      ['create', 'put', 'ack', 'delete'].map((method) => [method, args ?? null]),
    ),
    ['create', { ...create, rid: new Uint8Array(23) }],
    ['create', { ...create, seal: new Uint8Array(33) }],
    ['create', { ...create, policy: 'tape' }],
    ['create', { ...create, ttl: MailboxLimits.ttlSeconds + 1 }],
    ['create', { ...create, ttl: 0 }],
    ['create', { ...create, ttl: 1.5 }],
    ['create', { ...create, more: 1 }],
    ['put', { ...put, body: new Uint8Array(0) }],
    ['put', { ...put, body: new Uint8Array(MailboxLimits.bodyBytes + 1) }],
    ['put', { ...put, body: 'text' }],
    ['put', { ...put, id: new Uint8Array(15) }],
    ['put', { ...put, noStore: 1 }],
    ['ack', { ...ack, ids: [] }],
    ['ack', { ...ack, ids: Array.from({ length: MailboxLimits.idsPerAck + 1 }, () => idOf(1)) }],
    ['ack', { ...ack, ids: [new Uint8Array(1)] }],
  ]
  for (const [method, args] of bad) t.is(await fixture.refusal(method, args), 'invalid', `${method} ${String(args)}`)
  t.deepEqual(await fixture.put(keys, 1, { body: new Uint8Array(MailboxLimits.bodyBytes) }), { stored: 'stored' })
  t.deepEqual(await fixture.call('create', { ...create, ttl: MailboxLimits.ttlSeconds }), { created: true })
  const { rid, rauth } = keys
  const many = Array.from({ length: MailboxLimits.queuesPerSubscription + 1 }, () => keys)
  t.is(await refusalOf(fixture.read(many).ended), 'invalid')
  t.is(await refusalOf(fixture.read([]).ended), 'invalid')
  t.deepEqual(await fixture.call('delete', { rid, rauth }), { deleted: true })
})

test('a gateway keeps no more than its policy', async (t) => {
  const fixture = await Fixture.create(t, { policy: 'ram' })
  const create = { ...drawKeys(), ttl: 60 }
  t.is(await fixture.refusal('create', { ...create, policy: 'disk' }), 'policy')
  t.deepEqual(await fixture.call('create', create), { created: true })
  t.deepEqual(
    await fixture.call('create', { ...create, policy: 'ram' }),
    { created: false },
    'the default is the policy',
  )
  t.deepEqual(await fixture.call('create', { ...drawKeys(), ttl: 60, policy: 'none' }), { created: true })
})

test('a member’s queues are counted, another member’s are not', async (t) => {
  const fixture = await Fixture.create(t, { limits: { queuesPerMember: 3 } })
  const ben: Caller = { member: 'ben', role: 'member' }
  for (let n = 0; n < 3; n++) await fixture.queue()
  t.is(await refusalOf(fixture.queue()), 'limit')
  await fixture.restart({ limits: { queuesPerMember: 3 } })
  t.is(await refusalOf(fixture.queue()), 'limit', 'also after a restart')
  await t.notThrowsAsync(fixture.queue('disk', 60, ben))
})

test('a member’s share of the disk is bounded over all its queues', async (t) => {
  const fixture = await Fixture.create(t, { limits: { diskBytesPerMember: 250 } })
  const [one, two, other] = [
    await fixture.queue(),
    await fixture.queue(),
    await fixture.queue('disk', 60, { member: 'ben', role: 'member' }),
  ]
  await fixture.put(one, 1)
  await fixture.put(two, 2)
  t.is(await fixture.putRefusal(one, 3), 'full')
  t.deepEqual(await fixture.put(other, 3), { stored: 'stored' })
  await fixture.ack(two, 2)
  t.deepEqual(await fixture.put(one, 3), { stored: 'stored' })
  await fixture.call('delete', { rid: one.rid, rauth: one.rauth })
  t.deepEqual(await fixture.put(two, 4), { stored: 'stored' })
  t.deepEqual(await fixture.put(two, 5), { stored: 'stored' })
  t.is(await fixture.putRefusal(two, 6), 'full')
})

test('memory is bounded for one member and for all', async (t) => {
  const fixture = await Fixture.create(t, { limits: { ramBytesPerMember: 250, ramBytes: 320, ramMessageBytes: 0 } })
  const one = await fixture.queue('ram')
  const other = await fixture.queue('ram', 3_600, { member: 'ben', role: 'member' })
  await fixture.put(one, 1)
  await fixture.put(one, 2)
  t.is(await fixture.putRefusal(one, 3), 'full')
  await fixture.put(other, 1)
  t.is(await fixture.putRefusal(other, 2), 'full')
  await fixture.ack(one, 1, 2)
  t.deepEqual(await fixture.put(other, 2), { stored: 'stored' })
  await fixture.call('delete', { rid: other.rid, rauth: other.rauth })
  await fixture.put(one, 3)
  t.deepEqual(await fixture.put(one, 4), { stored: 'stored' })
})

test('a message in memory counts for what it costs beside its body', async (t) => {
  const fixture = await Fixture.create(t, { limits: { ramBytesPerMember: 2_000 } })
  const keys = await fixture.queue('ram')
  for (const n of [1, 2, 3]) await fixture.put(keys, n, { body: Uint8Array.of(n) })
  t.is(await fixture.putRefusal(keys, 4, { body: Uint8Array.of(4) }), 'full')
  await fixture.ack(keys, 1, 2, 3)
  for (const n of [5, 6, 7]) t.deepEqual(await fixture.put(keys, n, { body: Uint8Array.of(n) }), { stored: 'stored' })
})

test('a full store is unavailable to the caller and told to the operator; reading and acknowledging go on', async (t) => {
  const fixture = await Fixture.create(t)
  const keys = await fixture.queue()
  await fixture.put(keys, 1)
  await fixture.store.close()
  await fixture.open({}, { limits: { bytes: 1 } })
  t.is(await fixture.putRefusal(keys, 2), 'unavailable')
  t.true(isSottoError(fixture.faults[0], 'E_DISK_FULL'))
  t.deepEqual((await fixture.waiting([keys], 1)).ids(), [1])
  t.deepEqual(await fixture.ack(keys, 1), { acked: 1 })
})

test('a queue that nobody reads any more is removed, one that is read stays', async (t) => {
  const fixture = await Fixture.create(t)
  const [idle, read] = [await fixture.queue(), await fixture.queue('ram')]
  for (let day = 0; day <= MailboxLimits.idleDays; day += 30) {
    await fixture.waiting([read], 0)
    fixture.now += 30 * DAY_MS
    t.is(await fixture.mailbox.sweep(), day === MailboxLimits.idleDays ? 1 : 0)
  }
  t.is(await fixture.putRefusal(idle, 1), 'unknown')
  t.deepEqual(await fixture.put(read, 1), { stored: 'stored' })
})

test('a queue that is read again at the moment it would go stays, or its reader hears that it has gone', async (t) => {
  const fixture = await Fixture.create(t)
  const [first, second] = [await fixture.queue(), await fixture.queue()]
  fixture.now += 130 * 86_400_000
  const reader = fixture.read([first])
  t.is(await fixture.mailbox.sweep(), 1, 'the other one goes')
  await fixture.put(first, 1)
  await reader.until(1)
  await reader.stop()
  const third = await fixture.queue()
  fixture.now += 130 * 86_400_000
  await fixture.waiting([first], 0)
  const swept = fixture.mailbox.sweep()
  const late = fixture.read([third])
  // Who comes first is the store's to say: what had expired in the other one goes, and the queue or its reader with it.
  if ((await swept) === 2) t.is(await refusalOf(late.ended), 'unknown')
  else {
    await fixture.put(third, 2)
    await late.until(1)
    await late.stop()
  }
  t.is(await refusalOf(fixture.read([second]).ended), 'unknown')
})

test('the sweep comes round to every queue', async (t) => {
  const fixture = await Fixture.create(t)
  const queues = await Promise.all(Array.from({ length: 150 }, () => fixture.queue('disk', 1)))
  await Promise.all(queues.map((keys) => fixture.put(keys, 1)))
  fixture.now += 1_000
  let gone = 0
  for (let slice = 0; slice < 3; slice++) gone += await fixture.mailbox.sweep()
  t.is(gone, 150)
})

test('late repeats are remembered up to a bound', async (t) => {
  const fixture = await Fixture.create(t, { limits: { ackedIdsPerQueue: 2, ackedIds: 3 } })
  const [one, two] = [await fixture.queue('ram'), await fixture.queue('ram')]
  for (const n of [1, 2, 3]) await fixture.put(one, n)
  await fixture.ack(one, 1, 2, 3)
  t.deepEqual(await fixture.put(one, 3), { stored: 'duplicate' })
  t.deepEqual(await fixture.put(one, 1), { stored: 'stored' }, 'the oldest of the queue is forgotten')
  for (const n of [1, 2]) await fixture.put(two, n)
  await fixture.ack(two, 1, 2)
  t.deepEqual(await fixture.put(two, 2), { stored: 'duplicate' })
  t.deepEqual(await fixture.put(one, 3), { stored: 'stored' }, 'the oldest queue is forgotten')
})

test('acknowledging what does not wait leaves nothing in memory, and nor does a queue that is gone', async (t) => {
  const fixture = await Fixture.create(t)
  const { acked } = fixture.mailbox as unknown as { acked: { readonly queues: ReadonlyMap<string, unknown> } }
  for (let i = 0; i < 3; i++) {
    const keys = await fixture.queue('ram')
    await fixture.ack(keys, 1)
    t.is(acked.queues.size, 0)
    await fixture.put(keys, 1)
    await fixture.ack(keys, 1)
    t.is(acked.queues.size, 1)
    await fixture.call('delete', { rid: keys.rid, rauth: keys.rauth })
    t.is(acked.queues.size, 0)
  }
})

test('the caller of a method is not trusted to be who made the queue', async (t) => {
  const fixture = await Fixture.create(t)
  const keys = await fixture.queue('disk', 60, anna)
  await fixture.put(keys, 1)
  const args = { rid: keys.rid, rauth: keys.rauth, ids: [idOf(1)] }
  t.deepEqual(await fixture.call('ack', args, { member: 'ben', role: 'member' }), { acked: 1 }, 'the secret decides')
})
