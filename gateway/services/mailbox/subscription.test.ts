import { queryObjects } from 'node:v8'
import test from 'ava'
import fc from 'fast-check'
import { anna, bodyOf, drawKeys, Fixture, idOf, type Keys, refusalOf } from './fixture.ts'
import { MailboxLimits } from './limits.ts'

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Room that is given by hand. */
function gate(): { room: () => Promise<void>; open: () => void } {
  let waiting: (() => void)[] = []
  let isOpen = false
  return {
    room: () => (isOpen ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve))),
    open() {
      isOpen = true
      for (const resolve of waiting) resolve()
      waiting = []
    },
  }
}

// Alone: others make promises meanwhile.
test.serial('a subscription that has delivered much keeps nothing of it', async (t) => {
  const fixture = await Fixture.create(t)
  const keys = await fixture.queue('none')
  const reader = fixture.read([keys])
  const pass = async (from: number, count: number): Promise<void> => {
    for (let n = from; n < from + count; n++) {
      const id = new Uint8Array(16)
      new DataView(id.buffer).setUint32(0, n)
      t.deepEqual(await fixture.put(keys, 1, { id }), { stored: 'delivered' })
    }
  }
  await turn()
  await pass(0, 200)
  const before = queryObjects(Promise, { format: 'count' })
  await pass(200, 500)
  const more = queryObjects(Promise, { format: 'count' }) - before
  t.true(more < 50, `${more} promises are left of 500 deliveries`)
  await reader.stop()
})

test('first what waits, oldest first over all queues, then what arrives', async (t) => {
  const fixture = await Fixture.create(t)
  const queues = [await fixture.queue('disk'), await fixture.queue('ram'), await fixture.queue('disk')] as const
  for (let n = 0; n < 9; n++) {
    fixture.now += 10
    await fixture.put(queues[n % 3]!, n)
  }
  const reader = fixture.read(queues)
  await reader.until(9)
  for (let n = 9; n < 15; n++) {
    fixture.now += 10
    await fixture.put(queues[n % 3]!, n)
  }
  await reader.until(15)
  t.deepEqual(
    reader.ids(),
    Array.from({ length: 15 }, (_, n) => n),
  )
  await reader.stop()
})

test('what is not acknowledged comes again with the next subscription', async (t) => {
  const fixture = await Fixture.create(t)
  const keys = await fixture.queue()
  for (const n of [1, 2, 3]) await fixture.put(keys, n)
  t.deepEqual((await fixture.waiting([keys], 3)).ids(), [1, 2, 3])
  await fixture.ack(keys, 2)
  t.deepEqual((await fixture.waiting([keys], 2)).ids(), [1, 3])
})

test('the newest subscription of a queue wins and the older one ends', async (t) => {
  const fixture = await Fixture.create(t)
  const [one, two] = [await fixture.queue(), await fixture.queue()]
  const older = fixture.read([one, two])
  await turn()
  const newer = fixture.read([two])
  await older.ended
  await fixture.put(two, 2)
  await fixture.put(one, 1)
  await newer.until(1)
  t.deepEqual(newer.ids(), [2])
  t.deepEqual(older.ids(), [])
  await newer.stop()
  t.deepEqual((await fixture.waiting([one], 1)).ids(), [1])
})

test('a queue named twice in one subscription is read once', async (t) => {
  const fixture = await Fixture.create(t)
  const keys = await fixture.queue()
  await fixture.put(keys, 1)
  t.deepEqual((await fixture.waiting([keys, keys], 1)).ids(), [1])
})

test('a slow reader sets the pace, and what waits is not held in memory for it', async (t) => {
  const fixture = await Fixture.create(t)
  const keys = await fixture.queue()
  const { room, open } = gate()
  const reader = fixture.read([keys], room)
  for (let n = 0; n < 20; n++) t.deepEqual(await fixture.put(keys, n), { stored: 'stored' })
  await turn()
  t.deepEqual(reader.ids(), [])
  await fixture.ack(keys, 5, 6)
  open()
  await reader.until(18)
  t.deepEqual(
    reader.ids(),
    Array.from({ length: 20 }, (_, n) => n).filter((n) => n !== 5 && n !== 6),
    'what was acknowledged meanwhile is left out',
  )
  await reader.stop()
})

test('a reader that fails ends its subscription and loses nothing', async (t) => {
  const fixture = await Fixture.create(t)
  const keys = await fixture.queue()
  const reader = fixture.read([keys], () => Promise.reject(new Error('stream reset')))
  await fixture.put(keys, 1)
  await t.throwsAsync(reader.ended, { message: 'stream reset' })
  t.deepEqual((await fixture.waiting([keys], 1)).ids(), [1])
})

test('a subscription whose push never returns still ends', async (t) => {
  const fixture = await Fixture.create(t)
  const keys = await fixture.queue()
  await fixture.put(keys, 1)
  const stuck = fixture.read([keys], () => new Promise(() => undefined))
  await turn()
  await stuck.stop()
  t.deepEqual((await fixture.waiting([keys], 1)).ids(), [1])
  const already = fixture.mailbox.service.subscribe['mailbox.subscribe']!
  const args = { queues: [{ rid: keys.rid, rauth: keys.rauth }] }
  await t.notThrowsAsync(already(args, anna, () => Promise.reject(new Error('no')), AbortSignal.abort()))
})

test('policy none: delivered to who reads, refused otherwise, never kept', async (t) => {
  const fixture = await Fixture.create(t)
  const keys = await fixture.queue('none')
  t.is(await fixture.putRefusal(keys, 1), 'offline')
  const reader = fixture.read([keys])
  await turn()
  t.deepEqual(await fixture.put(keys, 1), { stored: 'delivered' })
  t.deepEqual(reader.ids(), [1])
  t.deepEqual(await fixture.put(keys, 1), { stored: 'duplicate' })
  t.deepEqual(await fixture.ack(keys, 1), { acked: 0 })
  await reader.stop()
  t.is(await fixture.putRefusal(keys, 2), 'offline')
  t.deepEqual((await fixture.waiting([keys], 0)).ids(), [])
})

test('policy none: a sender waits for the reader, and hears it when the reader leaves', async (t) => {
  const fixture = await Fixture.create(t)
  const keys = await fixture.queue('none')
  const { room } = gate()
  const reader = fixture.read([keys], room)
  await turn()
  const puts = [fixture.putRefusal(keys, 1), fixture.putRefusal(keys, 1), fixture.putRefusal(keys, 2)]
  await turn()
  await reader.stop()
  t.deepEqual(await Promise.all(puts), ['offline', 'offline', 'offline'])
})

test('a message that must not be stored is handed over or lost, and its sender is told neither', async (t) => {
  for (const policy of ['none', 'ram', 'disk'] as const) {
    const fixture = await Fixture.create(t)
    const keys = await fixture.queue(policy)
    t.deepEqual(await fixture.put(keys, 1, { noStore: true }), { stored: 'passed' })
    t.deepEqual((await fixture.waiting([keys], 0)).ids(), [])
    const reader = fixture.read([keys])
    await turn()
    t.deepEqual(await fixture.put(keys, 2, { noStore: true }), { stored: 'passed' })
    await reader.until(1)
    t.deepEqual(reader.ids(), [2])
    t.deepEqual(await fixture.put(keys, 2, { noStore: true }), { stored: 'passed' }, 'nor by a repeat')
    await reader.until(2)
    await reader.stop()
    t.deepEqual((await fixture.waiting([keys], 0)).ids(), [])
  }
})

test('a message of a known id that must not be stored tells its sender nothing either', async (t) => {
  const fixture = await Fixture.create(t)
  const keys = await fixture.queue()
  await fixture.put(keys, 1)
  t.deepEqual(await fixture.put(keys, 1, { noStore: true }), { stored: 'passed' }, 'it waits')
  await fixture.waiting([keys], 1)
  await fixture.ack(keys, 1)
  t.deepEqual(await fixture.put(keys, 1, { noStore: true }), { stored: 'passed' }, 'it was fetched')
})

test('a quiet queue answers the same whether its recipient is there, has fetched, or is away', async (t) => {
  const fixture = await Fixture.create(t, { limits: { waitingPerQueue: 3, ackedIdsPerQueue: 1 } })
  for (const policy of ['ram', 'disk'] as const) {
    const keys = await fixture.queue(policy, 3_600, anna, { quiet: true })
    const answers = new Set<string>()
    const probe = async (): Promise<void> => {
      for (const n of [1, 2, 3, 4, 1]) answers.add(JSON.stringify(await fixture.put(keys, n)))
    }
    await probe()
    t.deepEqual((await fixture.waiting([keys], 3)).ids(), [1, 2, 3], 'beyond its bound nothing is kept')
    await fixture.ack(keys, 1, 2, 3)
    await probe()
    const reader = fixture.read([keys])
    await reader.until(3)
    await probe()
    await reader.stop()
    t.deepEqual([...answers], ['{"stored":"stored"}'])
  }
  const none = await fixture.queue('none', 3_600, anna, { quiet: true })
  t.deepEqual(await fixture.put(none, 1), { stored: 'passed' })
  const reader = fixture.read([none])
  await turn()
  t.deepEqual(await fixture.put(none, 1), { stored: 'passed' })
  await reader.until(1)
  await reader.stop()
})

test('how much the disk has to do for a quiet queue says nothing of what was kept, either', async (t) => {
  const fixture = await Fixture.create(t, { limits: { waitingPerQueue: 2, ackedIdsPerQueue: 1 } })
  const { store } = fixture
  const transaction = store.transaction.bind(store)
  let written = 0
  for (const [policy, expected] of [
    ['ram', false],
    ['disk', true],
  ] as const) {
    const keys = await fixture.queue(policy, 3_600, anna, { quiet: true })
    store.transaction = async (change, options) => {
      written++
      return await transaction(change, options)
    }
    const isWritten = async (n: number): Promise<boolean> => {
      written = 0
      await fixture.put(keys, n)
      return written > 0
    }
    t.is(await isWritten(1), expected, `${policy}: new`)
    t.is(await isWritten(1), expected, `${policy}: it waits`)
    await fixture.put(keys, 2)
    t.is(await isWritten(3), expected, `${policy}: full`)
    await fixture.ack(keys, 1)
    t.is(await isWritten(1), expected, `${policy}: it was fetched`)
    store.transaction = transaction
  }
})

test('a queue becomes quiet when its maker asks for it, and nobody else', async (t) => {
  const fixture = await Fixture.create(t)
  const keys = drawKeys()
  t.deepEqual(await fixture.call('create', { ...keys, ttl: 60 }), { created: true })
  await fixture.put(keys, 1)
  t.deepEqual(await fixture.put(keys, 1), { stored: 'duplicate' })
  t.is(await fixture.refusal('create', { ...keys, ttl: 60, quiet: true }, { ...anna, member: 'ben' }), 'exists')
  t.deepEqual(await fixture.put(keys, 1), { stored: 'duplicate' })
  t.deepEqual(await fixture.call('create', { ...keys, ttl: 60, quiet: true }), { created: false })
  t.deepEqual(await fixture.put(keys, 1), { stored: 'stored' })
  t.is(await fixture.refusal('create', { ...keys, ttl: 60, quiet: 1 }), 'invalid')
})

test('octets on their way without being stored are bounded for a slow reader', async (t) => {
  const fixture = await Fixture.create(t, { limits: { transitBytesPerSubscription: 2_500 } })
  const keys = await fixture.queue('none')
  const { room, open } = gate()
  const reader = fixture.read([keys], room)
  await turn()
  const large = { body: new Uint8Array(1_000) }
  const first = fixture.put(keys, 0, large)
  await turn()
  const waiting = [first, ...[1, 2].map((n) => fixture.put(keys, n, large))]
  await turn()
  t.is(await fixture.putRefusal(keys, 3, large), 'full')
  open()
  t.deepEqual(
    await Promise.all(waiting),
    waiting.map(() => ({ stored: 'delivered' })),
  )
  await reader.stop()
})

test('more waits than a subscription looks ahead at: all of it comes, the oldest first over all queues', async (t) => {
  const fixture = await Fixture.create(t, { limits: { aheadPerQueue: 3 } })
  const [one, two] = [await fixture.queue(), await fixture.queue('ram')]
  for (let n = 0; n < 20; n++) {
    fixture.now += 1_000
    await fixture.put(n % 3 === 0 ? two : one, n)
  }
  const reader = await fixture.waiting([one, two], 20)
  t.deepEqual(
    reader.ids(),
    Array.from({ length: 20 }, (_, n) => n),
  )
})

test('messages on their way to a slow reader are bounded', async (t) => {
  const fixture = await Fixture.create(t, { limits: { transitPerSubscription: 3 } })
  const keys = await fixture.queue('none')
  const { room, open } = gate()
  const reader = fixture.read([keys], room)
  await turn()
  // The first is taken off the list while it waits for room.
  const first = fixture.put(keys, 0)
  await turn()
  const waiting = [first, ...[1, 2, 3].map((n) => fixture.put(keys, n))]
  await turn()
  t.is(await fixture.putRefusal(keys, 4), 'full')
  t.deepEqual(await fixture.put(keys, 5, { noStore: true }), { stored: 'passed' })
  open()
  t.deepEqual(
    await Promise.all(waiting),
    waiting.map(() => ({ stored: 'delivered' })),
  )
  t.deepEqual(reader.ids(), [0, 1, 2, 3])
  await reader.stop()
})

test('subscriptions of one member are bounded', async (t) => {
  const fixture = await Fixture.create(t, { limits: { subscriptionsPerMember: 2 } })
  const queues = [await fixture.queue(), await fixture.queue(), await fixture.queue()] as const
  const readers = [fixture.read([queues[0]]), fixture.read([queues[1]])] as const
  t.is(await refusalOf(fixture.read([queues[2]]).ended), 'limit')
  await readers[0].stop()
  const third = fixture.read([queues[2]])
  await fixture.put(queues[2], 1)
  await third.until(1)
  await third.stop()
  await readers[1].stop()
})

test('a queue deleted while it is read, and made again, works again', async (t) => {
  const fixture = await Fixture.create(t)
  for (const policy of ['ram', 'disk'] as const) {
    const [gone, other] = [await fixture.queue(policy), await fixture.queue(policy)]
    const reader = fixture.read([gone, other])
    await fixture.put(gone, 1)
    await reader.until(1)
    await fixture.call('delete', { rid: gone.rid, rauth: gone.rauth })
    await fixture.put(other, 2)
    await reader.until(2)
    await fixture.call('create', { ...gone, policy, ttl: 60 })
    await fixture.put(gone, 3)
    t.deepEqual((await fixture.waiting([gone], 1)).ids(), [3])
    await reader.stop()
    t.deepEqual(reader.ids(), [1, 2])
  }
})

/** What senders, readers, restarts and acknowledgements may do to one queue, against a plain list. */
type Step = { kind: 'put' | 'ack'; n: number } | { kind: 'read' } | { kind: 'restart' }

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('put' as const), n: fc.nat(9) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('ack' as const), n: fc.nat(9) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('read' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const) }) },
)

test('whatever happens, a queue is the list of what was put and not acknowledged, in order', async (t) => {
  const fixture = await Fixture.create(t)
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      const keys: Keys = await fixture.queue()
      const expected: number[] = []
      const acked = new Set<number>()
      for (const one of steps) {
        if (one.kind === 'put') {
          const isNew = !expected.includes(one.n) && !acked.has(one.n)
          t.deepEqual(await fixture.put(keys, one.n), { stored: isNew ? 'stored' : 'duplicate' })
          if (isNew) expected.push(one.n)
        } else if (one.kind === 'ack') {
          const at = expected.indexOf(one.n)
          t.deepEqual(await fixture.ack(keys, one.n), { acked: at < 0 ? 0 : 1 })
          if (at >= 0) acked.add(expected.splice(at, 1)[0]!)
        } else if (one.kind === 'restart') {
          await fixture.restart()
          acked.clear()
        } else t.deepEqual((await fixture.waiting([keys], expected.length)).ids(), expected)
      }
      t.deepEqual((await fixture.waiting([keys], expected.length)).ids(), expected)
      await fixture.call('delete', { rid: keys.rid, rauth: keys.rauth })
    }),
    { numRuns: process.env.SOTTO_LONG ? 300 : 15 },
  )
})

test('256 full-length bodies of many queues arrive whole', async (t) => {
  const fixture = await Fixture.create(t)
  const queues = await Promise.all(
    Array.from({ length: MailboxLimits.queuesPerSubscription }, () => fixture.queue('disk')),
  )
  const body = bodyOf(9, MailboxLimits.bodyBytes)
  await Promise.all(
    queues.map(({ sid, sauth }) =>
      fixture.call('put', { sid, sauth, id: idOf(1), body }, { member: 'x', role: 'guest' }),
    ),
  )
  const reader = await fixture.waiting(queues, queues.length)
  t.true(reader.got.every(({ box }) => box.length === body.length + 24 + 16))
  t.is(new Set(reader.got.map(({ rid }) => Buffer.from(rid).toString('hex'))).size, queues.length)
})
