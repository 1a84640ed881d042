import test from 'ava'
import fc from 'fast-check'
import { hex } from '../bytes.ts'
import { x25519Agree, x25519PublicKey } from '../crypto/x25519.ts'
import { type Answer, type Evidence, nextStep, type Step, type TrackerWord } from './decision.ts'
import { presenceKeys } from './keys.ts'
import { PresenceLimits } from './limits.ts'
import { LEAST_LENGTH, openPresence, type PresenceMessage, sealPresence } from './message.ts'
import { markOf, NOTE_LENGTH, noteKey, openNote, sealNote, slotOf } from './note.ts'
import { NO_FACE } from './state.ts'

let drawn = 0
/** Never twice the same. */
const random = (length: number): Uint8Array => {
  drawn++
  return Uint8Array.from({ length }, (_, i) => (drawn * 31 + i * 7 + (drawn >> 8)) & 0xff)
}
const filled = (octet: number, length = 32): Uint8Array => new Uint8Array(length).fill(octet)
const [ada, ben] = [filled(1), filled(2)]
const shared = x25519Agree(ada, x25519PublicKey(ben))!
const keys = presenceKeys(shared, 20_000, ada, ben)
const message: PresenceMessage = {
  ...{ kind: 'probe', challenge: filled(3, 16), state: 'online', time: 1_700_000_000_000, have: filled(4, 16) },
  ...{ own: [], passed: [] },
}
const LENGTH = 543

test('every outcome of the table, and in which order things are asked', (t) => {
  const answers: readonly Answer[] = ['online', 'offline', 'wrong', 'none']
  const gossips = ['online', 'offline', 'none'] as const
  const states = ['online', 'offline', 'stale'] as const
  const trackers: TrackerWord[] = [
    ...(['unreachable', 'none'] as const),
    ...[true, false].flatMap((changed) => states.map((state) => ({ changed, state }))),
  ]
  const seen = new Set<string>()
  const known = (step: Step): string => (step.kind === 'known' ? `${step.state} by ${step.by}` : step.kind)
  t.is(known(nextStep({})), 'probe')
  for (const answer of answers) {
    const isRight = answer === 'online' || answer === 'offline'
    t.is(known(nextStep({ answer })), isRight ? `${answer} by themselves` : 'gossip')
    for (const gossip of gossips) {
      if (isRight) continue
      t.is(known(nextStep({ answer, gossip })), gossip === 'none' ? 'tracker' : `${gossip} by friends`)
      for (const tracker of trackers) {
        if (gossip !== 'none') continue
        const expected = ((): string => {
          if (typeof tracker === 'string') return 'unknown by tracker'
          if (tracker.changed) return 'probe-again'
          return tracker.state === 'offline' ? 'offline by tracker' : 'unknown by tracker'
        })()
        t.is(known(nextStep({ answer, gossip, tracker })), expected)
        if (expected !== 'probe-again' || typeof tracker === 'string') continue
        for (const again of answers) {
          const isThere = again === 'online' || again === 'offline'
          const failed = tracker.state === 'stale' ? 'unknown by tracker' : 'offline by tracker'
          const outcome = known(nextStep({ answer, gossip, tracker, again }))
          t.is(outcome, isThere ? `${again} by themselves` : failed)
          seen.add(outcome)
        }
      }
    }
  }
  t.deepEqual([...seen].toSorted(), [
    ...['offline by themselves', 'offline by tracker', 'online by themselves', 'unknown by tracker'],
  ])
})

test('evidence only ever adds up: what is known once stays known', (t) => {
  const answer = fc.constantFrom<Answer>('online', 'offline', 'wrong', 'none')
  const tracker = fc.oneof(
    fc.constantFrom<TrackerWord>('unreachable', 'none'),
    fc.record({
      changed: fc.boolean(),
      state: fc.constantFrom('online' as const, 'offline' as const, 'stale' as const),
    }),
  )
  const gossip = fc.constantFrom('online' as const, 'offline' as const, 'none' as const)
  fc.assert(
    fc.property(answer, gossip, tracker, answer, (first, heard, word, again) => {
      let evidence: Evidence = {}
      for (let asked = 0; asked < 5; asked++) {
        const step = nextStep(evidence)
        if (step.kind === 'known') return t.deepEqual(nextStep({ ...evidence, again }), step)
        if (step.kind === 'probe') evidence = { ...evidence, answer: first }
        if (step.kind === 'gossip') evidence = { ...evidence, gossip: heard }
        if (step.kind === 'tracker') evidence = { ...evidence, tracker: word }
        if (step.kind === 'probe-again') evidence = { ...evidence, again }
      }
      return t.fail('it never ends')
    }),
  )
})

test('what was said is heard, in one length whatever is in it', (t) => {
  const notes = Array.from({ length: PresenceLimits.notesEach }, (_, i) => filled(10 + i, NOTE_LENGTH))
  for (const kind of ['probe', 'answer', 'news'] as const) {
    for (const state of ['online', 'offline'] as const) {
      for (const own of [[], notes.slice(0, 1), notes]) {
        const said = { ...message, kind, state, own, passed: own.toReversed() }
        const sealed = sealPresence(keys, said, LENGTH, random)
        t.is(sealed.length, LENGTH)
        const heard = openPresence(keys, sealed)!
        t.deepEqual({ ...heard, own: [], passed: [] }, { ...said, own: [], passed: [] })
        t.deepEqual(heard.own.slice(0, own.length), own)
        t.deepEqual(heard.passed.slice(0, own.length), own.toReversed())
        t.is(heard.own.length + heard.passed.length, 2 * PresenceLimits.notesEach)
      }
    }
  }
  t.throws(() => sealPresence(keys, message, LEAST_LENGTH - 1, random), { instanceOf: RangeError })
  t.truthy(openPresence(keys, sealPresence(keys, message, LEAST_LENGTH, random)))
})

test('both friends have the keys of each day and direction; nobody else, and not for another day or the way back', (t) => {
  const mirrored = presenceKeys(x25519Agree(ben, x25519PublicKey(ada))!, 20_000, ada, ben)
  t.deepEqual(mirrored, keys)
  const others = [
    presenceKeys(shared, 20_001, ada, ben),
    presenceKeys(shared, 20_000, ben, ada),
    presenceKeys(x25519Agree(filled(9), x25519PublicKey(ben))!, 20_000, ada, ben),
  ]
  const sealed = sealPresence(keys, message, LENGTH, random)
  for (const other of others) {
    t.is(openPresence(other, sealed), undefined)
    t.notDeepEqual(other.mark, keys.mark)
  }
})

test('any changed octet, any cut, and anything at all: nothing', (t) => {
  const sealed = sealPresence(keys, message, LENGTH, random)
  for (let at = 8; at < sealed.length; at++) {
    const changed = sealed.slice()
    changed[at]! ^= 1
    t.is(openPresence(keys, changed), undefined, `octet ${at}`)
  }
  for (const length of [0, 7, LEAST_LENGTH - 1, LENGTH - 1])
    t.is(openPresence(keys, sealed.slice(0, length)), undefined)
  fc.assert(fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => openPresence(keys, bytes) === undefined))
})

test('no two messages, and no two notes, have octets in common but their marks', (t) => {
  const [a, b] = [sealPresence(keys, message, LENGTH, random), sealPresence(keys, message, LENGTH, random)]
  t.notDeepEqual(a.slice(8), b.slice(8))
  const key = noteKey(keys.gossip, 5)
  const said = { ...message, face: message.have }
  const [one, two] = [sealNote(key, said, random), sealNote(key, said, random)]
  t.notDeepEqual(one.slice(8), two.slice(8))
})

test('a note is read by the one it is for, in its slot; changed, or of another slot, it is chance', (t) => {
  const said = { state: 'online', time: 1_700_000_000_000, face: filled(7, 16) } as const
  const slot = slotOf(said.time)
  const key = noteKey(keys.gossip, slot)
  const note = sealNote(key, said, random)
  t.is(note.length, NOTE_LENGTH)
  t.deepEqual(markOf(note), key.mark)
  t.deepEqual(openNote(key, note), said)
  t.deepEqual(openNote(key, sealNote(key, { ...said, state: 'offline', face: NO_FACE }, random))!.state, 'offline')
  const next = noteKey(keys.gossip, slot + 1)
  t.not(hex(next.mark), hex(key.mark), 'who carries notes cannot tell that two are of the same pair')
  t.is(openNote(next, note), undefined)
  for (let at = 0; at < note.length; at++) {
    const changed = note.slice()
    changed[at]! ^= 1
    t.is(openNote(key, changed), undefined, `octet ${at}`)
  }
  t.is(openNote(key, note.slice(1)), undefined)
})
