/**
 * A small picture of a large one, made by who sends it; who receives it gets pixels and decodes nothing. The decoders
 * (pngjs, jpeg-js) are JavaScript, and see only what the person has chosen to send. A picture cannot be given up half way,
 * so its pixels are bounded before: 16 million take about a second and 250 MB.
 */
import jpeg from 'jpeg-js'
import { PNG } from 'pngjs'
import { FileLimits } from '#client/chat/files/limits.ts'
import type { Picture } from '#client/chat/files/note.ts'
import type { PictureKind, Size } from './kinds.ts'

/** Pixels of a picture that a thumbnail is made of. Attack: a file of a few octets that unfolds to fill the memory. */
const PIXELS = 16_777_216

/** Red, green, blue, alpha. */
interface Decoded extends Size {
  readonly data: Uint8Array
}

/** undefined for a picture that is too large, or that the decoder does not take. @param orientation as in Exif */
export function thumbnailOf(
  kind: PictureKind,
  bytes: Uint8Array,
  { width, height }: Size,
  orientation: number,
): Picture | undefined {
  if (width < 1 || height < 1 || width * height > PIXELS) return undefined
  try {
    return turned(shrunk(decode(kind, bytes)), orientation)
  } catch {
    // Whatever is wrong with it, it is sent without.
    return undefined
  }
}

function decode(kind: PictureKind, bytes: Uint8Array): Decoded {
  if (kind === 'png') return PNG.sync.read(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length))
  return jpeg.decode(bytes, { useTArray: true, maxResolutionInMP: PIXELS / 1_000_000, maxMemoryUsageInMB: 512 })
}

/** The mean of the pixels that fall into each, on white where they are transparent. */
function shrunk({ width, height, data }: Decoded): Picture {
  const scale = Math.max(1, width / FileLimits.thumbnailSide, height / FileLimits.thumbnailSide)
  const small = { width: Math.max(1, Math.floor(width / scale)), height: Math.max(1, Math.floor(height / scale)) }
  const pixels = new Uint8Array(small.width * small.height * 3)
  const edge = (at: number, of: number, all: number): number => Math.floor((at * all) / of)
  for (let y = 0; y < small.height; y++) {
    const [top, bottom] = [edge(y, small.height, height), edge(y + 1, small.height, height)]
    for (let x = 0; x < small.width; x++) {
      const [left, right] = [edge(x, small.width, width), edge(x + 1, small.width, width)]
      pixels.set(mean(data, width, { left, right, top, bottom }), (y * small.width + x) * 3)
    }
  }
  return { ...small, pixels }
}

interface Box {
  readonly left: number
  readonly right: number
  readonly top: number
  readonly bottom: number
}

function mean(data: Uint8Array, width: number, { left, right, top, bottom }: Box): number[] {
  const sums = [0, 0, 0]
  for (let y = top; y < bottom; y++) {
    for (let at = (y * width + left) * 4; at < (y * width + right) * 4; at += 4) {
      const alpha = data[at + 3]!
      for (let colour = 0; colour < 3; colour++) sums[colour]! += data[at + colour]! * alpha + 255 * (255 - alpha)
    }
  }
  const all = (right - left) * (bottom - top) * 255
  return sums.map((sum) => Math.round(sum / all))
}

/** Where the pixel at x, y of the upright picture is in one of each orientation (Exif 2.32, section 4.6.4). */
const places: readonly ((x: number, y: number, w: number, h: number) => readonly [number, number])[] = [
  (x, y) => [x, y],
  (x, y, w) => [w - 1 - x, y],
  (x, y, w, h) => [w - 1 - x, h - 1 - y],
  (x, y, _w, h) => [x, h - 1 - y],
  (x, y) => [y, x],
  (x, y, _w, h) => [y, h - 1 - x],
  (x, y, w, h) => [w - 1 - y, h - 1 - x],
  (x, y, w) => [w - 1 - y, x],
]

/** Upright. */
export function turned(picture: Picture, orientation: number): Picture {
  const { width, height, pixels } = picture
  const place = places[orientation - 1]
  if (place === undefined || orientation === 1) return picture
  const upright = orientation > 4 ? { width: height, height: width } : { width, height }
  const out = new Uint8Array(pixels.length)
  for (let y = 0; y < upright.height; y++) {
    for (let x = 0; x < upright.width; x++) {
      const [fromX, fromY] = place(x, y, width, height)
      const from = (fromY * width + fromX) * 3
      out.set(pixels.subarray(from, from + 3), (y * upright.width + x) * 3)
    }
  }
  return { ...upright, pixels: out }
}
