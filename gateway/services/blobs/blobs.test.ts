import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { PIECE_BYTES } from '#protocol/blobs.ts'
import { base64url } from '#protocol/bytes.ts'
import { guest, type Keys, refusalOf } from '../mailbox/fixture.ts'
import { BLOB_TABLES } from './disk.ts'
import { blobOf, Fixture, pieceOf } from './fixture.ts'
import { BlobLimits } from './limits.ts'

const ben = { member: 'ben', role: 'member' } as const

for (const noStore of [false, true]) {
  const where = noStore ? 'memory' : 'disk'

  test(`${where}: pieces in any order, each once, and taken by who reads the queue`, async (t) => {
    const fixture = await Fixture.create(t)
    const keys = await fixture.queue()
    t.deepEqual(await fixture.begin(keys, 1, 3, noStore), [0])
    await fixture.put(keys, 1, 2)
    await fixture.put(keys, 1, 0)
    t.deepEqual(await fixture.begin(keys, 1, 3, noStore), [0b10100000])
    t.is(await fixture.getRefusal(keys, 1, 1), 'missing')
    await fixture.put(keys, 1, 1)
    await fixture.put(keys, 1, 1, pieceOf(99))
    for (const index of [0, 1, 2]) t.deepEqual(await fixture.get(keys, 1, index), pieceOf(index))
    t.is(await fixture.getRefusal(keys, 1, 3), 'invalid')
    t.is(await refusalOf(fixture.put(keys, 1, 3)), 'invalid')
  })

  test(`${where}: what goes out never has the octets of what came in, nor twice the same`, async (t) => {
    const fixture = await Fixture.create(t)
    const keys = await fixture.queue()
    await fixture.fill(keys, 1, 1, noStore)
    const { rid, rauth } = keys
    const args = { rid, rauth, blob: blobOf(1), index: 0 }
    const [first, second] = await Promise.all([
      fixture.call('get', args, { member: 'anna', role: 'member' }),
      fixture.call('get', args, { member: 'anna', role: 'member' }),
    ])
    t.notDeepEqual(first, second)
    t.false(Buffer.from((first as { box: Uint8Array }).box).includes(pieceOf(0).subarray(0, 64)))
  })

  test(`${where}: either side removes it, and a repeat is no harm`, async (t) => {
    const fixture = await Fixture.create(t)
    const keys = await fixture.queue()
    const { sid, sauth, rid, rauth } = keys
    for (const side of [
      { sid, sauth },
      { rid, rauth },
    ]) {
      await fixture.fill(keys, 1, 2, noStore)
      t.deepEqual(await fixture.call('remove', { ...side, blob: blobOf(1) }, guest), {})
      t.deepEqual(await fixture.call('remove', { ...side, blob: blobOf(1) }, guest), {})
      t.is(await fixture.getRefusal(keys, 1, 0), 'unknown')
    }
  })

  test(`${where}: goes with its queue`, async (t) => {
    const fixture = await Fixture.create(t)
    const keys = await fixture.queue()
    await fixture.fill(keys, 1, 1, noStore)
    const { rid, rauth } = keys
    await fixture.mailbox.service.unary['mailbox.delete']!({ rid, rauth }, ben)
    t.is(await fixture.blobs.sweep(), 1)
    t.is(await fixture.blobs.sweep(), 0)
  })
}

test('whoever lacks the secret, or is a guest, gets nothing', async (t) => {
  const fixture = await Fixture.create(t)
  const [keys, other] = [await fixture.queue(), await fixture.queue(ben)]
  await fixture.fill(keys, 1, 1)
  t.is(await fixture.getRefusal(keys, 1, 0, guest), 'forbidden')
  t.is(await fixture.getRefusal({ ...keys, rauth: other.rauth }, 1, 0), 'unknown')
  t.is(await fixture.getRefusal(other, 1, 0), 'unknown')
  const wrong = { ...keys, sauth: other.sauth }
  t.is(await refusalOf(fixture.begin(wrong, 1, 1)), 'unknown')
  t.is(await refusalOf(fixture.put(wrong, 1, 0)), 'unknown')
  t.is(
    await refusalOf(fixture.call('remove', { sid: keys.sid, sauth: other.sauth, blob: blobOf(1) }, guest)),
    'unknown',
  )
  t.is(await refusalOf(fixture.put(keys, 2, 0)), 'unknown', 'nothing is put that was not begun')
})

test('arguments are exactly as said', async (t) => {
  const fixture = await Fixture.create(t)
  const { sid, sauth, rid, rauth } = await fixture.queue()
  const begin = { sid, sauth, blob: blobOf(1), pieces: 1, noStore: false }
  const put = { sid, sauth, blob: blobOf(1), index: 0, piece: pieceOf(0) }
  const wrong: [string, unknown][] = [
    ['begin', { ...begin, pieces: 9 }],
    ['begin', { ...begin, pieces: 0 }],
    ['begin', { ...begin, pieces: 4_096 }],
    ['begin', { ...begin, blob: new Uint8Array(23) }],
    ['begin', { ...begin, name: 'photo.jpg' }],
    ['begin', { sid, sauth, blob: blobOf(1), pieces: 1 }],
    ['put', { ...put, piece: new Uint8Array(PIECE_BYTES - 1) }],
    ['put', { ...put, index: -1 }],
    ['put', { ...put, index: 0.5 }],
    ['get', { rid, rauth, blob: blobOf(1) }],
    ['remove', { sid, sauth, rid, rauth, blob: blobOf(1) }],
  ]
  for (const [method, args] of wrong) {
    t.is(await refusalOf(fixture.call(method, args, ben)), 'invalid', `${method} ${Object.keys(args as object)}`)
  }
  await fixture.begin({ sid, sauth, rid, rauth, seal: sid }, 1, 2)
  t.is(await refusalOf(fixture.call('begin', begin, guest)), 'exists')
})

test('bytesPerQueue and bytesPerMember: room is taken by beginning, and given back', async (t) => {
  const limits = { bytesPerQueue: 4 * PIECE_BYTES, bytesPerMember: 6 * PIECE_BYTES }
  const fixture = await Fixture.create(t, { limits })
  const [one, two, others] = [await fixture.queue(), await fixture.queue(), await fixture.queue(ben)]
  await fixture.begin(one, 1, 3)
  t.is(await refusalOf(fixture.begin(one, 2, 2)), 'full', 'of the queue')
  await fixture.begin(two, 3, 3)
  t.is(await refusalOf(fixture.begin(two, 4, 1)), 'full', 'of the member')
  await fixture.begin(others, 5, 4)
  await fixture.begin(one, 1, 3)
  await fixture.call('remove', { sid: one.sid, sauth: one.sauth, blob: blobOf(1) }, guest)
  await fixture.begin(two, 4, 1)
})

test('ramBytesPerMember and ramBytes', async (t) => {
  const limits = { ramBytesPerMember: 3 * PIECE_BYTES, ramBytes: 5 * PIECE_BYTES }
  const fixture = await Fixture.create(t, { limits })
  const [mine, others] = [await fixture.queue(), await fixture.queue(ben)]
  await fixture.begin(mine, 1, 3, true)
  t.is(await refusalOf(fixture.begin(mine, 2, 1, true)), 'full')
  t.is(await refusalOf(fixture.begin(mine, 2, 4, true)), 'policy', 'for what never has room')
  await fixture.begin(others, 3, 2, true)
  t.is(await refusalOf(fixture.begin(others, 4, 1, true)), 'full', 'of all')
  await fixture.begin(others, 5, 1, false)
})

test('keptMs, partMs and ramMs: what expired is gone at once, and swept', async (t) => {
  const fixture = await Fixture.create(t)
  const keys = await fixture.queue()
  await fixture.fill(keys, 1, 2)
  await fixture.begin(keys, 2, 2)
  await fixture.put(keys, 2, 0)
  await fixture.fill(keys, 3, 1, true)
  fixture.now += BlobLimits.ramMs
  t.is(await fixture.getRefusal(keys, 3, 0), 'unknown')
  t.is(await fixture.blobs.sweep(), 1)
  fixture.now += BlobLimits.partMs - BlobLimits.ramMs
  t.is(await fixture.getRefusal(keys, 2, 0), 'unknown')
  t.deepEqual(await fixture.begin(keys, 2, 2), [0b10000000], 'unless it is begun again before')
  t.is(await fixture.blobs.sweep(), 0)
  fixture.now += BlobLimits.partMs
  t.is(await fixture.blobs.sweep(), 1)
  t.deepEqual(await fixture.get(keys, 1, 0), pieceOf(0))
  fixture.now += BlobLimits.keptMs
  t.is(await fixture.getRefusal(keys, 1, 0), 'unknown')
  t.is(await fixture.blobs.sweep(), 1)
  for (const name of BLOB_TABLES) t.deepEqual(fixture.files.table(name).scan(undefined, 9), [], name)
})

test('a whole one that expired and is begun again before it was swept is kept as long as any whole one', async (t) => {
  const fixture = await Fixture.create(t)
  const keys = await fixture.queue()
  await fixture.fill(keys, 1, 2)
  fixture.now += BlobLimits.keptMs
  await fixture.begin(keys, 1, 2)
  fixture.now += BlobLimits.keptMs - 1
  t.deepEqual(await fixture.get(keys, 1, 1), pieceOf(1))
  fixture.now += 1
  t.is(await fixture.getRefusal(keys, 1, 1), 'unknown')
})

test('begun again while what has expired is swept: it stays', async (t) => {
  const fixture = await Fixture.create(t)
  const keys = await fixture.queue()
  const all = [1, 2, 3, 4, 5]
  for (const n of all) await fixture.begin(keys, n, 2)
  fixture.now += BlobLimits.partMs
  await Promise.all([fixture.blobs.sweep(), ...all.map((n) => fixture.begin(keys, n, 2))])
  for (const n of all) t.is(await refusalOf(fixture.put(keys, n, 0)), 'accepted', `${n}`)
})

test('one in memory that has expired does not hide the same on disk', async (t) => {
  const fixture = await Fixture.create(t)
  const keys = await fixture.queue()
  await fixture.begin(keys, 1, 2, true)
  fixture.now += BlobLimits.ramMs
  await fixture.fill(keys, 1, 2)
  t.deepEqual(await fixture.get(keys, 1, 1), pieceOf(1))
})

test('who asks which pieces are here has us look for none of them', async (t) => {
  const fixture = await Fixture.create(t)
  const keys = await fixture.queue()
  await fixture.begin(keys, 1, 3_072)
  await fixture.put(keys, 1, 3_071)
  const pieces = fixture.files.table('blob-pieces')
  const refuse = (): never => t.fail() as never
  Object.assign(pieces, { has: refuse, get: refuse, scan: refuse })
  const map = await fixture.begin(keys, 1, 3_072)
  t.is(map.length, 384)
  t.is(
    map.findIndex((octet) => octet !== 0),
    383,
  )
  t.is(map[383], 1)
})

test('a restart keeps what is on disk, and nothing of memory is ever there', async (t) => {
  const fixture = await Fixture.create(t)
  const keys = await fixture.queue()
  await fixture.fill(keys, 1, 2)
  await fixture.fill(keys, 2, 1, true)
  const heads = fixture.files.table('blob-heads').scan(undefined, 9)
  t.is(heads.length, 1)
  await fixture.restart()
  t.deepEqual(await fixture.get(keys, 1, 1), pieceOf(1))
  t.is(await fixture.getRefusal(keys, 2, 0), 'unknown')
  const octets = Buffer.concat(
    readdirSync(join(fixture.folder, 'files')).map((name) => readFileSync(join(fixture.folder, 'files', name))),
  )
  t.true(octets.length > PIECE_BYTES)
  for (const planted of [pieceOf(1).subarray(0, 64), blobOf(1), keys.rid, keys.sid]) t.false(octets.includes(planted))
})

test('policy: a gateway that keeps all in memory keeps blobs there, and one that keeps nothing refuses', async (t) => {
  const fixture = await Fixture.create(t, { policy: 'ram' })
  const keys = await fixture.queue()
  await fixture.fill(keys, 1, 1)
  t.deepEqual(await fixture.get(keys, 1, 0), pieceOf(0))
  t.deepEqual(fixture.files.table('blob-heads').scan(undefined, 9), [])
  await fixture.restart({ policy: 'none' })
  t.is(await refusalOf(fixture.begin(keys, 1, 1)), 'policy')
})

test('the disk is full: the caller hears that it is for later, the operator why', async (t) => {
  let free = 1024 ** 3
  const fixture = await Fixture.create(t, { freeBytes: () => free })
  const keys = await fixture.queue()
  await fixture.begin(keys, 1, 2)
  await fixture.put(keys, 1, 0)
  free = 60 * 1024 ** 2
  t.is(await refusalOf(fixture.put(keys, 1, 1)), 'unavailable')
  t.like(fixture.faults[0], { code: 'E_DISK_FULL' })
  t.deepEqual(await fixture.get(keys, 1, 0), pieceOf(0))
  await fixture.call('remove', { sid: keys.sid, sauth: keys.sauth, blob: blobOf(1) }, guest)
  t.is(await fixture.getRefusal(keys, 1, 0), 'unknown')
})

test('storeBytes: beyond it nothing is taken, and what was removed makes room', async (t) => {
  const fixture = await Fixture.create(t, { storeBytes: 1_000_000 })
  const keys = await fixture.queue()
  await fixture.begin(keys, 1, 128)
  let taken = 0
  while (taken < 127 && (await refusalOf(fixture.put(keys, 1, taken))) === 'accepted') taken++
  // The pages are counted with every 64th change.
  t.true(taken > 20 && taken < 100, `${taken} pieces`)
  t.like(fixture.faults[0], { code: 'E_DISK_FULL' })
  await fixture.call('remove', { sid: keys.sid, sauth: keys.sauth, blob: blobOf(1) }, guest)
  await fixture.fill(keys, 2, 2)
})

/** A gateway process: puts one piece after another, and says which have been answered. */
const program = (folder: string, { sid, sauth }: Keys): string => `
  import { openStore } from '#gateway/store/store.ts'
  import { Blobs } from '#gateway/services/blobs/blobs.ts'
  import { BLOB_TABLES } from '#gateway/services/blobs/disk.ts'
  import { MAILBOX_TABLES } from '#gateway/services/mailbox/mailbox.ts'
  import { randomBytes } from '#protocol/crypto/random.ts'
  const key = new Uint8Array(32).fill(1)
  const store = await openStore({ folder: ${JSON.stringify(join(folder, 'store'))}, key, tables: MAILBOX_TABLES })
  const blobs = await openStore({ folder: ${JSON.stringify(join(folder, 'files'))}, key, tables: BLOB_TABLES })
  const { service } = new Blobs({ store, blobs, now: Date.now, random: randomBytes })
  const bytes = (text) => new Uint8Array(Buffer.from(text, 'base64url'))
  const names = { sid: bytes('${base64url(sid)}'), sauth: bytes('${base64url(sauth)}'), blob: new Uint8Array(24).fill(1) }
  const guest = { member: 'guest', role: 'guest' }
  await service.unary['blobs.begin']({ ...names, pieces: 64, noStore: false }, guest)
  for (let index = 0; index < 64; index++) {
    await service.unary['blobs.put']({ ...names, index, piece: new Uint8Array(${PIECE_BYTES}).fill(index) }, guest)
    process.send(index)
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

for (const count of [1, 30]) {
  test(`a gateway killed after ${count} pieces has all that it answered, and takes the others`, async (t) => {
    const fixture = await Fixture.create(t)
    const keys = await fixture.queue()
    await fixture.close()
    const child = start(t, fixture.folder, keys)
    const answered: number[] = []
    child.on('message', (index: number) => {
      if (answered.push(index) === count) child.kill('SIGKILL')
    })
    const [, signal] = await once(child, 'exit')
    t.is(signal, 'SIGKILL')
    fixture.now = Date.now()
    await fixture.open()
    for (const index of answered) t.deepEqual(await fixture.get(keys, 1, index), pieceOf(index))
    await fixture.fill(keys, 1, 64)
    t.deepEqual(await fixture.begin(keys, 1, 64), Array<number>(8).fill(255))
  })
}
