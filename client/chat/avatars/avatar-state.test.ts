import test from 'ava'
import { ChatLimits } from '../limits.ts'
import { type AvatarState, dueTo, isHere, toAsk, withGiven, withNamed, withOwed, withTaken } from './avatar-state.ts'

const [one, two] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)]
const NOW = 1_800_000_000_000
const hashOf = (number: number): Uint8Array => new Uint8Array(32).fill(number + 10)

test('ChatLimits.avatarChanges: who pushes them unasked has no more taken in a day', (t) => {
  let state: AvatarState = {}
  for (let i = 0; i < ChatLimits.avatarChanges; i++) {
    state = withTaken(withNamed(state, hashOf(i)), hashOf(i), NOW)!
    t.true(isHere(state))
  }
  const named = withNamed(state, one)
  t.is(withTaken(named, one, NOW), undefined)
  t.is(toAsk(named, NOW), undefined)
  const later = NOW + ChatLimits.avatarWindowMs
  t.is(toAsk(named, later), one)
  t.is(withTaken(named, one, later)!.taken!.length, 1, 'what is long ago is forgotten')
})

test('a clock that is set back does not lift a bound for ever', (t) => {
  const asked: AvatarState = { named: one, asked: { hash: one, at: NOW } }
  t.is(toAsk(asked, NOW - ChatLimits.avatarAskAgainMs + 1), undefined)
  t.is(toAsk(asked, NOW - ChatLimits.avatarAskAgainMs), one)
})

test('what is kept is what the card names, or goes', (t) => {
  const kept = withTaken({ named: one }, one, NOW)!
  t.is(withTaken(kept, one, NOW), undefined, 'it is here already')
  t.is(withTaken(kept, two, NOW), undefined, 'nobody has named it')
  t.false(isHere(withNamed(kept, two)))
  t.deepEqual(withNamed(kept, two).kept, one, 'the earlier one until the other comes')
  t.deepEqual(withNamed(kept, undefined), { taken: [NOW] })
  t.is(toAsk({}, NOW), undefined)
  t.is(withTaken({}, one, NOW), undefined)
})

test('ours is given as it was asked for, and as it is shown', (t) => {
  const owed = withOwed({}, one)
  t.is(dueTo(owed, one, NOW), 'give')
  t.is(dueTo(owed, two, NOW), 'drop')
  t.is(dueTo(owed, undefined, NOW), 'drop')
  t.is(dueTo({}, one, NOW), 'drop')
  let state: AvatarState = owed
  for (let i = 0; i < ChatLimits.avatarChanges; i++) state = withOwed(withGiven(state, NOW), one)
  t.is(dueTo(state, one, NOW), 'wait')
  t.is(dueTo(state, one, NOW + ChatLimits.avatarWindowMs), 'give')
})
