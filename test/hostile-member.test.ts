/** A member with a changed client, or an edge that holds requests back, against the gateway's end of a session. */
import test from 'ava'
import { Limits } from '#protocol/constants.ts'
import { Epoch } from '#protocol/session/epoch.ts'
import { BodyWriter, CloseCode } from '#protocol/session/frames.ts'
import { Multiplexer } from '#protocol/session/multiplexer.ts'
import type { Stream } from '#protocol/session/stream.ts'
import { Priority } from '#protocol/session/stream.ts'
import { MemberByHand } from './helpers/member-by-hand.ts'

test('an exchange that calls itself lost ends its session and nothing else', async (t) => {
  const member = await MemberByHand.ready()
  const { number } = await member.exchange()
  member.client.mux.sayLost(number + 1)
  const delivered = member.deliver(member.take(96, 0))
  await t.notThrowsAsync(member.pass())
  t.is(delivered?.parcels.length, 1, 'its connection is not left waiting')
  t.true(member.over)
})

test('what is held when its keys end is answered before, and under those keys', async (t) => {
  const member = await MemberByHand.ready()
  const held = member.take(96, 50_000)
  await member.pass()
  await member.renew()
  const later = member.take(96, 50_000)
  await member.pass(Limits.rekeyOverlapMs - 20_000)
  const delivered = member.deliver(held)
  await member.pass(19_999)
  t.deepEqual(delivered?.parcels, [])
  await member.pass(1)
  member.deliver(later)
  await member.pass()
  t.is(delivered?.parcels.length, 1)
  t.true(member.client.receive(member.time.now, held.number, delivered!.parcels[0]!))
})

test('what arrives when its keys have ended is a stranger’s, though its token came before', async (t) => {
  const member = await MemberByHand.ready()
  const late = member.take(96, 0)
  const early = member.find(late)!
  await member.renew()
  await member.pass(Limits.rekeyOverlapMs)
  t.is(member.deliver(late, early), undefined, 'even before anything else has come')
  await member.exchange()
  t.is(member.deliver(late, early), undefined)
  // The edge that kept it back knows the token; it must not be able to make up a parcel under keys of zeros.
  const zeros = new Epoch(9, member.aead, new Uint8Array(32))
  const keys = (zeros as unknown as { keys: Uint8Array }).keys
  keys.fill(0)
  const forged = zeros.sealRequest(late.number, late.token, new Uint8Array(64))
  t.is(member.deliver({ ...late, parcel: forged }, early), undefined)
})

test('nothing is sealed under keys that were wiped', async (t) => {
  const member = await MemberByHand.ready()
  const epoch = new Epoch(1, member.aead, new Uint8Array(32).fill(5))
  epoch.wipe()
  t.throws(() => epoch.sealAnswer(1, new Uint8Array(16), new Uint8Array(64)))
  t.throws(() => epoch.sealRequest(1, new Uint8Array(16), new Uint8Array(64)))
  t.throws(() => epoch.token(1))
})

test('a copy of a request whose body comes after its answer was acknowledged is a stranger’s: one answer for a number', async (t) => {
  const member = await MemberByHand.ready()
  const outgoing = member.take(96, 0)
  const early = member.find(outgoing)!
  const first = member.deliver(outgoing)!
  await member.pass()
  t.true(member.client.receive(member.time.now, outgoing.number, first.parcels[0]!))
  first.leave()
  await member.exchange()
  t.is(member.find(outgoing), undefined)
  const second = member.deliver(outgoing, early)
  await member.pass()
  t.is(second, undefined)
})

test('connections of exchanges that the client calls lost are ended, held or answered', async (t) => {
  const member = await MemberByHand.ready()
  const held = member.take(96, 50_000)
  const answered = member.take(96, 0)
  const first = member.deliver(held)!
  const second = member.deliver(answered)!
  await member.pass()
  t.is(second.parcels.length, 1)
  member.client.abandon(held.number)
  member.client.abandon(answered.number)
  await member.exchange()
  t.true(first.cut)
  t.true(second.cut, 'it may be taking its answer slowly')
})

test('Limits.copies: all copies of a held request get the one answer, and the oldest gives way', async (t) => {
  const member = await MemberByHand.ready()
  const outgoing = member.take(96, 5_000)
  const copies = Array.from({ length: Limits.copies + 1 }, () => member.deliver(outgoing)!)
  await member.pass()
  t.deepEqual(
    copies.map(({ cut }) => cut),
    [true, ...Array<boolean>(Limits.copies).fill(false)],
  )
  await member.pass(5_000)
  t.deepEqual(
    copies.map(({ parcels }) => parcels.length),
    [0, ...Array<number>(Limits.copies).fill(1)],
  )
  for (const { parcels } of copies.slice(2)) t.is(parcels[0], copies[1]!.parcels[0])
})

test('Limits.unackedParcels: exchanges whose connections are gone pile up no further', async (t) => {
  const member = await MemberByHand.ready()
  let rounds = 0
  for (; !member.over && rounds < 1_000; rounds++) {
    const outgoing = member.take(96, 50_000)
    member.deliver(outgoing)?.leave()
  }
  t.true(rounds <= Limits.unackedParcels + 1)
})

test('numbers used with gaps and never settled pile up no further', async (t) => {
  const member = await MemberByHand.ready()
  const { mux } = member.live.session
  const arrived = (mux as unknown as { arrived: { size: number } }).arrived
  for (let i = 0; i < 600 && !member.over; i++) {
    // A number that is never used.
    ;(member.client as unknown as { number: number }).number++
    const outgoing = member.take(96, 0)
    const delivered = member.deliver(outgoing)
    await member.pass()
    delivered?.leave()
    member.client.abandon(outgoing.number)
  }
  t.true(arrived.size <= Limits.unackedParcels, `${arrived.size} ranges`)
})

test('Limits.resets: streams opened and cut at once end the session', async (t) => {
  const member = await MemberByHand.ready()
  for (let i = 0; i < Limits.resets + 1; i++) member.client.mux.open(Priority.normal).reset(CloseCode.cancelled)
  member.deliver(member.take(32_768, 0))
  await member.pass()
  t.true(member.over)
  t.true(member.streams.length <= Limits.frames)
})

test('a firewall that fails in a renewal of keys ends the client’s session, and nothing else', async (t) => {
  const member = await MemberByHand.ready()
  let asked = 0
  const finish = (): Promise<Uint8Array> => {
    asked++
    return Promise.reject(new Error('the firewall has gone'))
  }
  member.client.renew({ first: Uint8Array.of(1), finish })
  await member.exchange(4_096)
  await member.exchange(4_096)
  t.is(asked, 1)
  t.true(member.client.mux.isClosed)
})

test('streams cut here whose end was known, though not all of them had come, are forgotten', (t) => {
  const gateway = new Multiplexer('gateway', { stream: (stream) => streams.push(stream) })
  const streams: Stream[] = []
  gateway.ready = true
  let number = 0
  const say = (id: number, offset: number, end: boolean): void => {
    const writer = new BodyWriter(64)
    writer.acks([])
    writer.stream(id, offset, 1, end, () => {})
    gateway.accept(++number, writer.finish(), true)
  }
  for (let id = 2; id <= 4 * Limits.streams; id += 2) {
    say(id, 1, true)
    streams.pop()!.reset(CloseCode.cancelled)
    // What was missing, said again: all of the stream has arrived, and so its end is not named once more.
    say(id, 0, false)
    gateway.build(number, 4_096, true)
    gateway.acknowledge(number)
  }
  t.false(gateway.isClosed)
})
