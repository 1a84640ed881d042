/** Two people find out whether both know the same secret, over whatever the network does; and what others learn by trying. */
import test from 'ava'
import fc from 'fast-check'
import { type Random, utf8 } from '#protocol/bytes.ts'
import { codeOf } from '#test/helpers/code-of.ts'
import { NO_FAULTS } from './fixtures/mailbox.ts'
import { identityFrom } from './fixtures/people.ts'
import { acquainted, cards, Person, World } from './fixtures/world.ts'
import { ChatLimits } from './limits.ts'
import type { Contact } from './model.ts'
import { decodeProof, encodeProof, type ProofStep, proofKinds } from './proof-body.ts'
import { answerProof, closeProof, openProof } from './proof-run.ts'
import { normalised, stretchSecret } from './proof-secret.ts'
import { type ProofView, proofView } from './proof-state.ts'
import type { Proofs } from './proofs.ts'

const MINUTE = 60_000
/** Half of what is said is lost or comes twice, and late. */
const FAULTS = { callLost: 0.3, answerLost: 0.3, messageLost: 0, duplicated: 0.3, delay: 40_000 }
const DAY = 86_400_000

async function pair(seed = 1): Promise<{ world: World; alice: Person; bob: Person }> {
  const world = new World(seed)
  const [alice, bob] = [new Person(world, 'Alice'), new Person(world, 'Bob')]
  await acquainted(world, alice, bob)
  return { world, alice, bob }
}

/** Alice has Bob's card, Bob does not know her. */
async function strangers(seed = 1): Promise<{ world: World; alice: Person; bob: Person }> {
  const world = new World(seed)
  const [alice, bob] = [new Person(world, 'Alice'), new Person(world, 'Bob')]
  const [card] = await cards(world, bob)
  alice.chat.addContact(card!)
  return { world, alice, bob }
}

const proofOf = (person: Person, other: Person): ProofView | undefined => person.chat.contact(other.id).proof
const stateOf = (person: Person, other: Person): string | undefined => proofOf(person, other)?.state
/** As if `from` had sent it. */
function receive(world: World, person: Person, from: Person, step: ProofStep): void {
  const { engine } = person.chat as unknown as { engine: { proofs: Proofs } }
  const contact = person.records.contact(Buffer.from(from.id, 'hex'))!
  const taken = (): Contact => engine.proofs.take(contact, encodeProof(step), world.time.now, () => {})
  person.store.transaction(() => person.records.putContact(taken()))
}

test('both type the same: both hear that it is equal, and count the other as verified', async (t) => {
  const { world, alice, bob } = await pair()
  t.is(alice.chat.proofs.check(bob.id, 'the blue  Boat').proof?.state, 'waiting')
  await world.pass(MINUTE)
  t.is(stateOf(bob, alice), 'wanted')
  t.true(bob.events.some((event) => event.type === 'proof' && event.contact.id === alice.id))
  bob.chat.proofs.check(alice.id, ' The Blue boat ')
  await world.pass(MINUTE)
  for (const [person, other] of [
    [alice, bob],
    [bob, alice],
  ] as const) {
    t.deepEqual(proofOf(person, other), { kind: 'check', state: 'equal' })
    t.true(person.chat.contact(other.id).verified)
    t.is(person.records.contact(Buffer.from(other.id, 'hex'))?.proof?.spent.length, 0)
  }
})

test('they type different things: both hear that, nobody is verified, and three times a day is the end of it', async (t) => {
  const { world, alice, bob } = await pair()
  for (let i = 0; i < ChatLimits.proofAttempts; i++) {
    alice.chat.proofs.check(bob.id, 'the blue boat')
    await world.pass(MINUTE)
    bob.chat.proofs.check(alice.id, `guess ${i}`)
    await world.pass(MINUTE)
    t.deepEqual([stateOf(alice, bob), stateOf(bob, alice)], ['different', 'different'])
  }
  for (const [person, other] of [
    [alice, bob],
    [bob, alice],
  ] as const) {
    t.false(person.chat.contact(other.id).verified)
    t.is(
      codeOf(() => person.chat.proofs.check(other.id, 'the blue boat')),
      'E_PROOF_LIMIT',
    )
    person.restart()
    t.is(
      codeOf(() => person.chat.proofs.check(other.id, 'the blue boat')),
      'E_PROOF_LIMIT',
      'a restart gives no attempt',
    )
  }
  await world.pass(DAY)
  alice.chat.proofs.check(bob.id, 'the blue boat')
  await world.pass(MINUTE)
  bob.chat.proofs.check(alice.id, 'the blue boat')
  await world.pass(MINUTE)
  t.deepEqual([stateOf(alice, bob), stateOf(bob, alice)], ['equal', 'equal'])
})

test('a modified client that opens again and again gets no more than its attempts', async (t) => {
  const { world, alice, bob } = await strangers()
  bob.chat.proofs.setPassword('open sesame')
  alice.chat.send(bob.id, 'it is me')
  // Alice's client forgets what it has spent.
  for (let i = 0; i < 3 * ChatLimits.proofAttempts; i++) {
    const uid = Buffer.from(bob.id, 'hex')
    const { proof: _, ...contact } = alice.records.contact(uid)!
    alice.store.transaction(() => alice.records.putContact(contact))
    alice.chat.proofs.password(bob.id, `sesame number ${i}`)
    await world.pass(MINUTE)
  }
  const told = alice.events.filter((event) => event.type === 'proof' && event.contact.proof?.state === 'different')
  t.is(told.length, ChatLimits.proofAttempts)
  t.is(bob.records.gate().password!.left, ChatLimits.gateAttempts - ChatLimits.proofAttempts)
  t.is(bob.chat.contact(alice.id).status, 'request')
})

test('many people who guess end the password, and the person is told', async (t) => {
  const { world, bob } = await strangers()
  bob.chat.proofs.setPassword('open sesame')
  const [card] = await cards(world, bob)
  for (let i = 0; i <= ChatLimits.gateAttempts; i++) {
    const guesser = new Person(world, `Guesser ${i}`)
    guesser.chat.addContact(card!)
    guesser.chat.proofs.password(bob.id, `sesame number ${i}`)
    await world.pass(MINUTE)
  }
  t.deepEqual(bob.chat.proofs.gate, { password: false })
  t.deepEqual(bob.problems(), ['E_PROOF_WITHDRAWN'])
})

test('who knows the password is let in; who does not stays a request; where there is none, strangers hear nothing', async (t) => {
  const { world, alice, bob } = await strangers()
  const [carol, dave] = [new Person(world, 'Carol'), new Person(world, 'Dave')]
  const [card, other] = await cards(world, bob, dave)
  carol.chat.addContact(card!)
  alice.chat.addContact(other!)
  t.deepEqual(bob.chat.proofs.setPassword('open sesame'), { password: true })
  alice.chat.proofs.password(bob.id, 'Open  Sesame')
  carol.chat.proofs.password(bob.id, 'open simsim')
  alice.chat.proofs.password(dave.id, 'open sesame')
  await world.pass(MINUTE)
  t.deepEqual([stateOf(alice, bob), bob.chat.contact(alice.id).status], ['equal', 'accepted'])
  t.false(bob.chat.contact(alice.id).verified, 'a password may be known to many')
  t.deepEqual([stateOf(carol, bob), bob.chat.contact(carol.id).status], ['different', 'request'])
  t.deepEqual([stateOf(alice, dave), dave.chat.contact(alice.id).status], ['waiting', 'request'])
  bob.chat.send(alice.id, 'welcome')
  await world.pass(MINUTE)
  t.deepEqual(alice.texts(bob), ['welcome'])
  bob.chat.proofs.setPassword(undefined)
  t.deepEqual(bob.chat.proofs.gate, { password: false })
})

test('a password that is changed or ended lets nobody in any more, though their run began before', async (t) => {
  const { world, alice, bob } = await strangers()
  bob.chat.proofs.setPassword('open sesame')
  alice.chat.send(bob.id, 'it is me')
  await world.pass(MINUTE)
  const uid = Buffer.from(alice.id, 'hex')
  for (const next of ['another password', undefined]) {
    const [run, expected] = [world.chance.bytes(16), world.chance.bytes(32)]
    const proof = { spent: [], run: { step: 'answered', kind: 'password', run, expected } } as const
    bob.store.transaction(() => bob.records.putContact({ ...bob.records.contact(uid)!, proof }))
    bob.chat.proofs.setPassword(next)
    receive(world, bob, alice, { step: 'close', run, tag: expected })
    t.is(bob.chat.contact(alice.id).status, 'request')
  }
})

test('somebody new hears the question once; the answer lets them in, whatever the client forgets', async (t) => {
  const { world, alice, bob } = await strangers()
  bob.chat.proofs.setQuestion({ question: 'Where did we meet?', answer: 'Lisbon' })
  alice.chat.send(bob.id, 'it is me')
  alice.chat.send(bob.id, 'are you there?')
  await world.pass(MINUTE)
  t.deepEqual(proofOf(alice, bob), { kind: 'answer', state: 'wanted', question: 'Where did we meet?' })
  t.is(alice.events.filter((event) => event.type === 'proof').length, 1)
  alice.chat.proofs.answer(bob.id, 'Porto')
  await world.pass(MINUTE)
  t.deepEqual(proofOf(alice, bob), { kind: 'answer', state: 'different', question: 'Where did we meet?' })
  t.is(bob.chat.contact(alice.id).status, 'request')
  alice.restart()
  bob.restart()
  alice.chat.proofs.answer(bob.id, 'lisbon')
  await world.pass(MINUTE)
  t.deepEqual(proofOf(alice, bob), { kind: 'answer', state: 'equal' })
  t.is(bob.chat.contact(alice.id).status, 'accepted')
  t.is(bob.records.gate().answer!.left, ChatLimits.gateAttempts - 1, 'the right answer costs nothing')
  t.deepEqual(bob.texts(alice), ['it is me', 'are you there?'])
})

test('a friend who is known already is not asked again', async (t) => {
  const { world, alice, bob } = await pair()
  bob.chat.proofs.setQuestion({ question: 'Where did we meet?', answer: 'Lisbon' })
  alice.chat.send(bob.id, 'hello')
  await world.pass(MINUTE)
  t.is(proofOf(alice, bob), undefined)
  t.is(
    codeOf(() => alice.chat.proofs.answer(bob.id, 'Lisbon')),
    'E_PROOF_NONE',
  )
})

test('both begin at once: one run goes on', async (t) => {
  for (let seed = 1; seed <= 4; seed++) {
    const { world, alice, bob } = await pair(seed)
    alice.chat.proofs.check(bob.id, 'the blue boat')
    bob.chat.proofs.check(alice.id, 'the blue boat')
    await world.pass(MINUTE)
    const states = [stateOf(alice, bob), stateOf(bob, alice)]
    t.deepEqual(states.toSorted(), ['waiting', 'wanted'])
    const [waits, other] = states[0] === 'wanted' ? [alice, bob] : [bob, alice]
    waits.chat.proofs.check(other.id, 'the blue boat')
    await world.pass(MINUTE)
    t.deepEqual([stateOf(alice, bob), stateOf(bob, alice)], ['equal', 'equal'])
  }
})

test('what has begun is not lost for something else that the other begins', async (t) => {
  const { world, alice, bob } = await pair()
  alice.chat.proofs.setPassword('open sesame')
  alice.chat.proofs.check(bob.id, 'the blue boat')
  bob.chat.proofs.password(alice.id, 'open sesame')
  await world.pass(MINUTE)
  const ends = (): (ProofView | undefined)[] =>
    alice.events.flatMap((event) => (event.type === 'proof' ? [event.contact.proof] : []))
  t.true(ends().some((end) => end?.kind === 'check' && end.state === 'declined'))
  // Whether the password arrives while the check is still open is the network's to say.
  t.is(proofOf(bob, alice)?.kind, 'password')
  t.true(['declined', 'equal'].includes(stateOf(bob, alice)!))
  t.is(alice.records.gate().password!.left, ChatLimits.gateAttempts)
  alice.chat.proofs.check(bob.id, 'the blue boat')
  await world.pass(MINUTE)
  bob.chat.proofs.password(alice.id, 'open sesame')
  await world.pass(MINUTE)
  t.deepEqual(ends().slice(-2), [
    { kind: 'check', state: 'declined' },
    { kind: 'password', state: 'equal' },
  ])
  alice.chat.proofs.check(bob.id, 'the blue boat')
  await world.pass(MINUTE)
  bob.chat.proofs.check(alice.id, 'the blue boat')
  await world.pass(MINUTE)
  t.deepEqual([stateOf(alice, bob), stateOf(bob, alice)], ['equal', 'equal'])
})

test('one can decline, and it costs nobody an attempt', async (t) => {
  const { world, alice, bob } = await pair()
  t.is(
    codeOf(() => bob.chat.proofs.decline(alice.id)),
    'E_PROOF_NONE',
  )
  for (let i = 0; i < 2 * ChatLimits.proofAttempts; i++) {
    alice.chat.proofs.check(bob.id, 'the blue boat')
    await world.pass(MINUTE)
    bob.chat.proofs.decline(alice.id)
    await world.pass(MINUTE)
    t.deepEqual([stateOf(alice, bob), stateOf(bob, alice)], ['declined', 'declined'])
  }
})

test('somebody between them, who shows each the keys of his own, gets one guess and no more', (t) => {
  const [alice, bob, mallory] = [identityFrom(1), identityFrom(2), identityFrom(3)]
  const secret = utf8('what both know')
  const run = new Uint8Array(16).fill(7)
  const random = (octet: number): Uint8Array => new Uint8Array(32).fill(octet)
  const kind = 'check'
  // Relayed: Alice believes to talk to Mallory's keys, and so does Bob.
  const opening = openProof({ kind, run, first: alice, second: mallory }, secret, random(11))
  const answer = answerProof({ kind, run, first: mallory, second: bob }, opening.share, secret, random(12))!
  t.is(closeProof({ kind, run, first: alice, second: mallory }, opening, answer), undefined)
  // The same without anybody between.
  const direct = { kind, run, first: alice, second: bob } as const
  const own = openProof(direct, secret, random(11))
  const theirs = answerProof(direct, own.share, secret, random(12))!
  t.deepEqual(closeProof(direct, own, theirs), theirs.expected)
  // Who takes it for something else, or has another run in mind, answers nothing that counts.
  for (const other of [{ kind: 'password' as const }, { run: random(1).slice(0, 16) }]) {
    t.is(closeProof(direct, own, answerProof({ ...direct, ...other }, own.share, secret, random(12))!), undefined)
  }
  t.is(closeProof({ ...direct, run: random(1).slice(0, 16) }, own, theirs), undefined)
  // One's own share and tag come back: nothing.
  t.is(closeProof(direct, own, { share: own.share, tag: theirs.tag }), undefined)
})

test('what is not there, or not a share, ends nothing', async (t) => {
  const { world, alice, bob } = await pair()
  const random: Random = world.chance.bytes
  const uid = Buffer.from(bob.id, 'hex')
  const inject = (step: ProofStep): void => receive(world, bob, alice, step)
  inject({ step: 'share', run: random(16), share: random(32), tag: random(32) })
  inject({ step: 'close', run: random(16), tag: random(32) })
  inject({ step: 'end', run: random(16), why: 'different' })
  t.is(stateOf(bob, alice), undefined)
  // A share that is no element of the group: the person types, and hears that it differs.
  inject({ step: 'open', kind: 'check', run: random(16), share: new Uint8Array(32) })
  bob.chat.proofs.check(alice.id, 'the blue boat')
  t.is(stateOf(bob, alice), 'different')
  t.is(alice.records.contact(uid)?.proof, undefined)
})

test('after a key update a run of before says nothing, and another one does', async (t) => {
  const { world, alice, bob } = await pair()
  const master = alice.chat.masterSecret()!
  alice.chat.proofs.check(bob.id, 'the blue boat')
  await world.pass(MINUTE)
  alice.chat.updateKeys(master)
  alice.restart()
  await world.pass(2 * 3_600_000)
  t.is(stateOf(bob, alice), undefined)
  bob.chat.proofs.check(alice.id, 'the blue boat')
  await world.pass(MINUTE)
  alice.chat.proofs.check(bob.id, 'the blue boat')
  await world.pass(MINUTE)
  t.deepEqual([stateOf(alice, bob), stateOf(bob, alice)], ['equal', 'equal'])
  t.false(bob.chat.contact(alice.id).changed)
})

test('over loss, repeats and restarts both come to the same end, and it is equal exactly where the secrets were', async (t) => {
  if (process.env.SOTTO_LONG !== undefined) t.timeout(3_600_000)
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 1e6 }),
      fc.constantFrom('the blue boat', 'the red boat'),
      fc.array(fc.constantFrom('alice', 'bob', 'cut', 'mend', 'none'), { maxLength: 6 }),
      async (seed, theirs, mishaps) => {
        const { world, alice, bob } = await pair(seed)
        alice.chat.proofs.check(bob.id, 'the blue boat')
        const people = { alice, bob }
        let hasTyped = false
        for (const mishap of [...mishaps, 'mend', 'none', 'none', 'none'] as const) {
          if (mishap === 'cut') world.gateway.faults = FAULTS
          else if (mishap === 'mend') world.gateway.faults = NO_FAULTS
          else if (mishap !== 'none') people[mishap].restart()
          await world.pass(20 * MINUTE)
          if (!hasTyped && stateOf(bob, alice) === 'wanted') {
            hasTyped = true
            bob.chat.proofs.check(alice.id, theirs)
          }
        }
        const expected = theirs === 'the blue boat' ? 'equal' : 'different'
        const states = [stateOf(alice, bob), stateOf(bob, alice)]
        return world.broken.length === 0 && states.every((state) => state === expected)
      },
    ),
    { numRuns: process.env.SOTTO_LONG === undefined ? 12 : 200 },
  )
  t.pass()
})

test('a process that dies at any step of a run loses nothing, and gives no second attempt', async (t) => {
  for (let steps = 1; steps <= 40; steps += 3) {
    const { world, alice, bob } = await pair(steps)
    bob.stepsToLive = Number.POSITIVE_INFINITY
    alice.chat.proofs.check(bob.id, 'the blue boat')
    await world.pass(MINUTE)
    bob.stepsToLive = steps
    bob.survive(() => bob.chat.proofs.check(alice.id, 'the red boat'))
    await world.pass(10 * MINUTE)
    if (stateOf(bob, alice) === 'wanted') bob.chat.proofs.check(alice.id, 'the red boat')
    await world.pass(20 * MINUTE)
    t.deepEqual([stateOf(alice, bob), stateOf(bob, alice)], ['different', 'different'], `after ${steps} steps`)
    t.is(bob.records.contact(Buffer.from(alice.id, 'hex'))!.proof!.spent.length, 1)
  }
})

const octets = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length })

test('bodies come back as they were; cut, longer or changed in kind they are none', (t) => {
  const steps: fc.Arbitrary<ProofStep> = fc.oneof(
    fc.record({ step: fc.constant('ask' as const), question: fc.string({ minLength: 1, maxLength: 40 }) }),
    fc.record({
      ...{ step: fc.constant('open' as const), kind: fc.constantFrom(...proofKinds) },
      ...{ run: octets(16), share: octets(32) },
    }),
    fc.record({ step: fc.constant('share' as const), run: octets(16), share: octets(32), tag: octets(32) }),
    fc.record({ step: fc.constant('close' as const), run: octets(16), tag: octets(32) }),
    fc.record({ step: fc.constant('end' as const), run: octets(16), why: fc.constantFrom('none', 'limit') }),
  )
  fc.assert(
    fc.property(steps, (step) => {
      const body = encodeProof(step)
      const decoded = decodeProof(body)
      if (step.step === 'ask') return decoded === undefined || decoded.step === 'ask'
      const cut = [body.subarray(0, -1), new Uint8Array([...body, 0]), body.subarray(1)]
      return JSON.stringify(decoded) === JSON.stringify(step) && cut.every((each) => decodeProof(each) === undefined)
    }),
  )
  t.is(decodeProof(encodeProof({ step: 'ask', question: 'x'.repeat(ChatLimits.questionBytes + 1) })), undefined)
  t.is(decodeProof(encodeProof({ step: 'ask', question: 'two\nlines' })), undefined)
  t.is(decodeProof(encodeProof({ step: 'ask', question: '   ' })), undefined)
  t.is(decodeProof(Uint8Array.of(2, 4, ...new Uint8Array(48))), undefined)
  t.is(decodeProof(new Uint8Array(0)), undefined)
})

test('the same word typed another way is the same; another word, person or kind is another secret', (t) => {
  t.is(normalised('  Ｔｈｅ   BLUE\tboat\n'), 'the blue boat')
  t.is(normalised('Straße ﬁne'), normalised('straße FINE'))
  const cost = { memoryKiB: 8, passes: 1, parallelism: 1, length: 32 }
  const of = new Uint8Array(32)
  const stretch = (kind: 'check' | 'password', text: string, who = of): string =>
    Buffer.from(stretchSecret(kind, text, who, cost)).toString('hex')
  t.is(stretch('check', 'The Blue Boat'), stretch('check', 'the blue boat '))
  const all = [
    stretch('check', 'the blue boat'),
    stretch('check', 'the blue boats'),
    stretch('password', 'the blue boat'),
    stretch('check', 'the blue boat', new Uint8Array(32).fill(1)),
  ]
  t.is(new Set(all).size, all.length)
  for (const [kind, text] of [
    ['check', ' '],
    ['check', 'x'],
    ['password', 'seven77'],
    ['check', 'x'.repeat(ChatLimits.proofBytes + 1)],
  ] as const) {
    t.is(
      codeOf(() => stretchSecret(kind, text, of, cost)),
      'E_PROOF_SECRET',
      text,
    )
  }
})

test('what the views see: a question waits, an end stays, nothing is nothing', (t) => {
  t.is(proofView(undefined), undefined)
  t.is(proofView({ spent: [] }), undefined)
  t.deepEqual(proofView({ spent: [], question: 'Who?' }), { kind: 'answer', state: 'wanted', question: 'Who?' })
})
