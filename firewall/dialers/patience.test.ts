import { mock } from 'node:test'
import test from 'ava'
import { Patience } from './patience.ts'

mock.timers.enable({ apis: ['setTimeout'] })

function rig(answerMs = 60_000) {
  const seen = { heard: 0, late: 0 }
  const late = (): void => void seen.late++
  const patience = new Patience({ timeoutMs: 3_000, answerMs, heard: () => seen.heard, late })
  return { seen, patience, tick: (ms: number) => mock.timers.tick(ms) }
}

test.serial('in line nothing runs out; with a connection the time begins', (t) => {
  const { seen, patience, tick } = rig()
  tick(10_000)
  t.is(seen.late, 0)
  patience.carried()
  tick(2_999)
  t.is(seen.late, 0)
  tick(1)
  t.is(seen.late, 1)
})

test.serial('what still comes is waited for, and what breaks off in the middle is noticed within a second', (t) => {
  const { seen, patience, tick } = rig()
  patience.carried()
  patience.started()
  seen.heard = 1_400
  tick(3_000)
  seen.heard = 2_800
  tick(1_000)
  t.is(seen.late, 0)
  tick(1_000)
  t.is(seen.late, 1)
})

test.serial('what came before the request left is no answer', (t) => {
  const { seen, patience, tick } = rig()
  patience.carried()
  seen.heard = 5_000
  patience.started()
  tick(3_000)
  t.is(seen.late, 1)
})

test.serial('octet by octet goes on no longer than an answer may take', (t) => {
  const { seen, patience, tick } = rig(5_000)
  patience.carried()
  for (let s = 0; s < 3 + 4; s++) {
    seen.heard++
    tick(1_000)
  }
  t.is(seen.late, 0)
  for (let s = 0; s < 2; s++) {
    seen.heard++
    tick(1_000)
  }
  t.is(seen.late, 1)
})

test.serial('an answer that has begun has the time of one', (t) => {
  const { seen, patience, tick } = rig()
  patience.carried()
  patience.begun()
  tick(59_999)
  t.is(seen.late, 0)
  tick(1)
  t.is(seen.late, 1)
  const other = rig()
  other.patience.carried()
  other.patience.end()
  other.tick(100_000)
  t.is(other.seen.late, 0)
})
