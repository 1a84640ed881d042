import test from 'ava'
import { Priority } from '#protocol/session/stream.ts'
import { MemberByHand } from '#test/helpers/member-by-hand.ts'

test('an answer is no longer than its request wants it, and what is left comes in the next', async (t) => {
  const member = await MemberByHand.ready()
  const asked = member.client.mux.open(Priority.urgent)
  asked.write(new Uint8Array(1))
  await member.exchange(320)
  member.streams[0]!.write(new Uint8Array(20_000))
  const lengths: number[] = []
  for (const room of [4_096, 5_000, 1, undefined]) {
    const outgoing = member.take(96, 1_000, room)
    const delivered = member.deliver(outgoing)!
    await member.pass()
    lengths.push(delivered.parcels[0]!.length)
    member.client.receive(member.time.now, outgoing.number, delivered.parcels[0]!)
  }
  // One class up to the room, or the smallest there is.
  t.deepEqual(lengths, [4_096, 4_096, 96, 32_768])
  t.is(asked.receiving.highest, 20_000)
})

test('how often requests came once more is said in the answers, wherever there is room', async (t) => {
  const member = await MemberByHand.ready()
  await member.exchange()
  t.deepEqual(member.repeated, [])
  const outgoing = member.take(96, 0)
  const [first, second, third] = [member.deliver(outgoing), member.deliver(outgoing), member.deliver(outgoing)]
  await member.pass()
  for (const delivered of [first, second, third]) t.is(delivered?.parcels.length, 1)
  member.client.receive(member.time.now, outgoing.number, first!.parcels[0]!)
  t.deepEqual(member.repeated, [2])
  await member.exchange()
  t.deepEqual(member.repeated, [2, 2], 'again, as an answer may be lost')
})
