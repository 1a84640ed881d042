import test from 'ava'
import { VirtualTime } from '#test/helpers/virtual-time.ts'
import { watchNetwork } from './network-watch.ts'

test('every change is told once; what cannot be told is none', async (t) => {
  const time = new VirtualTime()
  const clockwork = { now: () => time.now, random: () => new Uint8Array(0), after: time.after, soon: () => {} }
  let here: number | undefined = 1
  let looks = 0
  let moves = 0
  const network = async (): Promise<Uint8Array> => {
    looks++
    if (here === undefined) throw new Error('the firewall has gone')
    return Uint8Array.of(here)
  }
  const stop = watchNetwork(clockwork, network, () => moves++)
  await time.run(() => false, 20_000)
  t.is(moves, 0)
  t.true(looks >= 4)
  here = undefined
  await time.run(() => false, 20_000)
  here = 1
  await time.run(() => false, 20_000)
  t.is(moves, 0)
  here = 2
  await time.run(() => false, 20_000)
  t.is(moves, 1)
  here = 1
  await time.run(() => false, 20_000)
  t.is(moves, 2)
  stop()
  const before = looks
  here = 3
  await time.run(() => false, 60_000)
  t.deepEqual([moves, looks], [2, before])
})
