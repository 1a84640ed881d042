/**
 * Pictures as pixels. The decoders (pngjs, jpeg-js) are JavaScript, and see only what the person has chosen to send or to show.
 * A picture cannot be given up half way, so its pixels are bounded before: 16 million take about a second and 250 MB.
 */
import jpeg from 'jpeg-js'
import { PNG } from 'pngjs'
import type { Picture } from '#client/chat/files/note.ts'
import type { PictureKind, Size } from '#client/chat/pictures/kinds.ts'

/** Pixels of a picture that is decoded. Attack: a file of a few octets that unfolds to fill the memory. */
const PIXELS = 16_777_216

/** Red, green, blue, alpha. */
export interface Decoded extends Size {
  readonly data: Uint8Array
}

/** Whether it has pixels, and no more than are decoded. */
export const isDecodable = ({ width, height }: Size): boolean => width >= 1 && height >= 1 && width * height <= PIXELS

/** @param isStrict take no JPEG that has lost something. @throws Error of the decoder for one that it does not take */
export function decode(kind: PictureKind, bytes: Uint8Array, isStrict: boolean): Decoded {
  if (kind === 'png') return PNG.sync.read(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length))
  const bounds = { maxResolutionInMP: PIXELS / 1_000_000, maxMemoryUsageInMB: 512 }
  return jpeg.decode(bytes, { useTArray: true, tolerantDecoding: !isStrict, ...bounds })
}

/** A part of a picture: columns from `left` up to before `right`, rows likewise. */
export interface Box {
  readonly left: number
  readonly right: number
  readonly top: number
  readonly bottom: number
}

/** Part of it in another size: the mean of the pixels that fall into each, on white where they are transparent. */
export function scaled({ width, data }: Decoded, part: Box, to: Size): Picture {
  const pixels = new Uint8Array(to.width * to.height * 3)
  const edge = (from: number, end: number, at: number, all: number): number =>
    from + Math.floor((at * (end - from)) / all)
  for (let y = 0; y < to.height; y++) {
    const top = edge(part.top, part.bottom, y, to.height)
    const bottom = Math.max(top + 1, edge(part.top, part.bottom, y + 1, to.height))
    for (let x = 0; x < to.width; x++) {
      const left = edge(part.left, part.right, x, to.width)
      const right = Math.max(left + 1, edge(part.left, part.right, x + 1, to.width))
      pixels.set(mean(data, width, { left, right, top, bottom }), (y * to.width + x) * 3)
    }
  }
  return { ...to, pixels }
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
