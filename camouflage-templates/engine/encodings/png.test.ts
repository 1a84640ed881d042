/** The pictures against the specification, read by a naive twin that shares nothing with the code under test. */
import { inflateSync } from 'node:zlib'
import test from 'ava'
import { compileBuiltins } from '../../builtin.ts'
import { seeded } from '../../test-support.ts'
import { createDraw } from '../draw.ts'
import { createPng } from './png.ts'
import { pngChunk } from './png-chunk.ts'
import { adler32, readStored, storedLength, writeStored } from './zlib-stream.ts'

/** CRC-32 of PNG (ISO 3309), one bit at a time. */
function naiveCrc(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1
  }
  return ~crc >>> 0
}

function naiveAdler(bytes: Uint8Array): number {
  let [a, b] = [1, 0]
  for (const byte of bytes) {
    a = (a + byte) % 65_521
    b = (b + a) % 65_521
  }
  return b * 65_536 + a
}

function storedOf(data: Uint8Array): Uint8Array {
  const stream = new Uint8Array(storedLength(data.length))
  writeStored(stream, data)
  return stream
}

function octetsOf(stream: Uint8Array, length: number): Uint8Array | undefined {
  const data = new Uint8Array(length)
  return readStored(data, stream) ? data : undefined
}

interface Picture {
  readonly width: number
  readonly height: number
  readonly types: string[]
  readonly filters: number[]
  /** Pixels as the file has them, filters not undone. */
  readonly pixels: Uint8Array
}

/** Throws where the file is not a PNG of 8-bit RGB. */
function readNaively(file: Uint8Array): Picture {
  const bytes = Buffer.from(file)
  const fail = (what: string): never => {
    throw new Error(what)
  }
  if (bytes.toString('latin1', 0, 8) !== '\x89PNG\r\n\x1a\n') fail('signature')
  const types: string[] = []
  const data: Buffer[] = []
  let header: Buffer = Buffer.alloc(0)
  let at = 8
  while (at < bytes.length) {
    const length = bytes.readUInt32BE(at)
    const type = bytes.toString('latin1', at + 4, at + 8)
    const content = bytes.subarray(at + 8, at + 8 + length)
    if (bytes.readUInt32BE(at + 8 + length) !== naiveCrc(bytes.subarray(at + 4, at + 8 + length))) fail(`crc ${type}`)
    if (type === 'IHDR') header = content
    if (type === 'IDAT') data.push(content)
    types.push(type)
    at += 12 + length
  }
  if (header.toString('hex', 8) !== '0802000000') fail('format')
  const stream = Buffer.concat(data)
  const rows = inflateSync(stream)
  if (stream.readUInt32BE(stream.length - 4) !== naiveAdler(rows)) fail('adler')
  const [width, height] = [header.readUInt32BE(0), header.readUInt32BE(4)]
  if (rows.length !== height * (1 + 3 * width)) fail('rows')
  const row = (index: number): Buffer => rows.subarray(index * (1 + 3 * width), (index + 1) * (1 + 3 * width))
  const all = Array.from({ length: height }, (_, index) => row(index))
  const filters = all.map((each) => each[0]!)
  return { width, height, types, filters, pixels: Buffer.concat(all.map((each) => each.subarray(1))) }
}

test('the pictures of the gallery are valid PNG files, in every class and of every size', (t) => {
  const gallery = compileBuiltins().find((template) => template.id === 'gallery')!
  for (const kind of ['poll', 'bulk'] as const) {
    const shape = gallery.shape(kind)
    for (const length of shape.down.classes) {
      const seen = new Set<string>()
      for (let seed = 0; seed < (length < 10_000 ? 12 : 3); seed++) {
        const parcel = seeded(seed)(length)
        const { body, headers } = shape.encodeResponse({ parcel, random: seeded(seed + 100) })
        const picture = readNaively(body)
        t.is(new Map(headers).get('content-type'), 'image/png')
        t.is(Buffer.compare(picture.pixels.subarray(0, length), parcel), 0)
        t.deepEqual([...new Set(picture.types)], ['IHDR', 'pHYs', 'IDAT', 'IEND'])
        t.true(picture.filters.every((filter) => filter < 5))
        t.true(picture.width / picture.height <= 1.5 && picture.height / picture.width <= 1.5)
        seen.add(`${picture.width}x${picture.height}`)
      }
      t.true(seen.size > 1, `class ${length} has one size only`)
    }
  }
})

test('uploaded files are PNG files named and typed as such', (t) => {
  const shape = compileBuiltins()
    .find((template) => template.id === 'gallery')!
    .shape('bulk')
  const [token, parcel] = [seeded(1)(16), seeded(2)(36_864)]
  const { body } = shape.encodeRequest({ token, parcel, host: 'a.example', random: seeded(3) })
  const text = Buffer.from(body!).toString('latin1')
  const boundary = text.slice(0, text.indexOf('\r\n'))
  const part = text.split(boundary)[2]!
  const [head, ...content] = part.split('\r\n\r\n')
  t.regex(head!, /filename="(IMG_|DSC0|P10|PXL_)\d{4}\.png"\r\nContent-Type: image\/png$/)
  const picture = readNaively(Buffer.from(content.join('\r\n\r\n').slice(0, -2), 'latin1'))
  t.deepEqual(picture.types, ['IHDR', 'sRGB', 'gAMA', 'pHYs', 'IDAT', 'IEND'])
  t.is(Buffer.compare(picture.pixels.subarray(0, parcel.length), parcel), 0)
  t.is(text.slice(-boundary.length - 6), `\r\n${boundary}--\r\n`)
})

const png = createPng(
  {
    sizes: [
      [6, 6],
      [7, 6],
      [40, 40],
    ],
    chunks: [],
    idat: 512,
  },
  [100, 4_000],
)

test('a picture of any other make is refused, sound or not', (t) => {
  const draw = createDraw(seeded(5))
  const file = png.encode(seeded(4)(100), draw)
  t.is(png.decode(file)?.length, 100)
  t.is(png.decode(new Uint8Array(0)), undefined)
  t.is(png.decode(file.subarray(0, 20)), undefined)
  t.is(png.decode(file.subarray(1)), undefined)
  for (let at = 0; at < file.length; at++) {
    for (const mask of [1, 0x80]) {
      const changed = file.slice()
      changed[at]! ^= mask
      t.is(png.decode(changed), undefined, `octet ${at}`)
    }
  }
})

test('a picture with a chunk more, or data in a chunk of another type, is refused even with right checksums', (t) => {
  const file = Buffer.from(png.encode(seeded(4)(100), createDraw(seeded(5))))
  const end = file.indexOf('IEND') - 4
  t.is(
    png.decode(Buffer.concat([file.subarray(0, end), pngChunk('tEXt', seeded(1)(9)), file.subarray(end)])),
    undefined,
  )
  const at = file.indexOf('IDAT')
  file.write('iDAT', at, 'latin1')
  file.writeUInt32BE(naiveCrc(file.subarray(at, end - 4)), end - 4)
  t.is(png.decode(file), undefined)
  file.write('IDAT', at, 'latin1')
  file.writeUInt32BE(naiveCrc(file.subarray(at, end - 4)), end - 4)
  t.deepEqual(png.decode(file), seeded(4)(100))
})

test('pictures of all sizes one after another: none has anything of another, and what was read stays what it was', (t) => {
  const gallery = compileBuiltins().find((template) => template.id === 'gallery')!
  const shape = gallery.shape('bulk')
  const made = [...shape.down.classes, ...shape.down.classes.toReversed()].map((length, at) => {
    const parcel = seeded(at)(length)
    return { parcel, response: shape.encodeResponse({ parcel, random: seeded(at + 50) }) }
  })
  const type = new Map([['content-type', 'image/png']])
  const read = made.map(({ response }) => {
    return shape.decodeResponse({ status: 200, header: (name) => type.get(name), body: response.body })
  })
  for (const [at, { parcel, response }] of made.entries()) {
    t.deepEqual(read[at], parcel)
    const again = shape.encodeResponse({ parcel, random: seeded(at + 50) })
    t.is(Buffer.compare(again.body, response.body), 0)
  }
})

test('a filter type that does not exist is refused even with right checksums', (t) => {
  // The twin of `encode`, with 5 for the first row's filter.
  const rows = new Uint8Array(6 * 19)
  rows[0] = 5
  const file = Buffer.from(
    png.encode(
      new Uint8Array(100),
      createDraw((length) => new Uint8Array(length)),
    ),
  )
  const at = file.indexOf('IDAT')
  const length = file.readUInt32BE(at - 4)
  const reference = png.decode(file)
  t.deepEqual(reference, new Uint8Array(100))
  file.set(storedOf(rows), at + 4)
  file.writeUInt32BE(naiveCrc(file.subarray(at, at + 4 + length)), at + 4 + length)
  t.is(png.decode(file), undefined)
  rows[0] = 4
  file.set(storedOf(rows), at + 4)
  file.writeUInt32BE(naiveCrc(file.subarray(at, at + 4 + length)), at + 4 + length)
  t.deepEqual(png.decode(file), new Uint8Array(100))
})

test('stored streams: lengths around the block, against zlib', (t) => {
  for (const length of [1, 2, 16_382, 16_383, 16_384, 32_766, 32_767, 100_000]) {
    const data = seeded(length)(length)
    const stream = storedOf(data)
    t.is(Buffer.compare(inflateSync(stream), data), 0)
    t.deepEqual(octetsOf(stream, length), data)
    t.is(adler32(data), naiveAdler(data))
    t.is(octetsOf(stream, length + 1), undefined)
    t.is(octetsOf(Buffer.concat([stream, Buffer.of(0)]), length), undefined)
    for (const at of [0, 1, 2, 3, 5, 7, length + 4, stream.length - 4, stream.length - 1]) {
      const changed = stream.slice()
      changed[at]! ^= 0x10
      t.is(octetsOf(changed, length), undefined, `octet ${at} of ${length}`)
    }
  }
})

test('Adler-32 of a known text, and where its sums are largest', (t) => {
  t.is(adler32(new TextEncoder().encode('Wikipedia')), 0x11e60398)
  for (const length of [3_800, 3_801, 12_288, 12_289, 300_000]) {
    const bytes = new Uint8Array(length).fill(255)
    t.is(adler32(bytes), naiveAdler(bytes), `${length}`)
  }
})
