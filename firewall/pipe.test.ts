import { once } from 'node:events'
import { duplexPair } from 'node:stream'
import test from 'ava'
import type { SottoError } from '#protocol/errors.ts'
import { encodeMessage } from '#protocol/services/codec.ts'
import { encodeFrame } from './frames.ts'
import type { Message } from './pipe.ts'
import { Pipe } from './pipe.ts'

/** One end, what it received, and how it ended. */
function end(socket: ReturnType<typeof duplexPair>[0]) {
  const messages: Message[] = []
  const { promise: closed, resolve } = Promise.withResolvers<SottoError | undefined>()
  let drains = 0
  let closes = 0
  const pipe = new Pipe(socket, {
    message: (message) => messages.push(message),
    drained: () => drains++,
    closed: (error) => {
      closes++
      resolve(error)
    },
  })
  return { pipe, messages, closed, closes: () => closes, drains: () => drains }
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('messages cross with head and raw octets', async (t) => {
  const [a, b] = duplexPair()
  const [left, right] = [end(a), end(b)]
  left.pipe.send(9, 1, { text: 'ü', bytes: Uint8Array.of(1, 2) }, new Uint8Array(300_000).fill(3))
  right.pipe.send(32, 1, null)
  await settle()
  await settle()
  const [message] = right.messages
  t.is(message!.type, 9)
  t.deepEqual(message!.head, { text: 'ü', bytes: Uint8Array.of(1, 2) })
  t.is(message!.raw.length, 300_000)
  t.true(message!.raw.every((octet) => octet === 3))
  t.deepEqual(
    left.messages.map(({ type, id, head }) => ({ type, id, head })),
    [{ type: 32, id: 1, head: null }],
  )
})

test('our own close is no error here and E_FIREWALL_GONE there', async (t) => {
  const [a, b] = duplexPair()
  const [left, right] = [end(a), end(b)]
  left.pipe.send(1, 1, 'last words')
  left.pipe.close()
  t.is(await left.closed, undefined)
  t.is((await right.closed)?.code, 'E_FIREWALL_GONE')
  t.is(right.messages[0]?.head, 'last words')
})

const unreadable = encodeFrame(1, 1, Uint8Array.of(0xc1), 0)
const broken: Record<string, Uint8Array> = {
  'text of another protocol': Buffer.from('GET / HTTP/1.1\r\nhost: a\r\n\r\n'),
  'a head that is no message': unreadable,
  'a head with an extension type': encodeFrame(1, 1, Uint8Array.of(0xd4, 0x72, 0x40), 0),
}
for (const [name, bytes] of Object.entries(broken)) {
  test(`the pipe ends once with E_FIREWALL_BROKEN: ${name}`, async (t) => {
    const [a, b] = duplexPair()
    const { closed, closes, messages } = end(a)
    const good = encodeFrame(2, 2, encodeMessage(null), 0)
    b.on('error', () => {})
    b.write(Buffer.concat([good, bytes, good]))
    b.write(good)
    t.is((await closed)?.code, 'E_FIREWALL_BROKEN')
    await settle()
    t.is(closes(), 1)
    t.is(messages.length, 1, 'nothing after the fault is heard')
    t.true(a.destroyed)
  })
}

test('an end in the middle of a frame is told', async (t) => {
  const [a, b] = duplexPair()
  const { closed } = end(a)
  b.end(unreadable.subarray(0, 7))
  const error = await closed
  t.is(error?.code, 'E_FIREWALL_GONE')
  t.regex(error!.message, /broke off/)
})

test('a full socket is seen, and its drain too', async (t) => {
  const [a, b] = duplexPair()
  const { pipe, drains } = end(a)
  pipe.send(1, 1, null, new Uint8Array(500_000))
  t.true(pipe.full)
  t.true(pipe.backlog > 400_000)
  b.resume()
  await once(a, 'drain')
  t.is(drains(), 1)
  t.false(pipe.full)
})

test('a paused pipe hears nothing until it goes on', async (t) => {
  const [a, b] = duplexPair()
  const [left, right] = [end(a), end(b)]
  left.pipe.pause()
  right.pipe.send(1, 1, null)
  await settle()
  t.is(left.messages.length, 0)
  left.pipe.resume()
  await settle()
  t.is(left.messages.length, 1)
})
