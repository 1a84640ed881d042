/** Keys of ML-KEM mixed into the ratchet: that they are, that nothing is lost by it, and what it costs. */
import test from 'ava'
import fc from 'fast-check'
import { fastEqual, hex, utf8 } from '#protocol/bytes.ts'
import { mlkem768 } from '#protocol/crypto/mlkem.ts'
import { prng } from '#test/helpers/prng.ts'
import { ANSWERING, type Healing, heard, mixedByThem, OFFERING, partOf, turning } from './healing.ts'
import { keyPair } from './keys.ts'
import { ChatLimits } from './limits.ts'
import { type ActiveRatchet, openStep, type RatchetState, sealStep, startReceiving, startSending } from './ratchet.ts'
import { decodeSession, encodeKept, encodeSession } from './session-codec.ts'
import { RATCHET_OVERHEAD, sottoSuite } from './sotto-suite.ts'

const START = 1_700_000_000_000
const context = new Uint8Array(32).fill(4)
const contexts = { sendContext: context, receiveContext: context }

class Side {
  state: RatchetState
  readonly random: (length: number) => Uint8Array

  constructor(state: RatchetState, seed: number) {
    this.state = state
    this.random = prng(seed).bytes
  }

  get healing(): Healing {
    return this.state.healing!
  }

  send(text: string, carry = true): Uint8Array {
    const sealed = sealStep(sottoSuite, this.state as ActiveRatchet, utf8(text), carry)
    this.state = sealed.state
    return sealed.message
  }

  receive(message: Uint8Array, now = START): string {
    const opened = openStep(sottoSuite, this.state, message, { random: this.random, now })
    if (opened.kind !== 'opened') return opened.kind
    this.state = opened.state
    return new TextDecoder().decode(opened.plaintext)
  }

  /** As after a restart of the program. */
  restart(): void {
    if (this.state.sending === undefined) return
    const session = { id: context, contact: context, stamp: 1, start: context, ratchet: this.state as ActiveRatchet }
    this.state = decodeSession(encodeSession(session), encodeKept(this.state)).ratchet
  }
}

function sides(seed = 1): { alice: Side; bob: Side } {
  const { bytes } = prng(seed)
  const prekey = keyPair(bytes(32))
  const root = bytes(32)
  const own = keyPair(bytes(32))
  const first = startSending(sottoSuite, { root, remote: prekey.publicKey, own, healing: OFFERING, ...contexts })!
  const second = startReceiving({ root, own: prekey, healing: ANSWERING, ...contexts })
  return { alice: new Side(first, seed + 1), bob: new Side(second, seed + 2) }
}

const flagsOf = (message: Uint8Array): number => message[32]!

test('the third turn is mixed, and one again after fifty messages', (t) => {
  const { alice, bob } = sides()
  const flags: number[] = []
  for (let i = 0; i < 60; i++) {
    const [from, to] = i % 2 === 0 ? [alice, bob] : [bob, alice]
    const message = from.send(`text ${i}`)
    flags.push(flagsOf(message))
    t.is(to.receive(message), `text ${i}`)
  }
  t.deepEqual(flags.slice(0, 8), [0, 0, 1, 2, 4, 0, 0, 0])
  t.deepEqual(
    flags.slice(8).flatMap((flag, i) => (flag === 0 ? [] : [[i + 8, flag]])),
    [
      [54, 1],
      [55, 2],
      [56, 4],
    ],
  )
})

test('after a week, whatever was said', (t) => {
  const { alice, bob } = sides()
  for (let i = 0; i < 6; i++) {
    bob.receive(alice.send('there'))
    alice.receive(bob.send('back'))
  }
  const week = START + ChatLimits.healingMs
  bob.receive(alice.send('there'), week)
  alice.receive(bob.send('back'), week - 1)
  t.is(flagsOf(alice.send('too early')), 0)
  bob.receive(alice.send('there'), week)
  alice.receive(bob.send('back'), week)
  t.is(flagsOf(alice.send('due')), 1)
})

/** Both after the exchange and before the turn that mixes it in: Alice has the answer. */
function aboutToMix(): { alice: Side; bob: Side; last: Uint8Array } {
  const { alice, bob } = sides()
  bob.receive(alice.send('start'))
  alice.receive(bob.send('reply'))
  bob.receive(alice.send('offer'))
  return { alice, bob, last: bob.send('answer') }
}

test('who knows every agreement and not the secret of ML-KEM reads no further', (t) => {
  const { alice, bob, last } = aboutToMix()
  // A quantum computer has every X25519 secret, so it has the whole state but for what ML-KEM keeps.
  const stolen = bob.state
  const { healing } = stolen
  t.true(healing?.role === 'answers' && healing.shared.length === 32)
  alice.receive(last)
  const message = alice.send('hybrid')
  t.is(flagsOf(message), 4)
  const guess: RatchetState = { ...stolen, healing: { ...(healing as typeof ANSWERING), shared: new Uint8Array(32) } }
  t.is(openStep(sottoSuite, guess, message, { random: bob.random, now: START }).kind, 'refused')
  const classical = { ...stolen, healing: ANSWERING }
  t.is(openStep(sottoSuite, classical, message, { random: bob.random, now: START }).kind, 'refused')
  t.is(bob.receive(message), 'hybrid')
  t.deepEqual(bob.healing, { ...ANSWERING, number: 1 }, 'the secret is gone once it is mixed in')
})

test('no octet of what rides along can be changed', (t) => {
  const { alice, bob, last } = aboutToMix()
  for (let at = 32; at < last.length; at += 7) {
    const changed = last.with(at, last[at]! ^ 1)
    t.is(openStep(sottoSuite, alice.state, changed, { random: alice.random, now: START }).kind, 'refused', `${at}`)
  }
  t.is(alice.receive(last), 'answer')
  t.is(bob.receive(alice.send('on')), 'on')
})

test('offers and answers that are lost come again; those that are late or repeated change nothing', (t) => {
  const { alice, bob } = sides()
  bob.receive(alice.send('start'))
  alice.receive(bob.send('reply'))
  const lateOffer = alice.send('offer, late')
  bob.receive(alice.send('without'))
  t.is(flagsOf(bob.send('lost')), 0)
  alice.receive(bob.send('reply'))
  const offer = alice.send('offer again')
  t.is(flagsOf(offer), 1)
  bob.receive(offer)
  t.is(bob.receive(lateOffer), 'offer, late')
  t.is(bob.healing.number, 1)
  const lateAnswer = bob.send('answer, late')
  alice.receive(bob.send('without'))
  t.is(flagsOf(alice.send('not yet mixed')), 1, 'the offer stands until it is answered')
  t.is(alice.receive(lateAnswer), 'answer, late')
  bob.receive(alice.send('there'))
  const again = bob.send('answer again')
  t.is(flagsOf(again), 2)
  alice.receive(again)
  const mixed = alice.send('mixed')
  t.is(flagsOf(mixed), 4)
  t.is(bob.receive(mixed), 'mixed')
  t.is(alice.receive(bob.send('and on')), 'and on')
})

test('where there is no room, a later message brings it', (t) => {
  const { alice, bob } = sides()
  bob.receive(alice.send('start'))
  alice.receive(bob.send('reply'))
  t.is(flagsOf(alice.send('a long one', false)), 0)
  const next = alice.send('a short one')
  t.is(flagsOf(next), 1)
  t.is(flagsOf(alice.send('and another')), 0, 'once in a chain')
  t.is(bob.receive(next), 'a short one')
})

test('parts that make no sense are passed over', (t) => {
  const { bytes } = prng(3)
  const { healing } = turning(OFFERING, START, bytes)
  const offer = partOf(healing)!
  const answering = heard(ANSWERING, offer, bytes).healing
  const answer = partOf(answering)!
  const refusals: [Healing | undefined, typeof offer][] = [
    [healing, offer],
    [healing, { ...answer, number: 2 }],
    [healing, { ...answer, octets: answer.octets.slice(1) }],
    [OFFERING, answer],
    [ANSWERING, { ...offer, number: 0 }],
    [ANSWERING, { ...offer, octets: new Uint8Array(mlkem768.publicKeyLength).fill(0xff) }],
    [answering, answer],
    [answering, offer],
    [undefined, offer],
  ]
  for (const [state, part] of refusals) t.is(heard(state, part, bytes).healing, state)
  for (const state of [undefined, healing, ANSWERING]) t.is(mixedByThem(state), undefined)
})

test('the secrets that a state loses are named', (t) => {
  const { bytes } = prng(5)
  const offering = turning(OFFERING, START, bytes).healing as typeof OFFERING
  const answering = heard(ANSWERING, partOf(offering), bytes).healing as typeof ANSWERING
  const agreed = heard(offering, partOf(answering), bytes)
  t.deepEqual(agreed.consumed, [offering.seed])
  const { shared } = agreed.healing as typeof OFFERING
  t.deepEqual(shared, answering.shared)
  const ours = turning(agreed.healing, START, bytes)
  const theirs = mixedByThem(answering)!
  t.deepEqual([ours.mix, theirs.mix], [shared, shared])
  t.deepEqual([ours.consumed, theirs.consumed], [[shared], [shared]])
  const { bytes: again } = prng(6)
  const second = turning({ ...OFFERING, number: 1 }, START, again).healing
  t.deepEqual(heard(answering, partOf(second), again).consumed, [answering.shared])
})

test('loss, repeats, disorder, restarts at any step: what arrives is read, once, and healing goes on', (t) => {
  const step = fc.record({
    from: fc.boolean(),
    deliver: fc.nat(5),
    lost: fc.integer({ min: 0, max: 9 }),
    repeat: fc.boolean(),
    restart: fc.nat(3),
    carry: fc.boolean(),
  })
  let mixes = 0
  fc.assert(
    fc.property(fc.nat(), fc.array(step, { minLength: 10, maxLength: 120 }), (seed, steps) => {
      const { alice, bob } = sides(seed)
      let now = START
      let underWay: { to: Side; message: Uint8Array; text: string }[] = []
      bob.receive(alice.send('first'))
      for (const [i, { from, deliver, lost, repeat, restart, carry }] of steps.entries()) {
        now += ChatLimits.healingMs / 5
        const [sender, to] = from ? [alice, bob] : [bob, alice]
        const message = sender.send(`text ${i}`, carry)
        if ((flagsOf(message) & 4) !== 0) mixes++
        if (lost > 2) underWay.push({ to, message, text: `text ${i}` })
        // What is more than a few messages late may lie beyond the five chains that are kept.
        underWay = underWay.slice(-4)
        const next = underWay[deliver % Math.max(1, underWay.length)]
        if (next !== undefined) {
          t.is(next.to.receive(next.message, now), next.text)
          if (repeat) t.is(next.to.receive(next.message, now), 'used')
          underWay = underWay.filter((each) => each !== next)
        }
        if (restart === 0) alice.restart()
        if (restart === 1) bob.restart()
      }
      // Whatever became of the rest, they go on understanding each other.
      for (let i = 0; i < 6; i++) {
        t.is(bob.receive(alice.send('there'), now), 'there')
        t.is(alice.receive(bob.send('back'), now), 'back')
      }
      t.true(alice.healing.role === 'offers' && alice.healing.mixedAt > 0)
    }),
    { numRuns: process.env.SOTTO_LONG === '1' ? 10_000 : 60 },
  )
  t.true(mixes > 0, String(mixes))
})

test('sixty octets a message at the most, however many there are in a turn', (t) => {
  for (const turn of [1, 5, 50]) {
    const { alice, bob } = sides(turn)
    let [from, to] = [alice, bob]
    let octets = 0
    const total = 1_000
    for (let i = 0; i < total; i++) {
      const message = from.send('x')
      octets += message.length - RATCHET_OVERHEAD - 1
      to.receive(message)
      if (i % turn === turn - 1) [from, to] = [to, from]
    }
    t.true(octets > 2_000 && octets <= 60 * total, `${turn} a turn: ${octets / total} octets a message`)
  }
})

test('both ends have the same root, and no two exchanges the same secret', (t) => {
  const { alice, bob } = sides(9)
  const roots = new Set<string>()
  for (let i = 0; i < 120; i++) {
    bob.receive(alice.send('there'))
    alice.receive(bob.send('back'))
    roots.add(hex(alice.state.root))
  }
  t.is(roots.size, 120)
  const message = alice.send('last')
  t.is(bob.receive(message), 'last')
  t.true(bob.state.receiving.some(({ remote }) => fastEqual(remote, alice.state.own.publicKey)))
})
