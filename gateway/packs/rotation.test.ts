import test from 'ava'
import { fastEqual } from '#protocol/bytes.ts'
import { isSottoError } from '#protocol/errors.ts'
import { WHOLE_SHARE } from '#protocol/pack.ts'
import type { PackRecord, PackState } from './records.ts'
import { emptyState, PackKeepLimits } from './records.ts'
import { add, liveHashes, recordOf, rollBack, rotate, settle } from './rotation.ts'

const now = 1_700_000_000_000
const second = now / 1000
const operator = { now, by: 'operator' } as const
const silence = { applied: 0, failed: 0 }

function pack(serial: number, change: Partial<PackRecord['manifest']> = {}): PackRecord {
  const times = { from: second - 100, until: second + 100_000, ttl: 3_600, overlap: 600 }
  return {
    hash: new Uint8Array(32).fill(serial),
    manifest: { serial, floor: Math.max(0, serial - 1), ...times, canary: 1_000, ...change },
    templates: ['t'],
    added: now,
    ...{ verdict: 'new', applied: 0, failed: 0 },
  }
}

const withPacks = (...packs: PackRecord[]): PackState =>
  packs.reduce((state, each) => add(state, each, operator).state, emptyState)
const begin = (state: PackState, serial: number, at = now, atOnce = false): PackState =>
  rotate(state, recordOf(state, new Uint8Array(32).fill(serial))!, {
    ...{ now: at, by: 'operator', atOnce, watchMs: 60_000 },
  }).state
const promoted = (...packs: PackRecord[]): PackState =>
  packs.reduce((state, each) => begin(add(state, each, operator).state, each.manifest.serial, now, true), emptyState)
const serialOf = (state: PackState, hash: Uint8Array | null | undefined): number | undefined =>
  hash == null ? undefined : recordOf(state, hash)?.manifest.serial
const codeOf = (work: () => unknown): string | undefined => {
  try {
    work()
    return undefined
  } catch (error) {
    return isSottoError(error) ? error.code : String(error)
  }
}

test('a canary that goes well is promoted when its time is over, and not before', (t) => {
  const state = begin(withPacks(pack(1)), 1)
  t.is(serialOf(state, state.canary?.hash), 1)
  t.is(state.current, null)
  t.is(settle(state, { applied: 5, failed: 0 }, now + 59_999).state, state)
  const { state: after, log } = settle(state, { applied: 5, failed: 0 }, now + 60_000)
  t.is(serialOf(after, after.current), 1)
  t.is(after.canary, null)
  t.deepEqual(
    log.map(({ event, by }) => [event, by]),
    [['promoted', 'gateway']],
  )
})

test('a canary of which nobody has spoken goes on', (t) => {
  const state = begin(withPacks(pack(1)), 1)
  t.is(settle(state, silence, now + 3_600_000).state, state)
})

test('a canary that fails is taken back by itself; three failures need no more time', (t) => {
  const state = promoted(pack(1))
  t.is(begin(state, 1), state, 'what everybody uses is not tried')
  const tried = begin(add(state, pack(2), operator).state, 2)
  t.is(settle(tried, { applied: 0, failed: 2 }, now + 1).state, tried, 'two may still be wrong')
  for (const [tally, at] of [
    [{ applied: 0, failed: 3 }, now + 1],
    [{ applied: 9, failed: 3 }, now + 1],
    [{ applied: 0, failed: 1 }, now + 60_000],
    [{ applied: 3, failed: 1 }, now + 60_000],
  ] as const) {
    const { state: after, log } = settle(tried, tally, at)
    t.is(after.canary, null)
    t.is(serialOf(after, after.current), 1, 'everybody goes on with the pack before')
    t.is(recordOf(after, new Uint8Array(32).fill(2))?.verdict, 'failed')
    t.is(log[0]?.event, 'reverted')
    t.true(
      liveHashes(after).some((hash) => fastEqual(hash, new Uint8Array(32).fill(2))),
      'still accepted',
    )
  }
})

test('fewer than a quarter of the canaries do not take a pack back', (t) => {
  const tried = begin(withPacks(pack(1)), 1)
  const { state } = settle(tried, { applied: 10, failed: 3 }, now + 60_000)
  t.is(serialOf(state, state.current), 1)
})

test('a pack for everybody, and one that the operator wants at once, needs no canary', (t) => {
  const whole = begin(withPacks(pack(1, { canary: WHOLE_SHARE })), 1)
  t.is(serialOf(whole, whole.current), 1)
  const once = begin(begin(withPacks(pack(1)), 1), 1, now, true)
  t.is(serialOf(once, once.current), 1)
  t.is(once.canary, null)
})

test('a replaced pack is accepted for its overlap', (t) => {
  const state = promoted(pack(1), pack(2))
  t.deepEqual(
    liveHashes(state).map((hash) => serialOf(state, hash)),
    [2, 1],
  )
  t.is(settle(state, silence, now + 599_999).state, state)
  const { state: after, log } = settle(state, silence, now + 600_000)
  t.deepEqual(
    liveHashes(after).map((hash) => serialOf(after, hash)),
    [2],
  )
  t.is(log[0]?.event, 'retired')
})

test('the floor rises with a promotion: a step back is possible, an older pack is refused', (t) => {
  const state = promoted(pack(1), pack(2), pack(3))
  t.is(state.floor, 2)
  const back = rollBack(state, undefined, operator).state
  t.is(serialOf(back, back.current), 2)
  t.is(back.floor, 2)
  t.is(recordOf(back, new Uint8Array(32).fill(3))?.verdict, 'withdrawn')
  t.is(
    codeOf(() => rollBack(back, undefined, operator)),
    'E_PACK_UNKNOWN',
  )
  t.is(
    codeOf(() => begin(state, 1)),
    'E_PACK_FLOOR',
  )
  t.is(
    codeOf(() => rollBack(state, recordOf(state, new Uint8Array(32).fill(1)), operator)),
    'E_PACK_FLOOR',
  )
  const forward = begin(back, 3, now, true)
  t.is(serialOf(forward, forward.current), 3, 'and forward again')
})

test('the first pack can be taken back to the templates of gateway.yaml while there is no floor', (t) => {
  const state = rollBack(promoted(pack(1)), undefined, operator).state
  t.is(state.current, null)
  t.deepEqual(
    liveHashes(state).map((hash) => serialOf(state, hash)),
    [1],
  )
  t.is(
    codeOf(() => rollBack(emptyState, undefined, operator)),
    'E_PACK_UNKNOWN',
  )
})

test('a rollback during a canary ends the canary', (t) => {
  const tried = begin(add(promoted(pack(1)), pack(2), operator).state, 2)
  const { state, log } = rollBack(tried, undefined, operator)
  t.is(state.canary, null)
  t.is(serialOf(state, state.current), 1)
  t.is(log[0]?.event, 'rolled-back')
  t.is(recordOf(state, new Uint8Array(32).fill(2))?.verdict, 'withdrawn')
})

test('one canary at a time', (t) => {
  const tried = begin(withPacks(pack(1), pack(2)), 1)
  t.is(
    codeOf(() => begin(tried, 2)),
    'E_PACK_BUSY',
  )
  t.is(begin(tried, 1), tried, 'the same again changes nothing')
})

test('a pack that is not valid is not used, and one that expires makes way', (t) => {
  t.is(
    codeOf(() => begin(withPacks(pack(1)), 1, now - 101_000)),
    'E_PACK_EXPIRED',
  )
  t.is(
    codeOf(() => begin(withPacks(pack(1)), 1, now + 100_000_000)),
    'E_PACK_EXPIRED',
  )
  const state = promoted(pack(1))
  const { state: after, log } = settle(state, silence, now + 100_000_000)
  t.is(after.current, null)
  t.is(log[0]?.event, 'expired')
  t.is(liveHashes(after).length, 1, 'those who use it have its overlap to change over')
})

test('PackKeepLimits.packs and retiring', (t) => {
  let state: PackState = emptyState
  for (let serial = 1; serial <= PackKeepLimits.packs + 5; serial++) {
    state = begin(add(state, pack(serial), operator).state, serial, now, true)
    t.true(state.packs.length <= PackKeepLimits.packs)
    t.true(state.retiring.length <= PackKeepLimits.retiring)
    for (const hash of liveHashes(state)) t.truthy(recordOf(state, hash), 'what is accepted is kept')
  }
  t.is(state.packs.length, PackKeepLimits.packs)
})
