import test from 'ava'
import fc from 'fast-check'
import { fastEqual, hex, utf8 } from '#protocol/bytes.ts'
import { prng } from '#test/helpers/prng.ts'
import { ANSWERING, OFFERING } from './healing.ts'
import { keyPair } from './keys.ts'
import { ChatLimits } from './limits.ts'
import { type ActiveRatchet, openStep, type RatchetState, sealStep, startReceiving, startSending } from './ratchet.ts'
import { sottoSuite } from './sotto-suite.ts'

const now = 1_700_000_000_000
const context = new Uint8Array(32).fill(4)
const contexts = { sendContext: context, receiveContext: context }

function pair(seed = 1): { alice: ActiveRatchet; bob: RatchetState } {
  const { bytes } = prng(seed)
  const prekey = keyPair(bytes(32))
  const root = bytes(32)
  const alice = startSending(sottoSuite, {
    root,
    remote: prekey.publicKey,
    own: keyPair(bytes(32)),
    healing: OFFERING,
    ...contexts,
  })
  return { alice: alice!, bob: startReceiving({ root, own: prekey, healing: ANSWERING, ...contexts }) }
}

const fresh = (octet: number): Uint8Array => new Uint8Array(32).fill(octet)

interface Side {
  state: RatchetState
  readonly random: (length: number) => Uint8Array
}

function send(side: Side, text: string): Uint8Array {
  const sealed = sealStep(sottoSuite, side.state as ActiveRatchet, utf8(text))
  side.state = sealed.state
  return sealed.message
}

function receive(side: Side, message: Uint8Array, at = now): string {
  const opened = openStep(sottoSuite, side.state, message, { random: side.random, now: at })
  if (opened.kind !== 'opened') return opened.kind
  side.state = opened.state
  return new TextDecoder().decode(opened.plaintext)
}

function sides(seed = 1): { alice: Side; bob: Side } {
  const { alice, bob } = pair(seed)
  return { alice: { state: alice, random: prng(seed + 1).bytes }, bob: { state: bob, random: prng(seed + 2).bytes } }
}

test('messages in both directions, in any order, each once', (t) => {
  const step = fc.record({ from: fc.boolean(), deliver: fc.nat(9), repeat: fc.boolean() })
  fc.assert(
    fc.property(fc.nat(), fc.array(step, { maxLength: 40 }), (seed, steps) => {
      const { alice, bob } = sides(seed)
      const underWay: { to: Side; message: Uint8Array; text: string }[] = []
      receive(bob, send(alice, 'first'))
      for (const [i, { from, deliver, repeat }] of steps.entries()) {
        const [sender, to] = from ? [alice, bob] : [bob, alice]
        underWay.push({ to, message: send(sender, `text ${i}`), text: `text ${i}` })
        const next = underWay[deliver % underWay.length]!
        t.is(receive(next.to, next.message), next.text)
        if (repeat) t.is(receive(next.to, next.message), 'used')
        underWay.splice(underWay.indexOf(next), 1)
      }
      // Of five chains at most; what lies further back may be refused.
      for (const { to, message, text } of underWay.slice(-4))
        t.regex(receive(to, message), new RegExp(`${text}|refused`))
    }),
    { numRuns: process.env.SOTTO_LONG === '1' ? 10_000 : 50 },
  )
})

test('a changed octet anywhere, or another context, is refused and changes nothing', (t) => {
  const { alice, bob } = pair()
  const { message } = sealStep(sottoSuite, alice, utf8('text'))
  for (let at = 0; at < message.length; at++) {
    const changed = message.with(at, message[at]! ^ 1)
    t.is(openStep(sottoSuite, bob, changed, { random: () => fresh(1), now }).kind, 'refused', `octet ${at}`)
  }
  const elsewhere = { ...bob, receiveContext: fresh(5) }
  t.is(openStep(sottoSuite, elsewhere, message, { random: () => fresh(1), now }).kind, 'refused')
  t.is(openStep(sottoSuite, bob, message.slice(0, 56), { random: () => fresh(1), now }).kind, 'refused')
  t.is(openStep(sottoSuite, bob, message, { random: () => fresh(1), now }).kind, 'opened')
})

test('ratchet keys that are not canonical, or of low order, are refused', (t) => {
  const { alice, bob } = pair()
  const { message } = sealStep(sottoSuite, alice, utf8('text'))
  const keys = [fresh(0), fresh(0xff), fresh(0).with(0, 1), message.slice(0, 32).with(31, message[31]! | 0x80)]
  for (const key of keys) {
    const changed = Uint8Array.from([...key, ...message.slice(32)])
    t.is(openStep(sottoSuite, bob, changed, { random: () => fresh(1), now }).kind, 'refused', hex(key))
    t.is(
      startSending(sottoSuite, { root: fresh(1), remote: key, own: keyPair(fresh(2)), healing: OFFERING, ...contexts }),
      undefined,
    )
  }
})

/** Every octet that a state holds. */
function octetsOf(value: unknown): Uint8Array[] {
  if (value instanceof Uint8Array) return [value]
  return value !== null && typeof value === 'object' ? Object.values(value).flatMap(octetsOf) : []
}

test('steps change nothing they are given, and name every secret that the new state has lost', (t) => {
  const { alice, bob } = pair()
  const before = structuredClone({ alice, bob })
  const first = sealStep(sottoSuite, alice, utf8('one'))
  const second = sealStep(sottoSuite, first.state, utf8('two'))
  const opened = openStep(sottoSuite, bob, second.message, { random: () => fresh(7), now })
  if (opened.kind !== 'opened') return t.fail(opened.kind)
  t.deepEqual({ alice, bob }, before)

  const holds = (state: RatchetState, secret: Uint8Array): boolean =>
    octetsOf(state).some((octets) => fastEqual(octets, secret))
  for (const secret of first.consumed) t.false(holds(first.state, secret))
  for (const secret of opened.consumed) t.false(holds(opened.state, secret))
  for (const secret of [bob.root, bob.own.secret]) t.true(opened.consumed.some((each) => fastEqual(each, secret)))
  t.true(first.consumed.some((each) => fastEqual(each, alice.sending.chain)))
  return undefined
})

test('ChatLimits.chainJump', (t) => {
  const { alice, bob } = sides()
  receive(bob, send(alice, 'first'))
  const state = bob.state
  for (let i = 0; i < ChatLimits.chainJump; i++) send(alice, '')
  const atLimit = send(alice, 'at the limit')
  const beyond = send(alice, 'beyond')
  t.is(receive(bob, beyond), 'refused')
  t.is(bob.state, state)
  t.is(receive(bob, atLimit), 'at the limit')
  t.is(receive(bob, beyond), 'beyond')
})

const keptIn = ({ receiving }: RatchetState): number => receiving.reduce((sum, { kept }) => sum + kept.length, 0)

test('ChatLimits.keptKeys: the oldest go first', (t) => {
  const { alice, bob } = sides()
  const early = [send(alice, '0'), send(alice, '1')]
  for (let i = 2; i < ChatLimits.keptKeys + 1; i++) send(alice, String(i))
  receive(bob, send(alice, 'last'))
  t.is(keptIn(bob.state), ChatLimits.keptKeys)
  t.is(receive(bob, early[0]!), 'used')
  t.is(receive(bob, early[1]!), '1')
})

test('ChatLimits.keptKeyMs', (t) => {
  const { alice, bob } = sides()
  const [late, tooLate] = [send(alice, 'late'), send(alice, 'too late')]
  receive(bob, send(alice, 'third'))
  receive(bob, send(alice, 'fourth'), now + ChatLimits.keptKeyMs - 1)
  t.is(receive(bob, late, now + ChatLimits.keptKeyMs - 1), 'late')
  receive(bob, send(alice, 'fifth'), now + ChatLimits.keptKeyMs)
  t.is(keptIn(bob.state), 0)
  t.is(receive(bob, tooLate, now + ChatLimits.keptKeyMs), 'used')
})

test('ChatLimits.receivingChains', (t) => {
  const { alice, bob } = sides()
  const missed: Uint8Array[] = []
  for (let i = 0; i <= ChatLimits.receivingChains; i++) {
    missed.push(send(alice, `missed ${i}`))
    receive(bob, send(alice, 'seen'))
    receive(alice, send(bob, 'turn'))
  }
  t.is(bob.state.receiving.length, ChatLimits.receivingChains)
  t.is(receive(bob, missed[0]!), 'refused')
  t.deepEqual(
    missed.slice(1).map((message) => receive(bob, message)),
    missed.slice(1).map((_, i) => `missed ${i + 1}`),
  )
})

test('a chain that its sender has left takes no further messages', (t) => {
  const { alice, bob } = sides()
  receive(bob, send(alice, 'first'))
  const old = alice.state
  receive(alice, send(bob, 'turn'))
  receive(bob, send(alice, 'second'))
  // The old state sends on, as a copy of it that somebody kept would.
  t.is(receive(bob, send({ ...alice, state: old }, 'from the past')), 'refused')
})
