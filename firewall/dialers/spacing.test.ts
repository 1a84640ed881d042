import test from 'ava'
import { Spacing } from './spacing.ts'

test('the first may begin at once, and each later one when its place comes', (t) => {
  let now = 1_000
  const spacing = new Spacing(500, () => now)
  t.is(spacing.wait, 0)
  t.is(spacing.take(), 0)
  t.is(spacing.wait, 500)
  now += 200
  t.is(spacing.wait, 300)
  t.is(spacing.take(), 300)
  t.is(spacing.take(), 800, 'places are given in order')
  now += 1_300
  t.is(spacing.take(), 0)
})

test('what was not used is not saved up', (t) => {
  let now = 0
  const spacing = new Spacing(500, () => now)
  spacing.take()
  now = 60_000
  t.deepEqual([spacing.take(), spacing.take()], [0, 500])
})
