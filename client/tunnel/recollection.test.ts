import test from 'ava'
import { createSizeClasses } from '#engine/sizes.ts'
import { SottoError } from '#protocol/errors.ts'
import { VirtualTime } from '#test/helpers/virtual-time.ts'
import { Path } from '../path.ts'
import type { WayRecord } from '../way-record.ts'
import { Recollection } from './recollection.ts'

interface Scene {
  readonly time: VirtualTime
  readonly path: Path
  readonly recollection: Recollection
  readonly kept: WayRecord[]
}

function scene(known?: WayRecord): Scene {
  const time = new VirtualTime()
  const clockwork = { now: () => time.now, random: () => Uint8Array.of(255), after: time.after, soon: () => {} }
  const path = new Path(clockwork, () => {})
  const kept: WayRecord[] = []
  const memory = {
    recall: async () => known,
    keep: async (way: WayRecord) => void kept.push(way),
  }
  return { time, path, kept, recollection: new Recollection(memory, path, clockwork) }
}

/** What a path shows that has been through this. */
function experienced(): WayRecord {
  const { path, time } = scene()
  path.worked(200, 0)
  path.adaptHold([6_000, 8_000], 7_000)
  path.cut(5_000, 7_000, true)
  path.cut(5_100, 7_000, true)
  path.note('E_NET_FROZEN')
  path.note('E_NET_SLEPT')
  path.carried(6_000, 3_200, 0)
  path.edge.fit.tooLarge(
    { binding: 'b', up: { classes: [100, 900, 5_000], max: 5_000 } } as never,
    5_000,
    true,
    time.now,
  )
  return path.record
}

test('what was found out counts from the start on the next time', async (t) => {
  const record = experienced()
  const { path, recollection } = scene(JSON.parse(JSON.stringify(record)))
  await recollection.begin()
  t.is(path.rtt, 200)
  t.true(path.adaptHold([6_000, 8_000], 7_000) < 5_000)
  t.deepEqual(path.findings.map(({ code }) => code).toSorted(), ['E_NET_FROZEN', 'E_NET_IDLE', 'E_NET_THROTTLED'])
  t.is(path.edge.fit.rate, 2)
  t.is(path.parcel({ binding: 'b', up: createSizeClasses([100, 900, 5_000]) } as never, 5_000), 900)
  t.deepEqual(path.record, record)
})

test('it is found out anew in time', async (t) => {
  const { path, recollection, time } = scene(experienced())
  await recollection.begin()
  recollection.end()
  await time.run(() => false, 3_600_000)
  t.deepEqual(path.findings, [])
  path.edge.hold.range([6_000, 8_000], time.now)
  t.is(path.record.hold.limitMs, undefined)
  t.is(path.edge.fit.record(time.now).ups.length, 0)
})

test('it is written down while it works and there is news, and at no other time', async (t) => {
  const { path, recollection, time, kept } = scene()
  await recollection.begin()
  await time.run(() => false, 600_000)
  t.is(kept.length, 0, 'never reached')
  path.worked(100, 0)
  await time.run(() => false, 600_000)
  t.is(kept.length, 1)
  path.worked(110, 0)
  await time.run(() => false, 600_000)
  t.is(kept.length, 1, 'as good as the same')
  path.note('E_NET_FROZEN')
  await time.run(() => false, 70_000)
  t.is(kept.length, 2)
  path.failed(new SottoError('E_PATH_RESET', 'cut'))
  path.note('E_NET_SIZE')
  await time.run(() => false, 600_000)
  t.is(kept.length, 2)
  path.worked(100, 0)
  await time.run(() => false, 7_200_000)
  t.true(kept.length >= 4, 'when it last worked is news, too')
  recollection.end()
  const before = kept.length
  await time.run(() => false, 7_200_000)
  t.is(kept.length, before)
})

test('another network: nothing of the old one is left, and no connection of it is used', async (t) => {
  const { path } = scene(experienced())
  path.recall(experienced())
  const doubted: string[] = []
  path.onDoubt(7_000, 100, () => doubted.push('held'))
  path.moved()
  t.deepEqual(
    path.findings.map(({ code }) => code),
    ['E_NET_MOVED'],
  )
  t.is(path.rtt, 500)
  t.is(path.adaptHold([6_000, 8_000], 7_000), 7_000)
  t.deepEqual(doubted, ['held'])
  t.deepEqual([path.wantsFresh(), path.wantsFresh()], [true, false])
})
