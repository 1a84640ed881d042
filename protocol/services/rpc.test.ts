/** Calls, subscriptions and streams: what cannot be asked takes no stream. */
import test from 'ava'
import { Limits } from '../constants.ts'
import { Multiplexer } from '../session/multiplexer.ts'
import type { Stream } from '../session/stream.ts'
import { Priority } from '../session/stream.ts'
import { call, openStream, serve, subscribe } from './rpc.ts'

test('a question that is too long is refused where it is made, and takes no stream', async (t) => {
  const client = new Multiplexer('client', {})
  const long = new Uint8Array(Limits.messageBytes)
  await t.throwsAsync(call(client, 'test.echo', long), { instanceOf: RangeError })
  t.throws(() => subscribe(client, 'test.echo', long, () => t.fail()), { instanceOf: RangeError })
  t.throws(() => openStream(client, 'test.echo', long, Priority.bulk), { instanceOf: RangeError })
  t.is(client.streamCount, 1, 'the control stream')
})

test('an answer that is a piece of a file gives way to all others', async (t) => {
  const service = {
    unary: { 'test.ask': async () => 'answer' },
    bulk: { 'test.piece': async () => new Uint8Array(20_000) },
    subscribe: {},
  }
  const gateway = new Multiplexer('gateway', {
    stream: (stream: Stream) =>
      serve(stream, [service], { member: 'm', role: 'member' }, (error) => t.fail(String(error))),
  })
  const client = new Multiplexer('client', {})
  client.ready = true
  gateway.ready = true
  const piece = call(client, 'test.piece', null, Priority.bulk)
  const answer = call(client, 'test.ask', null)
  gateway.accept(1, client.build(1, 500, true), true)
  await new Promise((resolve) => setImmediate(resolve))
  client.accept(1, gateway.build(1, 500, true), true)
  t.is(await Promise.race([answer, piece, new Promise((resolve) => setImmediate(resolve))]), 'answer')
})

test('an answer goes before news that waits, whichever was asked for first', async (t) => {
  const service = {
    unary: { 'test.ask': async () => 'answer' },
    subscribe: {
      'test.news': async (_: unknown, __: unknown, push: (item: unknown) => Promise<void>) =>
        void (await push(new Uint8Array(20_000))),
    },
  }
  const gateway = new Multiplexer('gateway', {
    stream: (stream: Stream) =>
      serve(stream, [service], { member: 'm', role: 'member' }, (error) => t.fail(String(error))),
  })
  const client = new Multiplexer('client', {})
  client.ready = true
  gateway.ready = true
  subscribe(client, 'test.news', null, () => {})
  const answer = call(client, 'test.ask', null)
  gateway.accept(1, client.build(1, 500, true), true)
  await new Promise((resolve) => setImmediate(resolve))
  client.accept(1, gateway.build(1, 500, true), true)
  t.is(await Promise.race([answer, new Promise((resolve) => setImmediate(resolve))]), 'answer')
})
