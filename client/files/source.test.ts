import { truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32, deflateSync } from 'node:zlib'
import test, { type ExecutionContext } from 'ava'
import jpeg from 'jpeg-js'
import { PNG } from 'pngjs'
import { FileLimits } from '#client/chat/files/limits.ts'
import { stripJpeg } from '#client/chat/pictures/jpeg.ts'
import { temporaryFolder } from '#client/store/fixtures/temporary.ts'
import { concat, fromLatin1, u16, u32 } from '#protocol/bytes.ts'
import { turned } from './pictures/decode.ts'
import { openSource, type Source } from './source.ts'

const [WIDTH, HEIGHT] = [96, 64]
/** Left half red, right half blue, the lower quarter of both green. */
const raw = Buffer.alloc(WIDTH * HEIGHT * 4)
for (let at = 0; at < WIDTH * HEIGHT; at++) {
  const isGreen = at >= WIDTH * HEIGHT * 0.75
  raw.set(isGreen ? [0, 255, 0, 255] : at % WIDTH < WIDTH / 2 ? [255, 0, 0, 255] : [0, 0, 255, 255], at * 4)
}
const planted = 'GPSLatitude 52.5163 planted'

/** One with everything that cameras and programs add. */
function jpegWith(...segments: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(jpeg.encode({ width: WIDTH, height: HEIGHT, data: raw }, 90).data)
  return concat(bytes.subarray(0, 2), ...segments, bytes.subarray(2), fromLatin1(`trailer ${planted}`))
}

const segment = (marker: number, content: Uint8Array): Uint8Array =>
  concat(Uint8Array.of(0xff, marker), u16(content.length + 2), content)

/** Exif in either order of octets, with an orientation, a value that is planted, and a chain of nonsense. */
function exif(orientation: number, isLittle: boolean): Uint8Array {
  const order = (bytes: Uint8Array): Uint8Array => (isLittle ? bytes.toReversed() : bytes)
  const head = concat(fromLatin1(isLittle ? 'II' : 'MM'), order(u16(42)), order(u32(8)))
  const entry = concat(order(u16(0x0112)), order(u16(3)), order(u32(1)), order(u16(orientation)), u16(0))
  const other = concat(order(u16(0x010f)), order(u16(2)), order(u32(planted.length)), order(u32(200)))
  return segment(0xe1, concat(fromLatin1('Exif\0\0'), head, order(u16(2)), other, entry, u32(0), fromLatin1(planted)))
}

async function sourceOf(t: ExecutionContext, name: string, bytes: Uint8Array, keepMetadata = false): Promise<Source> {
  const path = join(temporaryFolder(t), name)
  writeFileSync(path, bytes)
  const source = await openSource(path, keepMetadata)
  t.teardown(() => source.close())
  return source
}

const contentOf = (source: Source): Buffer => Buffer.from(source.read(0, source.size))

test('a JPEG goes without what it tells, and shows what it showed', async (t) => {
  const bytes = jpegWith(
    exif(1, false),
    segment(0xe1, fromLatin1(`http://ns.adobe.com/xap/1.0/\0${planted}`)),
    segment(0xed, fromLatin1(`Photoshop 3.0\0${planted}`)),
    segment(0xe2, fromLatin1(`MPF\0${planted}`)),
    segment(0xe0, fromLatin1(`JFXX\0${planted}`)),
    segment(0xfe, fromLatin1(planted)),
  )
  const source = await sourceOf(t, 'photo.jpg', bytes)
  const sent = contentOf(source)
  t.is(source.metadata, 'none')
  t.false(sent.includes('planted'))
  t.deepEqual(jpeg.decode(sent).data, jpeg.decode(bytes).data)
  t.deepEqual(contentOf(await sourceOf(t, 'photo.jpg', bytes, true)), Buffer.from(bytes))
})

test('colours stay: ICC profiles and what Adobe says of them', async (t) => {
  const icc = segment(0xe2, fromLatin1('ICC_PROFILE\0profile'))
  t.true(contentOf(await sourceOf(t, 'a.jpg', jpegWith(icc))).includes(Buffer.from(icc)))
})

for (const isLittle of [true, false]) {
  test(`the orientation alone stays, ${isLittle ? 'little' : 'big'}-endian, and turns the small picture`, async (t) => {
    const source = await sourceOf(t, 'a.jpg', jpegWith(exif(6, isLittle)))
    t.is(stripJpeg(source.read(0, source.size))!.orientation, 6)
    t.false(contentOf(source).includes('planted'))
    const { width, height, pixels } = source.picture!
    t.deepEqual([width, height], [32, 48])
    // Turned to the right: what was below, green, is on the left.
    const at = (x: number, y: number): number[] => [...pixels.subarray((y * width + x) * 3, (y * width + x) * 3 + 3)]
    t.true(
      at(1, 24)[1]! > 200 && at(30, 5)[0]! > 200 && at(30, 40)[2]! > 200,
      [at(1, 24), at(30, 5), at(30, 40)].join(),
    )
  })
}

test('all eight orientations, by hand', (t) => {
  const picture = { width: 2, height: 1, pixels: Uint8Array.from([1, 1, 1, 2, 2, 2]) }
  const shown = (orientation: number): string => {
    const { width, height, pixels } = turned(picture, orientation)
    return `${width}x${height} ${pixels.filter((_, at) => at % 3 === 0)}`
  }
  t.deepEqual([1, 2, 3, 4, 5, 6, 7, 8].map(shown), [
    ...['2x1 1,2', '2x1 2,1', '2x1 2,1', '2x1 1,2'],
    ...['1x2 1,2', '1x2 1,2', '1x2 2,1', '1x2 2,1'],
  ])
})

const chunk = (name: string, content: Uint8Array): Uint8Array =>
  concat(u32(content.length), fromLatin1(name), content, u32(0))

function pngWith(...chunks: readonly Uint8Array[]): Uint8Array {
  const png = new PNG({ width: WIDTH, height: HEIGHT })
  png.data = raw
  const bytes = new Uint8Array(PNG.sync.write(png))
  return concat(bytes.subarray(0, 33), ...chunks, bytes.subarray(33), fromLatin1(`trailer ${planted}`))
}

test('a PNG goes without what it tells, and shows what it showed', async (t) => {
  const told = ['tEXt', 'zTXt', 'iTXt', 'eXIf', 'tIME', 'prVt'].map((name) => chunk(name, fromLatin1(planted)))
  const source = await sourceOf(t, 'screen.png', pngWith(...told))
  t.false(contentOf(source).includes('planted'))
  t.deepEqual(PNG.sync.read(contentOf(source)).data, raw)
  t.like(source.picture, { width: 48, height: 32 })
  const { pixels } = source.picture!
  t.deepEqual([...pixels.subarray(0, 3)], [255, 0, 0])
  t.deepEqual([...pixels.subarray(-3)], [0, 255, 0])
})

test('a picture is what its octets say, not what it is called', async (t) => {
  t.is((await sourceOf(t, 'photo.pdf', jpegWith())).metadata, 'none')
  t.is((await sourceOf(t, 'photo.jpg', fromLatin1('%PDF-1.7'))).metadata, 'unseen')
})

test('a picture that is damaged is not sent, unless the person insists', async (t) => {
  const [photo, screen] = [jpegWith(exif(1, true)), pngWith()]
  const damaged = [
    photo.subarray(0, 300),
    photo.subarray(0, 3),
    concat(photo.subarray(0, 2), Uint8Array.of(0xff, 0xe1, 0xff, 0xff), photo.subarray(2)),
    screen.subarray(0, 60),
    screen.subarray(0, 8),
    concat(screen.subarray(0, 8), screen.subarray(33)),
  ]
  for (const [at, bytes] of damaged.entries()) {
    await t.throwsAsync(sourceOf(t, 'a', bytes), { code: 'E_FILE_METADATA' }, `${at}`)
    t.is((await sourceOf(t, 'a', bytes, true)).metadata, 'kept')
  }
})

test('one that unfolds to more pixels than are looked at has no small picture, and goes without what it tells', async (t) => {
  const screen = pngWith()
  const huge = concat(screen.subarray(0, 16), u32(60_000), u32(60_000), screen.subarray(24))
  const source = await sourceOf(t, 'a.png', huge)
  t.is(source.picture, undefined)
  t.is(source.metadata, 'none')
})

test('one that unfolds to more octets than its size says, or says another size later, has no small picture', async (t) => {
  const sound = (name: string, content: Uint8Array): Uint8Array =>
    concat(u32(content.length), fromLatin1(name), content, u32(crc32(concat(fromLatin1(name), content))))
  const head = (side: number, interlace: number): Uint8Array =>
    sound('IHDR', concat(u32(side), u32(side), Uint8Array.of(8, 0, 0, 0, interlace)))
  const png = (...chunks: readonly Uint8Array[]): Uint8Array =>
    concat(pngWith().subarray(0, 8), ...chunks, sound('IEND', new Uint8Array(0)))
  const pixels = (length: number): Uint8Array => sound('IDAT', deflateSync(new Uint8Array(length)))
  t.truthy((await sourceOf(t, 'a.png', png(head(8, 0), pixels(72)))).picture)
  const interlaced = await sourceOf(t, 'a.png', png(head(8, 1), pixels(1_000_000)))
  t.is(interlaced.picture, undefined)
  t.is(interlaced.metadata, 'none')
  const twice = png(head(8, 0), head(60_000, 0), pixels(72))
  await t.throwsAsync(sourceOf(t, 'a.png', twice), { code: 'E_FILE_METADATA' })
})

test('one with more scans than any picture has is not looked at; one with parts without end is not sound', async (t) => {
  const bytes = jpegWith()
  const at = Buffer.from(bytes).indexOf(Buffer.from([0xff, 0xda]))
  const scan = bytes.subarray(at, Buffer.from(bytes).indexOf(Buffer.from([0xff, 0xd9])))
  const withScans = (count: number): Uint8Array =>
    concat(bytes.subarray(0, at), ...Array.from({ length: count }, () => scan), Uint8Array.of(0xff, 0xd9))
  t.truthy((await sourceOf(t, 'a.jpg', withScans(32))).picture)
  const many = await sourceOf(t, 'a.jpg', withScans(33))
  t.is(many.picture, undefined)
  t.is(many.metadata, 'none')
  const tables = Buffer.alloc(4 * 200_000, Buffer.from('ffdb0002', 'hex'))
  await t.throwsAsync(sourceOf(t, 'a.jpg', jpegWith(tables)), { code: 'E_FILE_METADATA' })
  const chunks = Buffer.alloc(12 * 200_000, chunk('IDAT', new Uint8Array(0)))
  await t.throwsAsync(sourceOf(t, 'a.png', pngWith(chunks)), { code: 'E_FILE_METADATA' })
})

test('one that is longer than any may be', async (t) => {
  const path = join(temporaryFolder(t), 'film')
  writeFileSync(path, '')
  // Without taking the room.
  truncateSync(path, FileLimits.fileBytes)
  ;(await openSource(path, false)).close()
  truncateSync(path, FileLimits.fileBytes + 1)
  await t.throwsAsync(openSource(path, false), { code: 'E_FILE_SIZE' })
})

test('what is no file, or not there', async (t) => {
  const folder = temporaryFolder(t)
  await t.throwsAsync(openSource(folder, false), { code: 'E_FILE' })
  await t.throwsAsync(openSource(join(folder, 'missing'), false), { code: 'E_FILE' })
  t.is((await sourceOf(t, '-\u202eevil', new Uint8Array(0))).name, 'evil')
})
