/** Files and packets as independent readers see them, and what our own readers refuse. */
import { createRequire } from 'node:module'
import { crc32, inflateRawSync } from 'node:zlib'
import test from 'ava'
import fc from 'fast-check'
import { concat, fastEqual, fromLatin1, latin1, u32, utf8 } from '#protocol/bytes.ts'
import { compileBuiltins } from '../../builtin.ts'
import { compileFixture, numRuns, requestOf, responseOf, seeded } from '../../test-support.ts'
import { createDraw } from '../draw.ts'
import { createChoice, createNumber } from '../fillers.ts'
import type { AnyHole } from '../hole.ts'
import type { Values } from '../pattern.ts'
import { parsePattern } from '../pattern.ts'
import { createPayloadSlot } from '../slot.ts'
import type { Binary } from './binary.ts'
import { createEngineIo } from './engineio.ts'
import { createFmp4 } from './fmp4.ts'
import { createGrpcWeb } from './grpc-web.ts'
import { createJwe, jweOverhead } from './jwe.ts'
import { createNdjson } from './ndjson.ts'
import { createSegment } from './segment.ts'
import { blocksLength, readBlocks, writeBlocks } from './stored-blocks.ts'
import { decodeText } from './text-encoding.ts'
import { createZip } from './zip.ts'

// ---- independent readers; those without types of their own are described as far as they are used ---------------------

interface ZipEntry {
  readonly fileName: string
  readonly uncompressedSize: number
  readonly crc32: number
  readonly compressionMethod: number
  getLastModDate(): Date
}
interface ZipFile {
  readonly entryCount: number
  readEntry(): void
  on(event: 'entry' | 'end' | 'error', listener: (value: ZipEntry) => void): void
  openReadStream(entry: ZipEntry, done: (error: Error | null, stream: AsyncIterable<Buffer>) => void): void
}
interface PacketDecoder {
  decodePayload(text: string, binaryType?: string): { type: string; data?: unknown }[]
}
interface EventDecoder {
  add(packet: unknown): void
  on(event: 'decoded', listener: (packet: { type: number; data: unknown[] }) => void): void
}
const require = createRequire(import.meta.url)
const yauzl = require('yauzl') as {
  fromBuffer(file: Buffer, options: object, done: (error: Error | null, zip: ZipFile) => void): void
}
const mp4box = require('mp4box') as typeof import('mp4box')
// Both belong to socket.io and are found from there.
const fromSocketIo = createRequire(require.resolve('socket.io'))
const packets = createRequire(fromSocketIo.resolve('engine.io'))('engine.io-parser') as PacketDecoder
const events = fromSocketIo('socket.io-parser') as { Decoder: new () => EventDecoder }

function unzip(file: Uint8Array): Promise<{ entry: ZipEntry; count: number; content: Buffer }> {
  return new Promise((resolve, reject) => {
    yauzl.fromBuffer(Buffer.from(file), { lazyEntries: true, strictFileNames: true }, (error, zip) => {
      if (error) return reject(error)
      zip.on('error', reject as never)
      zip.on('entry', (entry) => {
        zip.openReadStream(entry, async (fault, stream) => {
          if (fault) return reject(fault)
          const chunks: Buffer[] = []
          for await (const chunk of stream) chunks.push(chunk)
          resolve({ entry, count: zip.entryCount, content: Buffer.concat(chunks) })
        })
      })
      zip.readEntry()
    })
  })
}

/** Octets of all attachments of the binary events in a polling body, with all packets that stand there. */
function readPolling(body: Uint8Array): { types: string[]; names: unknown[]; octets: Buffer } {
  const all = packets.decodePayload(Buffer.from(body).toString('utf8'))
  const decoder = new events.Decoder()
  const names: unknown[] = []
  const parts: Buffer[] = []
  decoder.on('decoded', ({ data }) => {
    names.push(data[0])
    for (const argument of data) if (Buffer.isBuffer(argument)) parts.push(argument)
  })
  for (const { type, data } of all) if (type === 'message') decoder.add(data)
  return { types: all.map(({ type }) => type), names, octets: Buffer.concat(parts) }
}

// ---- our side ---------------------------------------------------------------------------------------------------------

const lengths = [96, 127, 128, 299, 300, 301, 600, 16_383, 16_384, 70_000, 200_000]
const holes = new Map<string, AnyHole>([
  ['n', createNumber('n', [1, 999])],
  ['kind', createChoice('kind', ['a', 'ab'])],
  ['sealed', createPayloadSlot('sealed', { payload: 'base64' })],
])
const pattern = (text: string): ReturnType<typeof parsePattern> => parsePattern(text, holes)
const drawOf = (seed: number): ReturnType<typeof createDraw> => createDraw(seeded(seed))
const valuesOf = (): Values => new Map([[holes.get('n') as never, '7']])

const ndjson = createNdjson(pattern('{"k":"{{kind}}","n":{{n}},"s":"{{sealed}}"}'), 300)
const zipData = { name: 'x-{{n}}.bin', modified: ['2024-02-29', '2024-12-31'] } as const
const fmp4 = { sample: [90, 400], duration: 1024, fragment: 96256, sequence: [3, 70_000] } as const
const engineio = createEngineIo({ packets: [], event: 'blob', bytes: 30_000 }, lengths)
const binaries: Readonly<Record<string, Binary>> = {
  store: createZip({ ...zipData, method: 'store' }, pattern(zipData.name)),
  deflate: createZip({ ...zipData, method: 'deflate' }, pattern(zipData.name)),
  fmp4: createFmp4(fmp4, [96, 500_000]),
  engineio,
  unary: createGrpcWeb({ field: 1, bytes: 262_144, trailer: false }),
  stream: createGrpcWeb({ field: 18_999, bytes: 300, trailer: true }),
  ndjson,
}

for (const [name, binary] of Object.entries(binaries)) {
  test(`${name}: every length comes back, is as long as said, and nothing around it can be changed`, (t) => {
    for (const length of lengths) {
      const bytes = seeded(length)(length)
      const file = binary.encode(bytes, drawOf(length), valuesOf())
      t.true(file.length <= binary.encodedLength(length), `${length}`)
      const back = binary.decode(file, new Map())
      t.true(back !== undefined && fastEqual(back, bytes), `${length}`)
      t.is(binary.decode(file.subarray(0, -1), new Map()), undefined)
      t.is(binary.decode(concat(file, Uint8Array.of(10)), new Map()), undefined)
    }
    const bytes = seeded(1)(700)
    const file = binary.encode(bytes, drawOf(1), valuesOf())
    for (let at = 0; at < file.length; at++) {
      for (const mask of [0x01, 0x80]) {
        const changed = file.slice()
        changed[at]! ^= mask
        const back = binary.decode(changed, new Map())
        // What varies may vary, and octets under no checksum are what they are: never the same octets from other ones.
        if (back !== undefined && fastEqual(back, bytes)) t.true(name === 'ndjson' && mask === 1, `${at}`)
      }
    }
  })

  test(`${name}: anything at all is read without throwing`, (t) => {
    const sound = binary.encode(seeded(2)(500), drawOf(2), valuesOf())
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc
        .tuple(fc.nat(sound.length), fc.uint8Array({ maxLength: 40 }), fc.nat(sound.length))
        .map(([from, middle, to]) => {
          return concat(sound.subarray(0, from), middle, sound.subarray(to))
        }),
    )
    const property = fc.property(bytes, (file) => {
      const back = binary.decode(file, new Map())
      // What is read is what would be written again, up to decoration.
      if (back !== undefined) t.true(binary.encodedLength(back.length) >= file.length)
    })
    t.notThrows(() => fc.assert(property, { numRuns: 100 * numRuns }))
  })
}

test('archives are read by an independent reader, stored and deflated', async (t) => {
  for (const [name, method] of [
    ['store', 0],
    ['deflate', 8],
  ] as const) {
    for (const length of [96, 16_383, 16_384, 100_000]) {
      const bytes = seeded(length)(length)
      const { entry, count, content } = await unzip(binaries[name]!.encode(bytes, drawOf(length), valuesOf()))
      t.true(content.equals(bytes))
      t.is(entry.crc32, crc32(bytes))
      t.like(
        { ...entry, count },
        { fileName: 'x-7.bin', uncompressedSize: length, compressionMethod: method, count: 1 },
      )
      t.is(entry.getLastModDate().getFullYear(), 2024)
    }
  }
})

test('archives of the templates are read by it, too, and the name stands outside as inside', async (t) => {
  const form = requestOf(compileFixture('containers').shape('bulk'), 768, 3)
  const text = latin1(form.body!)
  const start = text.indexOf('PK\x03\x04')
  const end = text.indexOf('\r\n--', start)
  const { entry, content } = await unzip(fromLatin1(text.slice(start, end)))
  t.is(entry.fileName.replace('.log', '.zip'), /filename="([^"]+)"/.exec(text)![1]!)
  t.is(content.length, 768 - 80)
  const downloads = compileBuiltins().find(({ id }) => id === 'downloads')!
  const block = requestOf(downloads.shape('send'), 4_096, 4)
  const file = await unzip(block.body!)
  t.true(fastEqual(file.content, block.parcel))
  t.regex(file.entry.fileName, /^[a-z]+-\d+\.blk$/)
})

test('deflated octets are what zlib reads', (t) => {
  for (const length of [1, 16_382, 16_383, 16_384, 50_000]) {
    const bytes = seeded(length)(length)
    const blocks = new Uint8Array(blocksLength(length))
    t.is(writeBlocks(blocks, 0, bytes), blocks.length)
    t.true(inflateRawSync(blocks).equals(bytes))
    const read = new Uint8Array(length)
    t.true(readBlocks(read, blocks))
    t.true(fastEqual(read, bytes))
  }
})

test('days that do not exist, and days upside down, are refused', (t) => {
  const make = (modified: [string, string]) => () => createZip({ ...zipData, method: 'store', modified }, pattern('x'))
  const days = { message: 'days like 2025-01-31, from 1980 to 2107' }
  t.throws(make(['2025-02-30', '2025-03-01']), days)
  t.throws(make(['2025-01-01', '2025-13-01']), days)
  t.throws(make(['1979-12-31', '2025-01-01']), days)
  t.throws(make(['2025-01-02', '2025-01-01']), { message: 'days in ascending order' })
})

test('what others would write soundly is not ours: other days, other sizes of samples, other cuts', (t) => {
  const read = (binary: Binary, written: Binary): unknown =>
    binary.decode(written.encode(seeded(1)(700), drawOf(1), valuesOf()), new Map())
  const zip = (from: string, to: string): Binary =>
    createZip({ ...zipData, method: 'store', modified: [from, to] }, pattern(zipData.name))
  t.truthy(read(binaries.store!, zip('2024-05-01', '2024-05-01')))
  t.is(read(binaries.store!, zip('2024-02-28', '2024-02-28')), undefined)
  t.is(read(binaries.store!, zip('2025-01-01', '2025-01-01')), undefined)
  for (const sample of [
    [64, 89],
    [401, 700],
  ] as const) {
    t.is(read(binaries.fmp4!, createFmp4({ ...fmp4, sample }, [700])), undefined)
  }
  t.is(read(binaries.fmp4!, createFmp4({ ...fmp4, sequence: [1, 2] }, [700])), undefined)
  t.is(read(binaries.stream!, createGrpcWeb({ field: 18_999, bytes: 299, trailer: true })), undefined)
  t.is(read(binaries.stream!, createGrpcWeb({ field: 18_998, bytes: 300, trailer: true })), undefined)
})

test('fragments are boxes of an independent reader, samples add up and time goes on', (t) => {
  for (const length of [96, 5_000, 196_608]) {
    const bytes = seeded(length)(length)
    const file = binaries.fmp4!.encode(bytes, drawOf(length), valuesOf())
    const reader = mp4box.createFile()
    reader.appendBuffer(mp4box.MP4BoxBuffer.fromArrayBuffer(new Uint8Array(file).buffer, 0))
    reader.flush()
    t.deepEqual(
      reader.boxes.map((box) => box.type),
      ['styp', 'moof', 'mdat'],
    )
    const moof = reader.boxes[1] as unknown as {
      size: number
      mfhd: { sequence_number: number }
      trafs: {
        tfhd: { track_id: number; default_sample_duration: number; flags: number }
        tfdt: { baseMediaDecodeTime: number }
        truns: { sample_count: number; sample_size: number[]; data_offset: number }[]
      }[]
    }
    const { tfhd, tfdt, truns } = moof.trafs[0]!
    const [trun] = truns
    t.is(moof.trafs.length, 1)
    t.is(tfhd.default_sample_duration, 1024)
    t.is(tfdt.baseMediaDecodeTime, (moof.mfhd.sequence_number - 1) * 96_256)
    t.is(trun!.sample_size.length, trun!.sample_count)
    t.is(
      trun!.sample_size.reduce((sum, size) => sum + size, 0),
      length,
    )
    t.true(trun!.sample_size.every((size) => size >= 90 && size <= 400))
    // Counted from the beginning of the moof.
    const start = reader.boxes[0]!.size + trun!.data_offset
    t.true(fastEqual(file.subarray(start), bytes))
  }
  t.throws(() => createFmp4({ ...fmp4, sample: [300, 400] }, [96]), { message: 'sizes of samples that add up to 96' })
})

test('packets are those of engine.io and events those of socket.io', (t) => {
  for (const length of [96, 30_000, 60_001, 200_000]) {
    const bytes = seeded(length)(length)
    const { types, names, octets } = readPolling(engineio.encode(bytes, drawOf(1)))
    t.deepEqual(new Set(types), new Set(['message']))
    t.deepEqual(names, ['blob'])
    t.true(octets.equals(bytes))
  }
  const socketio = compileBuiltins().find(({ id }) => id === 'socketio')!
  for (const kind of ['poll', 'bulk'] as const) {
    const answer = responseOf(socketio.shape(kind), 98_304, 5)
    const read = readPolling(answer.body)
    t.true(read.octets.equals(answer.parcel))
    t.deepEqual(read.names, kind === 'poll' ? ['here', 'sync'] : ['sync'])
    if (kind === 'bulk') {
      const request = requestOf(socketio.shape(kind), 98_304, 6)
      t.true(readPolling(request.body!).octets.equals(request.parcel))
    }
  }
  const up = requestOf(compileFixture('containers').shape('send'), 6_000, 7)
  const { types, octets } = readPolling(up.body!)
  t.is(types[0], 'pong')
  t.true(octets.equals(up.parcel))
})

test('packets in another number than announced, or cut at another place, are refused', (t) => {
  const pair = createEngineIo({ packets: [], event: 'blob', bytes: 300 }, [600])
  const text = latin1(pair.encode(seeded(1)(600), drawOf(1)))
  const read = (changed: string): unknown => pair.decode(fromLatin1(changed))
  t.truthy(read(text))
  t.is(read(text.replace('452-', '453-')), undefined)
  t.is(read(text.split('\x1e').slice(0, 2).join('\x1e')), undefined)
  const [head, first, second] = text.split('\x1e')
  t.is(read([head, first, `b${Buffer.alloc(301).toString('base64')}`].join('\x1e')), undefined, 'longer')
  t.is(read([head, `b${Buffer.alloc(299).toString('base64')}`, second].join('\x1e')), undefined, 'shorter, not last')
  t.is(read([head, first, 'b'].join('\x1e')), undefined, 'empty')
  t.is(read([head, first, second!.slice(1)].join('\x1e')), undefined, 'no attachment')
  const eleven = { packets: [], event: 'blob', bytes: 300 }
  t.throws(() => createEngineIo(eleven, [96, 3_001]), { message: 'at most 10 attachments for 3001 octets' })
})

/** Fields of a gRPC-Web body, read after its specification and nothing else. */
function readGrpcWeb(body: Uint8Array): {
  messages: { field: number; octets: Uint8Array }[]
  trailers: string | undefined
} {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength)
  const messages: { field: number; octets: Uint8Array }[] = []
  let trailers: string | undefined
  for (let at = 0; at < body.length; ) {
    const [flags, length] = [view.getUint8(at), view.getUint32(at + 1)]
    const frame = body.subarray(at + 5, at + 5 + length)
    at += 5 + length
    if (frame.length !== length || trailers !== undefined) throw new Error('frames')
    if (flags === 0x80) trailers = latin1(frame)
    else if (flags === 0) messages.push(readField(frame))
    else throw new Error('flags')
  }
  return { messages, trailers }
}

function readField(message: Uint8Array): { field: number; octets: Uint8Array } {
  let at = 0
  const varint = (): number => {
    let value = 0
    for (let shift = 1; ; shift *= 128) {
      const octet = message[at++]!
      value += (octet & 127) * shift
      if (octet < 128) return value
    }
  }
  const tag = varint()
  const length = varint()
  if (tag % 8 !== 2 || message.length - at !== length) throw new Error('field')
  return { field: Math.floor(tag / 8), octets: message.subarray(at) }
}

test('frames of gRPC-Web are messages with one field, and trailers last', (t) => {
  const data = seeded(1)(1_000)
  const stream = readGrpcWeb(binaries.stream!.encode(data, drawOf(1), valuesOf()))
  t.deepEqual(
    stream.messages.map(({ field, octets }) => [field, octets.length]),
    [
      [18_999, 300],
      [18_999, 300],
      [18_999, 300],
      [18_999, 100],
    ],
  )
  t.is(stream.trailers, 'grpc-status:0\r\n')
  t.true(fastEqual(concat(...stream.messages.map(({ octets }) => octets)), data))
  const unary = readGrpcWeb(binaries.unary!.encode(data, drawOf(1), valuesOf()))
  t.is(unary.messages.length, 1)
  t.is(unary.trailers, undefined)
  // A length spelt in more octets than it takes.
  const long = concat(Uint8Array.of(0), u32(4 + 96), Uint8Array.of(10, 0xe0, 0x80, 0), data.subarray(0, 96))
  t.is(readGrpcWeb(long).messages.length, 1)
  t.is(binaries.unary!.decode(long, new Map()), undefined)
})

test('segments have lengths that AES-128 gives to whole packets', (t) => {
  // n packets, padded to the next multiple of 16 and never by nothing.
  const legal = [1, 2, 3, 4, 5, 8, 1_024].map((count) => (Math.floor((188 * count) / 16) + 1) * 16)
  t.deepEqual(legal.slice(0, 5), [192, 384, 576, 768, 944])
  t.notThrows(() => createSegment({ container: 'ts' }, legal))
  for (const length of [191, 193, 208, 944 + 16, 96]) {
    t.throws(() => createSegment({ container: 'ts' }, [length]), {
      message: /^lengths of encrypted segments, such as /,
    })
  }
  t.notThrows(() => createSegment({ container: 'fmp4' }, [96, 112, 196_608]))
  t.throws(() => createSegment({ container: 'fmp4' }, [100]), { message: /such as 96 and 112 and not 100/ })
  const video = compileBuiltins().find(({ id }) => id === 'video')!
  for (const length of video.shape('poll').down.classes)
    t.is(responseOf(video.shape('poll'), length, 1).body.length % 16, 0)
})

test('lines are JSON, each with its share', (t) => {
  const bytes = seeded(1)(700)
  const lines = latin1(ndjson.encode(bytes, drawOf(1))).split('\n')
  t.is(lines.pop(), '')
  const shares = lines.map((line) => Buffer.from((JSON.parse(line) as { s: string }).s, 'base64'))
  t.deepEqual(
    shares.map(({ length }) => length),
    [300, 300, 100],
  )
  t.true(Buffer.concat(shares).equals(bytes))
  const read = (text: string): unknown => ndjson.decode(utf8(text))
  const line = (octets: number): string => `{"k":"a","n":5,"s":"${Buffer.alloc(octets).toString('base64')}"}\n`
  t.truthy(read(line(300) + line(1)))
  for (const text of [
    line(299) + line(300),
    line(301),
    line(0),
    line(300).trimEnd(),
    `${line(300).trimEnd()}x`,
    `\n${line(300)}`,
    '\n',
    '',
  ]) {
    t.is(read(text), undefined, text.slice(0, 40))
  }
})

test('tokens in JWE form have five parts, a header that says what they are, and as many octets as that says', (t) => {
  const cases = [
    [{ alg: 'dir', enc: 'A256GCM' }, 0],
    [{ alg: 'A128KW', enc: 'A128GCM', kid: 'k-1' }, 24],
    [{ alg: 'A256KW', enc: 'A256GCM' }, 40],
  ] as const
  for (const [data, wrapped] of cases) {
    const jwe = createJwe(data)
    t.is(jweOverhead(data), wrapped + 28)
    for (const length of [jweOverhead(data) + 1, 96, 100, 2_000]) {
      const bytes = seeded(length)(length)
      const token = jwe.encode(bytes)
      t.is(token.length, jwe.encodedLength(length))
      const [header, ...rest] = token.split('.').map((part) => Buffer.from(part, 'base64url'))
      t.deepEqual(JSON.parse(header!.toString()), data)
      t.deepEqual(
        rest.map((part) => part.length),
        [wrapped, 12, length - wrapped - 28, 16],
      )
      t.deepEqual(decodeText(jwe, token), bytes)
      const parts = token.split('.')
      for (const changed of [
        parts.slice(0, 4).join('.'),
        `${token}.`,
        token.replace('eyJ', 'eyK'),
        [parts[0], parts[1], `${parts[2]}AA`, ...parts.slice(3)].join('.'),
        [...parts.slice(0, 3), '', parts[4]].join('.'),
        `${token}=`,
      ]) {
        t.is(decodeText(jwe, changed), undefined)
      }
    }
  }
})
