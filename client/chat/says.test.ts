/** Answers, edits, withdrawals, reactions, what disappears and what no gateway keeps; on both sides, whatever the network does. */
import test from 'ava'
import fc from 'fast-check'
import { latin1, utf8 } from '#protocol/bytes.ts'
import { codeOf } from '#test/helpers/code-of.ts'
import { changed } from './changes.ts'
import type { MessageView } from './events.ts'
import { acquainted, Person, World } from './fixtures/world.ts'
import { ChatLimits } from './limits.ts'
import type { StoredMessage } from './model.ts'
import { decodeChange, decodeSaid, decodeTimer, encodeChange, encodeSaid, encodeTimer, isSymbol } from './says.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE

async function pair(seed = 1): Promise<{ world: World; alice: Person; bob: Person }> {
  const world = new World(seed)
  const [alice, bob] = [new Person(world, 'Alice'), new Person(world, 'Bob')]
  await acquainted(world, alice, bob)
  return { world, alice, bob }
}

const all = { limit: 1_000 }
const last = (person: Person, other: Person): MessageView => person.chat.history(other.id, all).at(-1)!

test('an answer names what it answers, to both', async (t) => {
  const { world, alice, bob } = await pair()
  const asked = alice.chat.send(bob.id, 'when?')
  await world.pass(MINUTE)
  bob.chat.send(alice.id, 'at noon', { answers: asked.id })
  await world.pass(MINUTE)
  for (const [person, other] of [
    [alice, bob],
    [bob, alice],
  ] as const) {
    t.is(last(person, other).answers, asked.id)
    t.is(last(person, other).text, 'at noon')
  }
  t.is(
    codeOf(() => bob.chat.send(alice.id, 'to nothing', { answers: '00'.repeat(16) })),
    'E_CHAT_MESSAGE',
  )
})

test('an edit replaces the text, a withdrawal takes it away, from the disk too', async (t) => {
  const { world, alice, bob } = await pair()
  const sent = alice.chat.send(bob.id, 'at tenn')
  await world.pass(MINUTE)
  const edited = alice.chat.edit(bob.id, sent.id, 'at ten')
  t.deepEqual([edited.text, edited.edited], ['at ten', true])
  await world.pass(MINUTE)
  t.deepEqual([last(bob, alice).text, last(bob, alice).edited], ['at ten', true])
  t.true(bob.events.some((event) => event.type === 'changed' && event.message.text === 'at ten'))
  t.is(bob.chat.contact(alice.id).unread, 1, 'an edit is no message')

  alice.chat.withdraw(bob.id, sent.id)
  await world.pass(MINUTE)
  for (const [person, other] of [
    [alice, bob],
    [bob, alice],
  ] as const) {
    t.deepEqual([last(person, other).text, last(person, other).withdrawn], ['', true])
    t.is(
      codeOf(() => person.chat.edit(other.id, sent.id, 'again')),
      'E_CHAT_CHANGE',
    )
    t.is(
      codeOf(() => person.chat.react(other.id, sent.id, '👍')),
      'E_CHAT_CHANGE',
    )
  }
})

test('nobody changes what another has said, and nobody for ever', async (t) => {
  const { world, alice, bob } = await pair()
  const sent = alice.chat.send(bob.id, 'mine')
  await world.pass(MINUTE)
  t.is(
    codeOf(() => bob.chat.edit(alice.id, sent.id, 'yours')),
    'E_CHAT_CHANGE',
  )
  t.is(
    codeOf(() => bob.chat.withdraw(alice.id, sent.id)),
    'E_CHAT_CHANGE',
  )
  await world.pass(ChatLimits.changeMs)
  t.is(
    codeOf(() => alice.chat.edit(bob.id, sent.id, 'too late')),
    'E_CHAT_CHANGE',
  )
  t.is(last(bob, alice).text, 'mine')
})

test('ChatLimits.changeMs, and the rights to change, hold at who receives', (t) => {
  const message: StoredMessage = {
    ...{ id: new Uint8Array(16), contact: new Uint8Array(32), mine: true },
    ...{ text: 'as it was', time: 1_000, counter: 1, forked: false },
  }
  const edit = { kind: 'edit', target: message.id, text: 'else', counter: 2 } as const
  t.is(changed(message, { ...edit, mine: true, time: 1_000 + ChatLimits.changeMs }).text, 'else')
  t.is(changed(message, { ...edit, mine: true, time: 1_001 + ChatLimits.changeMs }), message)
  t.is(changed(message, { ...edit, mine: false, time: 1_001 }), message)
  const later = changed(message, { ...edit, mine: true, time: 1_001, counter: 5 })
  t.is(changed(later, { ...edit, mine: true, time: 1_001, counter: 4, text: 'overtaken' }), later)
})

test('a reaction of each side; another replaces it, an empty one takes it back', async (t) => {
  const { world, alice, bob } = await pair()
  const sent = alice.chat.send(bob.id, 'it works')
  await world.pass(MINUTE)
  bob.chat.react(alice.id, sent.id, '👍')
  alice.chat.react(bob.id, sent.id, '🎉')
  await world.pass(MINUTE)
  t.deepEqual([last(alice, bob).myReaction, last(alice, bob).theirReaction], ['🎉', '👍'])
  t.deepEqual([last(bob, alice).myReaction, last(bob, alice).theirReaction], ['👍', '🎉'])
  bob.chat.react(alice.id, sent.id, '👩‍👩‍👧‍👦')
  alice.chat.react(bob.id, sent.id, '')
  await world.pass(MINUTE)
  t.deepEqual([last(alice, bob).myReaction, last(alice, bob).theirReaction], [undefined, '👩‍👩‍👧‍👦'])
  for (const symbol of ['two', '👍👍', ' ', '\n', '\u202e', 'e'.repeat(99)]) {
    t.is(
      codeOf(() => bob.chat.react(alice.id, sent.id, symbol)),
      'E_CHAT_TEXT',
      JSON.stringify(symbol),
    )
  }
})

test('ChatLimits.symbolBytes', (t) => {
  t.true(isSymbol('🏴󠁧󠁢󠁳󠁣󠁴󠁿'))
  const many = `e${'\u0301'.repeat(15)}`
  t.is(utf8(many).length, ChatLimits.symbolBytes - 1)
  t.true(isSymbol(many))
  t.false(isSymbol(`${many}\u0301`))
})

test('what disappears goes a while after it was read, on both sides, restarts or not', async (t) => {
  const { world, alice, bob } = await pair()
  alice.chat.send(bob.id, 'this stays')
  t.is(alice.chat.setTimer(bob.id, 3_600).timer, 3_600)
  await world.pass(MINUTE)
  t.is(bob.chat.contact(alice.id).timer, 3_600, 'both have it')
  alice.chat.send(bob.id, 'this goes')
  bob.chat.send(alice.id, 'and so does this')
  await world.pass(2 * HOUR)
  t.deepEqual(bob.texts(alice), ['this stays', 'this goes'], 'not before it was read')
  t.deepEqual(
    alice.chat.history(bob.id, all).map(({ text }) => text),
    ['this stays', 'and so does this'],
    'ours an hour after they have it',
  )
  alice.chat.markRead(bob.id)
  bob.chat.markRead(alice.id)
  bob.restart()
  await world.pass(HOUR - MINUTE)
  t.is(bob.texts(alice).length, 2)
  await world.pass(2 * MINUTE)
  for (const [person, other] of [
    [alice, bob],
    [bob, alice],
  ] as const) {
    t.deepEqual(
      person.chat.history(other.id, all).map(({ text }) => text),
      ['this stays'],
    )
    t.deepEqual(person.records.expiring(), [])
    t.true(person.events.some(({ type }) => type === 'gone'))
  }
  bob.chat.setTimer(alice.id, 0)
  await world.pass(MINUTE)
  t.is(alice.chat.contact(bob.id).timer, 0)
  t.is(alice.chat.send(bob.id, 'stays again').timer, undefined)
  t.throws(() => alice.chat.setTimer(bob.id, ChatLimits.timerSeconds + 1), { instanceOf: RangeError })
})

test('what no gateway may keep waits here until the contact is there', async (t) => {
  const { world, alice, bob } = await pair()
  bob.mailbox.disconnect()
  const sent = alice.chat.send(bob.id, 'for your eyes', { noStore: true })
  alice.chat.send(bob.id, 'an ordinary one')
  await world.pass(5 * MINUTE)
  const waiting = bob.queues().flatMap(({ rid }) => world.gateway.queue(rid)?.waiting ?? [])
  const [secret, ordinary] = [true, undefined].map((noStore) => {
    const entry = alice.records
      .outbox()
      .find((each) => each.counter > 0 && each.type === 1 && each.noStore === noStore)!
    return waiting.filter(({ id }) => latin1(id) === latin1(entry.id)).length
  })
  t.deepEqual([secret, ordinary], [0, 1])
  t.is(alice.chat.history(bob.id, all).find(({ id }) => id === sent.id)!.status, 'pending')
  bob.restart()
  await world.pass(MINUTE)
  t.deepEqual(bob.texts(alice), ['for your eyes', 'an ordinary one'])
})

test('ChatLimits.orphans: changes that come before their messages are kept up to a bound', async (t) => {
  const { world, alice, bob } = await pair()
  const first = alice.chat.send(bob.id, 'first')
  await world.pass(MINUTE)
  // As a client would that has forgotten what it once received.
  const uid = Buffer.from(alice.id, 'hex')
  bob.store.transaction(() => bob.records.deleteMessage(uid, Buffer.from(first.id, 'hex')))
  for (let i = 0; i < ChatLimits.orphans + 5; i++) {
    alice.chat.edit(bob.id, first.id, `edit ${i}`)
    await world.pass(MINUTE)
  }
  t.is(bob.records.orphans(uid).length, ChatLimits.orphans)
  bob.chat.remove(alice.id)
  t.is(bob.records.orphans(uid).length, 0)
})

test('whatever the network does, both see the same in the end', async (t) => {
  const action = fc.record({
    who: fc.boolean(),
    what: fc.constantFrom('say', 'answer', 'edit', 'withdraw', 'react'),
    which: fc.nat(9),
    pause: fc.constantFrom(0, 10, 5_000),
    restart: fc.nat(9),
  })
  const faults = { callLost: 0.1, answerLost: 0.1, messageLost: 0, duplicated: 0.1, delay: 60_000 }
  const run = async (
    seed: number,
    actions: readonly { who: boolean; what: string; which: number; pause: number; restart: number }[],
  ): Promise<void> => {
    const { world, alice, bob } = await pair(seed)
    world.gateway.faults = faults
    for (const [i, { who, what, which, pause, restart }] of actions.entries()) {
      const [person, other] = who ? [alice, bob] : [bob, alice]
      const history = person.chat.history(other.id, all).filter(({ withdrawn }) => !withdrawn)
      const own = history.filter(({ from }) => from === 'me')
      const [any, mine] = [history[which % Math.max(1, history.length)], own[which % Math.max(1, own.length)]]
      if (what === 'edit' && mine !== undefined) person.chat.edit(other.id, mine.id, `edited ${i}`)
      else if (what === 'withdraw' && mine !== undefined) person.chat.withdraw(other.id, mine.id)
      else if (what === 'react' && any !== undefined) person.chat.react(other.id, any.id, ['👍', '🎉', ''][which % 3]!)
      else if (what === 'answer' && any !== undefined) person.chat.send(other.id, `answer ${i}`, { answers: any.id })
      else person.chat.send(other.id, `text ${i}`)
      await world.pass(pause)
      if (restart === 0) person.restart()
    }
    world.gateway.faults = { ...faults, callLost: 0, answerLost: 0 }
    await world.pass(12 * HOUR)
    const seen = (person: Person, other: Person): unknown[] =>
      person.chat
        .history(other.id, all)
        .map(({ id, text, answers, edited, withdrawn, myReaction, theirReaction, from }) => {
          const reactions = from === 'me' ? [myReaction, theirReaction] : [theirReaction, myReaction]
          return {
            id,
            text,
            answers,
            edited,
            withdrawn,
            ofSender: from === 'me' ? reactions[0] : reactions[0],
            ofOther: reactions[1],
          }
        })
        .sort((a, b) => (a.id < b.id ? -1 : 1))
    t.deepEqual(seen(alice, bob), seen(bob, alice))
    t.deepEqual([...world.broken, ...world.gateway.broken], [])
    for (const [person, other] of [
      [alice, bob],
      [bob, alice],
    ] as const) {
      t.deepEqual(person.records.orphans(Buffer.from(other.id, 'hex')), [])
    }
  }
  await fc.assert(fc.asyncProperty(fc.nat(), fc.array(action, { minLength: 3, maxLength: 25 }), run), {
    numRuns: process.env.SOTTO_LONG === '1' ? 2_000 : 25,
  })
})

test('bodies: what is encoded is read; anything else is not', (t) => {
  const id = new Uint8Array(16).fill(7)
  for (const said of [
    { text: 'x' },
    { text: 'x', answers: id },
    { text: 'é', timer: 60 },
    { text: 'x', answers: id, timer: 1 },
  ]) {
    t.deepEqual(decodeSaid(encodeSaid(said)), said)
  }
  const long = encodeSaid({ text: 'x'.repeat(ChatLimits.textBytes + 1) })
  const bad = [
    new Uint8Array(0),
    Uint8Array.of(0),
    Uint8Array.of(4, 65),
    Uint8Array.of(1, 65),
    Uint8Array.of(2, 0, 0, 0, 0, 65),
    Uint8Array.of(2, 255, 255, 255, 255, 65),
    long,
  ]
  for (const body of bad) t.is(decodeSaid(body), undefined, latin1(body.slice(0, 8)))
  for (const kind of ['edit', 'withdraw', 'reaction'] as const) {
    const change = { kind, target: id, text: kind === 'withdraw' ? '' : '👍' }
    t.deepEqual(decodeChange(kind, encodeChange(change)), change)
    t.is(decodeChange(kind, id.slice(1)), undefined)
    t.is(decodeChange(kind, Uint8Array.from([...id, 0xff])), undefined)
  }
  t.is(decodeChange('edit', id), undefined)
  t.is(decodeChange('withdraw', Uint8Array.from([...id, 65])), undefined)
  for (const seconds of [0, 1, ChatLimits.timerSeconds]) t.is(decodeTimer(encodeTimer(seconds)), seconds)
  for (const body of [encodeTimer(ChatLimits.timerSeconds + 1), new Uint8Array(3), new Uint8Array(5)])
    t.is(decodeTimer(body), undefined)
})
