/** Calls, subscriptions and streams: what cannot be asked takes no stream. */
import test from 'ava'
import { Limits } from '../constants.ts'
import { Multiplexer } from '../session/multiplexer.ts'
import { Priority } from '../session/stream.ts'
import { call, openStream, subscribe } from './rpc.ts'

test('a question that is too long is refused where it is made, and takes no stream', async (t) => {
  const client = new Multiplexer('client', {})
  const long = new Uint8Array(Limits.messageBytes)
  await t.throwsAsync(call(client, 'test.echo', long), { instanceOf: RangeError })
  t.throws(() => subscribe(client, 'test.echo', long, () => t.fail()), { instanceOf: RangeError })
  t.throws(() => openStream(client, 'test.echo', long, Priority.bulk), { instanceOf: RangeError })
  t.is(client.streamCount, 1, 'the control stream')
})
