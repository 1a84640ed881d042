/** A picture to show, made of whatever a person names. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32, deflateSync } from 'node:zlib'
import test, { type ExecutionContext } from 'ava'
import jpeg from 'jpeg-js'
import { PNG } from 'pngjs'
import { encodeAvatar, type Face, readAvatar, SMALL_SIDE } from '#client/chat/avatars/avatar.ts'
import { ChatLimits } from '#client/chat/limits.ts'
import { temporaryFolder } from '#client/store/fixtures/temporary.ts'
import { concat, fromLatin1, latin1, u16, u32 } from '#protocol/bytes.ts'
import { prng } from '#test/helpers/prng.ts'
import { faceOf } from './face.ts'

type Colour = readonly [number, number, number, number]
type Painter = (x: number, y: number) => Colour

const red: Colour = [250, 0, 0, 255]
const blue: Colour = [0, 0, 250, 255]

function painted(width: number, height: number, at: Painter): Buffer {
  const data = Buffer.alloc(width * height * 4)
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) data.set(at(x, y), (y * width + x) * 4)
  return data
}

const pngOf = (width: number, height: number, at: Painter): Buffer => {
  const png = new PNG({ width, height })
  png.data = painted(width, height, at)
  return PNG.sync.write(png)
}
const jpegOf = (width: number, height: number, at: Painter): Uint8Array =>
  new Uint8Array(jpeg.encode({ width, height, data: painted(width, height, at) }, 90).data)

async function faceIn(t: ExecutionContext, bytes: Uint8Array): Promise<Face> {
  const path = join(temporaryFolder(t), 'picture')
  writeFileSync(path, bytes)
  return faceOf(path)
}

/** Red, green and blue in the middle of each quarter of the small picture. */
function quarters({ small: { pixels } }: Face): number[][] {
  const [near, far] = [SMALL_SIDE / 4, (SMALL_SIDE * 3) / 4]
  const at = (x: number, y: number): number[] => [...pixels.subarray((y * SMALL_SIDE + x) * 3).subarray(0, 3)]
  return [at(near, near), at(far, near), at(near, far), at(far, far)]
}

const isLike = (colours: readonly number[][], wanted: readonly Colour[]): boolean =>
  colours.every((colour, i) => colour.every((value, part) => Math.abs(value - wanted[i]![part]!) < 12))

const fits = (face: Face): number => encodeAvatar(face, new Uint8Array(16)).bytes.length

test('the middle of a picture, as high as wide, and no larger than may be', async (t) => {
  // Green at both sides, which goes; the middle is red above and blue below.
  const at: Painter = (x, y) => (x < 100 || x >= 700 ? [0, 250, 0, 255] : y < 300 ? red : blue)
  for (const bytes of [pngOf(800, 600, at), jpegOf(800, 600, at)]) {
    const face = await faceIn(t, bytes)
    const { width, height, data } = jpeg.decode(face.jpeg)
    t.deepEqual([width, height], [ChatLimits.avatarSide, ChatLimits.avatarSide])
    t.true(isLike(quarters(face), [red, red, blue, blue]))
    t.true(data[0]! > 220 && data[1]! < 30, 'no green is left at the edge')
    t.true(fits(face) <= ChatLimits.avatarBytes)
  }
})

test('a picture smaller than it may be is not made larger; one pixel is enough', async (t) => {
  for (const side of [1, 2, 31, 33, 100]) {
    const face = await faceIn(
      t,
      pngOf(side, side + 1, () => red),
    )
    t.is(readAvatar(encodeAvatar(face, new Uint8Array(16)).bytes)!.side, side)
    t.true(isLike(quarters(face), [red, red, red, red]))
  }
})

test('what lies on its side is turned, and what is transparent stands on white', async (t) => {
  const at: Painter = (x) => (x < 64 ? red : blue)
  const tiff = concat(fromLatin1('MM'), u16(42), u32(8), u16(1), u16(0x0112), u16(3), u32(1), u16(6), u16(0), u32(0))
  const exif = concat(fromLatin1('Exif\0\0'), tiff)
  const plain = jpegOf(128, 128, at)
  const app1 = concat(Uint8Array.of(0xff, 0xe1), u16(exif.length + 2), exif)
  const turned = concat(plain.subarray(0, 2), app1, plain.subarray(2))
  t.true(isLike(quarters(await faceIn(t, plain)), [red, blue, red, blue]))
  t.true(isLike(quarters(await faceIn(t, turned)), [red, red, blue, blue]))
  const white: Colour = [255, 255, 255, 255]
  const face = await faceIn(
    t,
    pngOf(64, 64, (x) => (x < 32 ? [9, 9, 9, 0] : red)),
  )
  t.true(isLike(quarters(face), [white, red, white, red]))
})

test('nothing of the file is left but what it shows', async (t) => {
  const planted = 'GPSLatitude 52.5163 planted'
  const plain = jpegOf(300, 300, () => red)
  const segment = (marker: number, text: string): Uint8Array =>
    concat(Uint8Array.of(0xff, marker), u16(text.length + 2), fromLatin1(text))
  const told = concat(
    plain.subarray(0, 2),
    segment(0xe1, `http://ns.adobe.com/xap/1.0/\0${planted}`),
    segment(0xe2, `ICC_PROFILE\0${planted}`),
    segment(0xfe, planted),
    plain.subarray(2),
    fromLatin1(planted),
  )
  const face = await faceIn(t, told)
  t.false(latin1(encodeAvatar(face, new Uint8Array(16)).bytes).includes('planted'))
  t.deepEqual(face, await faceIn(t, plain))
})

test('noise that no quality makes short enough: a smaller picture, within the bound', async (t) => {
  const noise = prng(1).bytes(512 * 512 * 4)
  const face = await faceIn(
    t,
    pngOf(512, 512, (x, y) => {
      const [r, g, b] = noise.subarray((y * 512 + x) * 4)
      return [r! & 128 ? 255 : 0, g! & 128 ? 255 : 0, b! & 128 ? 255 : 0, 255]
    }),
  )
  t.true(fits(face) <= ChatLimits.avatarBytes)
  t.true(jpeg.decode(face.jpeg).width >= 64)
})

test('WebP, GIF and whatever else: told which kinds there are, and nothing is decoded', async (t) => {
  const others = {
    webp: concat(fromLatin1('RIFF'), u32(0x3200_0000), fromLatin1('WEBPVP8L'), new Uint8Array(40)),
    gif: fromLatin1('GIF89a'),
    svg: fromLatin1('<svg xmlns="http://www.w3.org/2000/svg"/>'),
  }
  for (const [kind, bytes] of Object.entries(others)) {
    const error = await t.throwsAsync(() => faceIn(t, bytes), { code: 'E_AVATAR' }, kind)
    t.regex(error!.message, /neither PNG nor JPEG/)
  }
})

/** A PNG of a few octets that claims, and unfolds to, so many pixels. */
function bomb(width: number, height: number): Uint8Array {
  const chunk = (name: string, content: Uint8Array): Uint8Array => {
    const named = concat(fromLatin1(name), content)
    return concat(u32(content.length), named, u32(crc32(named)))
  }
  const head = concat(u32(width), u32(height), Uint8Array.of(1, 0, 0, 0, 0))
  const rows = deflateSync(Buffer.alloc(Math.min((width / 8 + 1) * height, 10_000_000)))
  return concat(
    Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a),
    ...[chunk('IHDR', head), chunk('IDAT', rows), chunk('IEND', new Uint8Array(0))],
  )
}

test('what is no picture, is damaged or unfolds to too much is refused', async (t) => {
  const [png, photo] = [pngOf(64, 64, () => red), jpegOf(64, 64, (x) => (x % 9 < 4 ? red : blue))]
  const interlaced = png.slice()
  interlaced[28] = 1
  const middle = png.slice()
  middle[Math.floor(png.length / 2)]! ^= 255
  const refused: readonly [string, Uint8Array][] = [
    ['nothing', new Uint8Array(0)],
    ['a text', fromLatin1('This is no picture.')],
    ['SVG', fromLatin1('<svg xmlns="http://www.w3.org/2000/svg"/>')],
    ['GIF', fromLatin1('GIF89a')],
    ['PNG, cut off', png.subarray(0, -20)],
    ['PNG, changed in the middle', middle],
    ['PNG, interlaced', interlaced],
    ['JPEG, cut off', photo.subarray(0, -20)],
    ['JPEG, its pixels cut', concat(photo.subarray(0, -60), photo.subarray(-2))],
    ['PNG bomb', bomb(60_000, 60_000)],
    ['PNG, one row too high', bomb(4_096, 4_097)],
  ]
  for (const [what, bytes] of refused) await t.throwsAsync(() => faceIn(t, bytes), { code: 'E_AVATAR' }, what)
  t.throws(() => faceOf('/nowhere/at/all.png'), { code: 'E_FILE' })
  t.throws(() => faceOf(temporaryFolder(t)), { code: 'E_FILE' })
})
