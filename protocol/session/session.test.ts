import test from 'ava'
import fc from 'fast-check'
import { Limits } from '#protocol/constants.ts'
import { sha256 } from '#protocol/crypto/hash.ts'
import { x25519PublicKey } from '#protocol/crypto/x25519.ts'
import { initiateRekey, respondRekey } from '#protocol/handshake.ts'
import { deriveCohort } from '#protocol/recognition.ts'
import { CloseCode, FrameType, PackStage } from '#protocol/session/frames.ts'
import { Multiplexer } from '#protocol/session/multiplexer.ts'
import type { Stream } from '#protocol/session/stream.ts'
import { Priority } from '#protocol/session/stream.ts'
import type { Prng } from '#test/helpers/prng.ts'
import { prng } from '#test/helpers/prng.ts'
import type { Faults } from '#test/helpers/session-link.ts'
import { SessionLink } from '#test/helpers/session-link.ts'

const runs = process.env.SOTTO_LONG ? 3_000 : 40
const HOUR = 3_600_000

/** Collects a stream; the reader may be slow, and then gives credit late. */
function collect(link: SessionLink, rng: Prng, stream: Stream): { bytes: () => Uint8Array; ended: () => boolean } {
  const chunks: Uint8Array[] = []
  let ended = false
  stream.onData = (bytes) => {
    chunks.push(bytes.slice())
    if (rng.chance(0.5)) stream.consume(bytes.length)
    else link.time.after(rng.below(3_000), () => stream.consume(bytes.length))
  }
  stream.onEnd = () => {
    ended = true
  }
  return { bytes: () => Buffer.concat(chunks), ended: () => ended }
}

const faults: fc.Arbitrary<Faults> = fc.record({
  loss: fc.constantFrom(0, 0.05, 0.3),
  duplication: fc.constantFrom(0, 0.3),
  delay: fc.constantFrom(0, 40, 2_000),
  stall: fc.constantFrom(0, 0.05),
  abandon: fc.constantFrom(0, 0.5),
})
const sizes = fc.array(fc.constantFrom(0, 1, 700, 5_000, 70_000, 1_500_000), { minLength: 1, maxLength: 4 })

test('everything arrives once, in order, both ways, whatever the network does', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.nat(), faults, sizes, sizes, async (seed, fault, up, down) => {
      const rng = prng(seed)
      const link = new SessionLink(rng, fault)
      const sent = { gateway: new Map<number, Uint8Array>(), client: new Map<number, Uint8Array>() }
      const got: { side: 'client' | 'gateway'; id: number; got: ReturnType<typeof collect> }[] = []
      link.onStream = (side, stream) => got.push({ side, id: stream.id, got: collect(link, rng, stream) })
      const write = (side: 'client' | 'gateway', size: number): void => {
        const to = side === 'client' ? 'gateway' : 'client'
        const stream = link[side].mux.open(size > 100_000 ? Priority.bulk : Priority.urgent)
        const bytes = rng.bytes(size)
        sent[to].set(stream.id, bytes)
        for (let at = 0; at < size; at += 20_000) stream.write(bytes.subarray(at, at + 20_000))
        stream.end()
        // The other direction of the stream ends too, so that it can be forgotten.
        stream.onEnd = () => {}
      }
      const ending = link.onStream
      link.onStream = (side, stream) => {
        ending(side, stream)
        stream.end()
      }
      for (const size of up) write('client', size)
      for (const size of down) write('gateway', size)
      const total = up.length + down.length
      const complete = (): boolean => got.length === total && got.every((each) => each.got.ended())
      const settled = (): boolean =>
        complete() && link.client.mux.streamCount === 1 && link.gateway.mux.streamCount === 1
      await link.time.run(settled, 24 * HOUR)
      if (link.closed.client !== undefined || link.closed.gateway !== undefined)
        throw new Error(`closed ${JSON.stringify(link.closed)}`)
      if (!settled()) throw new Error(`stuck: ${got.filter((each) => each.got.ended()).length} of ${total}`)
      for (const { side, id, got: each } of got) {
        if (!Buffer.from(sha256(each.bytes())).equals(sha256(sent[side].get(id)!)))
          throw new Error(`stream ${id} differs`)
      }
      if (link.client.mux.unacknowledged > Limits.parkedExchanges) throw new Error('the client remembers too much')
      if (link.gateway.mux.unacknowledged > Limits.parkedExchanges + 4)
        throw new Error('the gateway remembers too much')
      if (link.tokens.size > 8 * Limits.tagWindow) throw new Error(`${link.tokens.size} tokens for one session`)
    }),
    { numRuns: runs },
  )
  t.pass()
})

const calm: Faults = { loss: 0, duplication: 0, delay: 20, stall: 0, abandon: 0 }

test('service data never travels before the hybrid keys', async (t) => {
  const link = new SessionLink(prng(1), calm)
  const stream = link.client.mux.open(Priority.urgent)
  stream.write(new Uint8Array(10))
  t.false(link.client.mux.ready)
  await link.time.run(() => link.incoming.gateway.length > 0, 10_000)
  t.true(link.client.mux.ready)
  t.is(link.incoming.gateway.length, 1)
})

test('a chat message overtakes a file under way', async (t) => {
  const link = new SessionLink(prng(2), calm)
  const order: string[] = []
  link.onStream = (_, stream) => {
    let octets = 0
    stream.onData = (bytes) => {
      octets += bytes.length
      stream.consume(bytes.length)
    }
    stream.onEnd = () => order.push(octets > 1_000 ? 'file' : 'message')
  }
  const file = link.client.mux.open(Priority.bulk)
  file.write(new Uint8Array(3_000_000))
  file.end()
  await link.time.run(() => link.gateway.mux.ready, 10_000)
  const message = link.client.mux.open(Priority.urgent)
  message.write(new Uint8Array(100))
  message.end()
  await link.time.run(() => order.length === 2, HOUR)
  t.deepEqual(order, ['message', 'file'])
})

test('a reader that takes nothing stops the writer at the window', async (t) => {
  const link = new SessionLink(prng(3), calm)
  let arrived = 0
  link.onStream = (_, stream) => {
    stream.onData = (bytes) => {
      arrived += bytes.length
    }
  }
  const stream = link.client.mux.open(Priority.bulk)
  for (let i = 0; i < 100; i++) stream.write(new Uint8Array(100_000))
  await link.time.run(() => false, HOUR)
  t.is(arrived, Limits.streamWindow)
  t.is(stream.held, 100 * 100_000 - Limits.streamWindow)
})

test('many readers that take nothing are stopped at the window of the session', async (t) => {
  const link = new SessionLink(prng(4), calm)
  let arrived = 0
  link.onStream = (_, stream) => {
    stream.onData = (bytes) => {
      arrived += bytes.length
    }
  }
  for (let i = 0; i < 6; i++) link.client.mux.open(Priority.bulk).write(new Uint8Array(Limits.streamWindow))
  await link.time.run(() => false, HOUR)
  // The control stream has used a little of it.
  t.true(arrived <= Limits.sessionWindow && arrived > Limits.sessionWindow - 2_048, `${arrived}`)
})

test('Limits.sessionWindowOpen: readers that take everything are sent on, and no further ahead than that', async (t) => {
  const link = new SessionLink(prng(6), calm)
  const each = Limits.streamWindow
  let arrived = 0
  let taken = 0
  let takes = true
  link.onStream = (_, stream) => {
    stream.onData = (bytes) => {
      arrived += bytes.length
      if (!takes) return
      taken += bytes.length
      stream.consume(bytes.length)
      takes = taken < each
    }
  }
  for (let i = 0; i < 8; i++) link.client.mux.open(Priority.bulk).write(new Uint8Array(each))
  await link.time.run(() => false, HOUR)
  const ahead = arrived - taken
  t.true(ahead > Limits.sessionWindow && ahead <= Limits.sessionWindowOpen, `${ahead}`)
})

test('streams that are cut give their credit back', async (t) => {
  const link = new SessionLink(prng(5), { ...calm, loss: 0.2 })
  link.onStream = (_, stream) => {
    stream.onData = () => {}
    link.time.after(500, () => stream.reset(CloseCode.cancelled))
  }
  for (let round = 0; round < 12; round++) {
    const stream = link.client.mux.open(Priority.bulk)
    stream.write(new Uint8Array(Limits.streamWindow))
    await link.time.run(() => stream.isClosed, HOUR)
    t.true(stream.isClosed, `round ${round}`)
  }
  let whole = 0
  link.onStream = (_, stream) => {
    stream.onData = (bytes) => {
      whole += bytes.length
      stream.consume(bytes.length)
    }
  }
  link.client.mux.open(Priority.bulk).write(new Uint8Array(2_000_000))
  await link.time.run(() => whole === 2_000_000, HOUR)
  t.is(whole, 2_000_000)
})

test('more streams at once than a session may have are carried in turn, whatever the network does', async (t) => {
  const calls = 3 * Limits.streams
  await fc.assert(
    fc.asyncProperty(fc.nat(), faults, async (seed, fault) => {
      const link = new SessionLink(prng(seed), fault)
      const asked: number[] = []
      let answers = 0
      let given = 0
      link.onStream = (_, stream) => {
        stream.onData = (bytes) => {
          asked.push(bytes[0]! * 256 + bytes[1]!)
          stream.consume(bytes.length)
        }
        stream.onEnd = () => {
          stream.write(Uint8Array.of(1))
          stream.end()
        }
      }
      const cut = new Set<number>()
      for (let i = 0; i < calls; i++) {
        const stream = link.client.mux.open(Priority.normal)
        stream.write(Uint8Array.of(i >>> 8, i & 0xff))
        stream.end()
        stream.onEnd = () => answers++
        // Some give up before their turn has come, some while they wait for an answer.
        if (i % 5 === 4) link.time.after(i, () => stream.reset(CloseCode.cancelled))
        stream.onReset = () => {
          cut.add(i)
          given++
        }
      }
      await link.time.run(() => answers + given >= calls && link.client.mux.streamCount === 1, 24 * HOUR)
      if (link.closed.client !== undefined || link.closed.gateway !== undefined)
        throw new Error(`closed ${JSON.stringify(link.closed)}`)
      if (answers + given !== calls) throw new Error(`${answers} answered and ${given} given up of ${calls}`)
      if (new Set(asked).size !== asked.length) throw new Error('asked twice')
      for (let i = 0; i < calls; i++) if (!cut.has(i) && !asked.includes(i)) throw new Error(`${i} was never asked`)
      await link.time.run(() => link.gateway.mux.streamCount === 1, 24 * HOUR)
      if (link.gateway.mux.streamCount !== 1) throw new Error('the gateway keeps streams that are over')
    }),
    { numRuns: process.env.SOTTO_LONG ? 300 : 10 },
  )
  t.pass()
})

test('keys are renewed hourly by a fresh handshake, unnoticed by streams', async (t) => {
  const rng = prng(8)
  const gatewaySecret = rng.bytes(32)
  const gatewayKey = x25519PublicKey(gatewaySecret)
  const cohort = deriveCohort(rng.bytes(32))
  const link = new SessionLink(rng, { ...calm, loss: 0.1 }, (message, prologue) =>
    respondRekey({ gatewaySecret, cohort, prologue, message, random: rng.bytes }),
  )
  let arrived = 0
  link.onStream = (_, stream) => {
    stream.onData = (bytes) => {
      arrived += bytes.length
      stream.consume(bytes.length)
    }
  }
  const stream = link.client.mux.open(Priority.urgent)
  let rekeys = 0
  for (let minute = 1; minute <= 300; minute++) {
    stream.write(new Uint8Array(100))
    await link.time.run(() => false, 60_000)
    if (!link.client.rekeyDue(link.time.now)) continue
    rekeys++
    const { first, finish } = initiateRekey({ gatewayKey, cohort, prologue: link.client.transcript, random: rng.bytes })
    link.client.renew({ first, finish: async (reply) => finish(reply) })
  }
  t.is(rekeys, 4)
  t.is(arrived, 30_000)
  t.deepEqual(link.closed, {})
  t.true(link.tokens.size <= 2 * Limits.tagWindow + 8, 'only the newest keys are expected after the overlap')
})

test('a renewal is due once an hour, however often it is asked', async (t) => {
  const rng = prng(9)
  const gatewaySecret = rng.bytes(32)
  const gatewayKey = x25519PublicKey(gatewaySecret)
  const cohort = deriveCohort(rng.bytes(32))
  const link = new SessionLink(rng, calm, (message, prologue) =>
    respondRekey({ gatewaySecret, cohort, prologue, message, random: rng.bytes }),
  )
  let rekeys = 0
  for (let second = 0; second < 3 * 3_600 + 60; second += 2) {
    await link.time.run(() => false, 2_000)
    if (!link.client.rekeyDue(link.time.now)) continue
    rekeys++
    const { first, finish } = initiateRekey({ gatewayKey, cohort, prologue: link.client.transcript, random: rng.bytes })
    link.client.renew({ first, finish: async (reply) => finish(reply) })
  }
  t.is(rekeys, 3)
  t.deepEqual(link.closed, {})
})

test('an altered parcel changes nothing', async (t) => {
  const link = new SessionLink(prng(6), calm)
  await link.time.run(() => link.client.mux.ready, 10_000)
  const outgoing = link.client.take(96)
  const expected = link.tokens.find(Buffer.from(outgoing.token).toString('latin1'))!
  for (let at = 0; at < outgoing.parcel.length; at++) {
    const altered = outgoing.parcel.slice()
    altered[at]! ^= 1 << (at % 8)
    t.is(link.gateway.receive(link.time.now, expected, altered), undefined)
  }
  t.is(link.gateway.receive(link.time.now, expected, outgoing.parcel)?.kind, 'fresh')
  t.is(link.gateway.receive(link.time.now, expected, outgoing.parcel)?.kind, 'repeat')
})

test('a parcel sealed for one kind of request is not one of another', async (t) => {
  const link = new SessionLink(prng(8), calm)
  await link.time.run(() => link.client.mux.ready, 10_000)
  const [mine, other] = [prng(9).bytes(16), prng(10).bytes(16)]
  const outgoing = link.client.take(96, undefined, mine)
  const expected = link.tokens.find(Buffer.from(outgoing.token).toString('latin1'))!
  t.is(link.gateway.receive(link.time.now, expected, outgoing.parcel, other), undefined)
  t.is(link.gateway.receive(link.time.now, expected, outgoing.parcel), undefined)
  t.is(link.gateway.receive(link.time.now, expected, outgoing.parcel, mine)?.kind, 'fresh')
  t.false(link.client.receive(link.time.now, outgoing.number, link.gateway.answer(outgoing.number, 96, other)))
})

test('the newest pack pointer arrives, whatever the network does, and wakes nobody', async (t) => {
  const pointer = (n: number) => ({ stage: PackStage.current, ttl: 60 + n, hash: new Uint8Array(32).fill(n) })
  for (let seed = 20; seed < 30; seed++) {
    const link = new SessionLink(prng(seed), { loss: 0.3, duplication: 0.3, delay: 2_000, stall: 0.05, abandon: 0.5 })
    await link.time.run(() => link.client.mux.ready, 600_000)
    for (let n = 1; n <= 3; n++) {
      link.gateway.mux.point(pointer(n))
      t.is(link.gateway.pending(1), 0)
      await link.time.run(() => link.pointers.at(-1)?.ttl === 60 + n, 600_000)
      t.deepEqual(link.pointers.at(-1), pointer(n))
    }
    await link.time.run(() => false, 60_000)
    t.deepEqual(link.pointers.at(-1), pointer(3), 'an older one never comes after a newer one')
  }
})

test('a pack pointer that was overtaken by a newer one is not heard', (t) => {
  const heard: number[] = []
  const gateway = new Multiplexer('gateway', {})
  const client = new Multiplexer('client', { pointed: ({ ttl }) => heard.push(ttl) })
  gateway.point({ stage: PackStage.none, ttl: 61, hash: new Uint8Array(0) })
  const earlier = gateway.build(1, 80, true)
  gateway.point({ stage: PackStage.none, ttl: 62, hash: new Uint8Array(0) })
  const later = gateway.build(2, 80, true)
  client.accept(2, later, true)
  client.accept(1, earlier, true)
  t.deepEqual(heard, [62])
})

test('a pack pointer from a client, or before the hybrid keys, breaks the protocol', (t) => {
  const body = Uint8Array.of(0, FrameType.packPointer, 1, PackStage.none, 60, 0)
  const gateway = new Multiplexer('gateway', {})
  gateway.accept(1, body, true)
  t.true(gateway.isClosed)
  const early = new Multiplexer('client', {})
  early.accept(1, body, false)
  t.true(early.isClosed)
  const client = new Multiplexer('client', {})
  client.accept(1, body, true)
  t.false(client.isClosed)
})

test('what waits fits a parcel of the length that it claims, to the octet', (t) => {
  const edges = [63, 16_383]
  for (const length of [1, 62, 64, 712, 5_000, 20_000, ...edges]) {
    const fits = (spare: number): boolean => {
      const mux = new Multiplexer('client', {})
      mux.ready = true
      mux.open(Priority.urgent).write(new Uint8Array(length))
      // One octet counts the ranges that are acknowledged.
      mux.build(1, 1 + mux.pending(Number.POSITIVE_INFINITY) + spare, true)
      return mux.pending(1) === 0
    }
    t.true(fits(0), String(length))
    // Where the length's own number grows, the writer leaves an octet free.
    t.is(fits(-1), false, String(length))
  }
})

test('the room for an answer is said, but does not make a parcel longer that is full to the octet', (t) => {
  for (const length of [712, 5_000]) {
    const said = (spare: number): number | undefined => {
      const mux = new Multiplexer('client', {})
      mux.ready = true
      mux.open(Priority.urgent).write(new Uint8Array(length))
      const body = mux.build(1, 1 + mux.pending(Number.POSITIVE_INFINITY) + spare, true, { room: 3_072 })
      return new Multiplexer('gateway', {}).accept(1, body, true)?.room
    }
    t.is(said(0), undefined)
    t.is(said(5), 3_072)
    t.is(said(-300), 3_072, 'some is left over in any case')
  }
  const hearsRoom = new Multiplexer('client', {})
  hearsRoom.accept(1, Uint8Array.of(0, FrameType.room, 1), true)
  t.true(hearsRoom.isClosed, 'a gateway says none')
  const hearsRepeats = new Multiplexer('gateway', {})
  hearsRepeats.accept(1, Uint8Array.of(0, FrameType.repeats, 1), true)
  t.true(hearsRepeats.isClosed, 'and a client nothing of repeats')
})

test('a close reaches the other side and ends its streams', async (t) => {
  const link = new SessionLink(prng(7), calm)
  await link.time.run(() => link.client.mux.ready, 10_000)
  const stream = link.client.mux.open(Priority.urgent)
  let code: number | undefined
  stream.onReset = (value) => {
    code = value
  }
  link.gateway.close(CloseCode.revoked)
  await link.time.run(() => link.closed.client !== undefined, 30_000)
  t.is(link.closed.client, CloseCode.revoked)
  t.is(code, CloseCode.revoked)
  t.is(link.tokens.size, 0)
})
