/** A page's time: drawn from what was measured, and waited for in parts. */
import test from 'ava'
import type { Clockwork } from './clockwork.ts'
import { FIRST, linger, SHOWN } from './pace.ts'

/** What is waited for where this is drawn. */
async function waits(tenths: readonly number[], octets: readonly [number, number]): Promise<number[]> {
  const parts: number[] = []
  const clockwork: Clockwork = {
    now: () => 0,
    random: () => Uint8Array.of(...octets),
    after: (ms, run) => {
      parts.push(ms)
      run()
      return () => {}
    },
    soon: (run) => run(),
  }
  await linger(clockwork, tenths)
  return parts
}

const sum = (parts: readonly number[]): number => parts.reduce((all, part) => all + part, 0)

test('from the shortest to the longest, in the middle the median', async (t) => {
  t.is(sum(await waits(SHOWN, [0, 0])), SHOWN[0]!)
  t.is(sum(await waits(SHOWN, [255, 255])), SHOWN.at(-1)! - 1, 'the last millisecond is not whole')
  t.is(sum(await waits(SHOWN, [128, 0])), Math.floor((SHOWN[4]! + SHOWN[5]!) / 2))
})

test('in whole milliseconds, so that no timer cuts anything off', async (t) => {
  for (let high = 0; high < 256; high++)
    for (const tenths of [SHOWN, FIRST])
      for (const part of await waits(tenths, [high, 77])) t.true(Number.isInteger(part) && part >= 1)
  t.true((await waits(SHOWN, [200, 0])).length > 1)
})

test('what is quicker than a timer is not waited for', async (t) => {
  t.deepEqual(await waits(FIRST, [0, 0]), [])
})
