/** The encoder against Node's own decoder, octets of RFC 7541's examples, and what Chromium keeps in the table. */
import { performServerHandshake } from 'node:http2'
import { duplexPair } from 'node:stream'
import test from 'ava'
import fc from 'fast-check'
import { HpackEncoder } from './hpack.ts'

type Headers = readonly (readonly [string, string])[]

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
const frame = (kind: number, flags: number, stream: number, payload: Buffer): Buffer => {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = kind
  head[4] = flags
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

/** What a server of Node's reads of blocks, one request each, on one connection. */
function decoded(blocks: readonly Buffer[]): Promise<Headers[]> {
  const [near, far] = duplexPair()
  const session = performServerHandshake(near, {
    settings: { maxConcurrentStreams: 1_000 },
    maxHeaderListPairs: 1_000,
  })
  const found: Headers[] = []
  session.on('error', () => {})
  session.on('stream', (stream, _headers, _flags, raw) => {
    stream.on('error', () => {}).resume()
    found.push(Array.from({ length: raw.length / 2 }, (_, i) => [raw[2 * i]!, raw[2 * i + 1]!] as const))
  })
  far.on('error', () => {}).resume()
  return new Promise((resolve) => {
    session.once('close', () => resolve(found))
    far.end(
      Buffer.concat([
        PREFACE,
        frame(4, 0, 0, Buffer.alloc(0)),
        ...blocks.map((block, i) => frame(1, 5, 2 * i + 1, block)),
      ]),
    )
  })
}

const pseudo = (path: string): Headers => [
  [':method', 'POST'],
  [':authority', 'site.example'],
  [':scheme', 'https'],
  [':path', path],
]

test('requests of RFC 7541 appendix C.4 are written as it says', (t) => {
  const encoder = new HpackEncoder()
  const first = encoder.encode([
    [':method', 'GET'],
    [':scheme', 'http'],
    [':path', '/'],
    [':authority', 'www.example.com'],
  ])
  t.is(first.toString('hex'), '828684418cf1e3c2e5f23a6ba0ab90f4ff')
  const again: Headers = [
    [':method', 'GET'],
    [':scheme', 'http'],
    [':path', '/'],
    [':authority', 'www.example.com'],
  ]
  t.is(encoder.encode([...again, ['cache-control', 'no-cache']]).toString('hex'), '828684be5886a8eb10649cbf')
  const third: Headers = [
    ...([
      [':method', 'GET'],
      [':scheme', 'https'],
      [':path', '/index.html'],
      [':authority', 'www.example.com'],
    ] as const),
    ['custom-key', 'custom-value'],
  ]
  t.is(encoder.encode(third).toString('hex'), '828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf')
})

test('Node reads whatever is written, the table full and emptied on the way', async (t) => {
  const name = fc.stringMatching(/^x-[a-z0-9-]{1,20}$/)
  const value = fc.stringMatching(/^[!-~]([ -~]{0,300}[!-~])?$/)
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(fc.tuple(name, value), { maxLength: 12 }), { minLength: 1, maxLength: 12 }),
      async (all) => {
        const encoder = new HpackEncoder()
        const requests = all.map((more, i): Headers => [...pseudo(`/${i}`), ...more])
        t.deepEqual(await decoded(requests.map((headers) => encoder.encode(headers))), requests)
      },
    ),
    { numRuns: 60 },
  )
})

test('every printable character comes through', async (t) => {
  const value = Array.from({ length: 93 }, (_, i) => String.fromCharCode(33 + i)).join('')
  const headers: Headers = [
    ...pseudo('/'),
    ['x-long', `a${value.repeat(3)}`],
    ['x-short', `${'e'.repeat(300)}${value}`],
  ]
  t.deepEqual(await decoded([new HpackEncoder().encode(headers)]), [headers])
})

test('a length that was said before takes one octet, a path always itself', (t) => {
  const encoder = new HpackEncoder()
  const request = (length: string): number =>
    encoder.encode([...pseudo('/sync?t=abcdefgh'), ['content-length', length], ['content-type', 'application/json']])
      .length
  const [first, second, other] = [request('581'), request('581'), request('197')]
  t.is(request('197'), second)
  t.true(first > other && other === second + 4)
})

test('a smaller table is announced, and kept to', async (t) => {
  const encoder = new HpackEncoder()
  const long = (letter: string): Headers => [...pseudo('/'), ['x-long', letter.repeat(900)]]
  const blocks = [encoder.encode(long('a'))]
  encoder.limit(0)
  blocks.push(encoder.encode(long('b')), encoder.encode(long('b')))
  t.is(blocks[1]![0], 0x20)
  t.is(blocks[1]!.length, blocks[2]!.length + 1)
  t.deepEqual(await decoded(blocks), [long('a'), long('b'), long('b')])
})

test('what is not printable is refused', (t) => {
  t.throws(() => new HpackEncoder().encode([['x', 'a\u0001']]), { instanceOf: RangeError })
})
