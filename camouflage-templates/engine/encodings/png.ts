/**
 * Bytes as the pixels of a decodable PNG picture, 8-bit RGB:
 *
 *   signature | IHDR | ancillary chunks of the template | IDAT... | IEND
 *
 * The compressed stream holds one filter type and 3 x width octets a row. Pixels behind the parcel are random. The picture
 * looks like noise, which is what random pixels are: the form is right down to every checksum, the motif is not a photo.
 */
import { concat, fastEqual, fromHex, readU32, u32 } from '#protocol/bytes.ts'
import type { Draw } from '../draw.ts'
import type { PngData } from '../template.ts'
import type { PlainBinary } from './binary.ts'
import { chunksLength, pngChunk, readChunks, writeChunks } from './png-chunk.ts'
import { readStored, storedLength, writeStored } from './zlib-stream.ts'

const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a)
/** Behind width and height: 8 bits a sample, RGB, deflate, adaptive filters, not interlaced. */
const FORMAT = Uint8Array.of(8, 2, 0, 0, 0)
const CHANNELS = 3
/** None, Sub, Up, Average, Paeth. */
const FILTERS = 5
/** Where IHDR's width stands in the file. */
const WIDTH_AT = 16

/** What all pictures of one width and height have in common. */
interface Format {
  readonly width: number
  readonly height: number
  readonly rowLength: number
  /** Octets of filter types and pixels. */
  readonly rowsLength: number
  /** The class of the parcels it carries, octets. */
  readonly carries: number
  readonly head: Uint8Array
  readonly tail: Uint8Array
  readonly fileLength: number
}

/**
 * `classes` ascending. A picture carries the largest class that its pixels hold.
 * @throws RangeError (completes "expected ...") where a class has no picture or a picture no class
 */
export function createPng(data: PngData, classes: readonly number[]): PlainBinary {
  const formats = data.sizes.map(([width, height]) => createFormat(data, classes, width, height))
  const lost = classes.find((length) => !formats.some((format) => format.carries === length))
  if (lost !== undefined) throw new RangeError(`a picture that holds ${lost} octets and not the next class`)
  const byClass = new Map(classes.map((length) => [length, formats.filter((format) => format.carries === length)]))
  const bySize = new Map(formats.map((format) => [format.width * 65_536 + format.height, format]))
  return {
    encodedLength: (bytes) => Math.max(...byClass.get(bytes)!.map((format) => format.fileLength)),
    encode(bytes, draw) {
      const choices = byClass.get(bytes.length)!
      return writePng(bytes, choices[draw.below(choices.length)]!, data.idat, draw)
    },
    decode(file) {
      if (file.length < WIDTH_AT + 8) return undefined
      const format = bySize.get(readU32(file, WIDTH_AT) * 65_536 + readU32(file, WIDTH_AT + 4))
      return format && readPng(file, format, data.idat)
    },
  }
}

function createFormat(data: PngData, classes: readonly number[], width: number, height: number): Format {
  const pixels = width * height * CHANNELS
  const carries = classes.findLast((length) => length <= pixels)
  if (carries === undefined) throw new RangeError(`no picture that holds less than ${classes[0]} octets`)
  const ancillary = data.chunks.map((chunk) => pngChunk(chunk.type, fromHex(chunk.hex)!))
  const head = concat(SIGNATURE, pngChunk('IHDR', concat(u32(width), u32(height), FORMAT)), ...ancillary)
  const tail = pngChunk('IEND', new Uint8Array(0))
  const rowsLength = pixels + height
  const fileLength = head.length + chunksLength(storedLength(rowsLength), data.idat) + tail.length
  return { width, height, rowLength: width * CHANNELS, rowsLength, carries, head, tail, fileLength }
}

function writePng(bytes: Uint8Array, format: Format, idat: number, draw: Draw): Uint8Array {
  const { height, rowLength, rowsLength } = format
  const spare = draw.bytes(rowsLength - height - bytes.length)
  const filters = draw.bytes(height)
  const { rows, stream } = scratch(format)
  for (let row = 0; row < height; row++) rows[row * (rowLength + 1)] = filters[row]! % FILTERS
  writePixels(rows, rowLength, 0, bytes)
  writePixels(rows, rowLength, bytes.length, spare)
  writeStored(stream, rows)
  const file = new Uint8Array(format.fileLength)
  file.set(format.head)
  writeChunks(file, format.head.length, 'IDAT', stream, idat)
  file.set(format.tail, format.fileLength - format.tail.length)
  return file
}

/** Puts `pixels` into rows, each behind its filter type, from the octet `start` of all pixels on. */
function writePixels(rows: Uint8Array, rowLength: number, start: number, pixels: Uint8Array): void {
  for (let from = 0; from < pixels.length; ) {
    const row = Math.floor((start + from) / rowLength)
    const column = start + from - row * rowLength
    const length = Math.min(rowLength - column, pixels.length - from)
    rows.set(pixels.subarray(from, from + length), row * (rowLength + 1) + 1 + column)
    from += length
  }
}

function readPng(file: Uint8Array, format: Format, idat: number): Uint8Array | undefined {
  const { head, tail, rowLength, height, carries } = format
  if (file.length !== format.fileLength || !fastEqual(file.subarray(0, head.length), head)) return undefined
  if (!fastEqual(file.subarray(-tail.length), tail)) return undefined
  const chunks = file.subarray(head.length, -tail.length)
  const { rows, stream } = scratch(format)
  if (!readChunks(stream, chunks, 'IDAT', idat) || !readStored(rows, stream)) return undefined
  for (let row = 0; row < height; row++) if (rows[row * (rowLength + 1)]! >= FILTERS) return undefined
  const bytes = new Uint8Array(carries)
  for (let from = 0; from < carries; from += rowLength) {
    const at = (from / rowLength) * (rowLength + 1) + 1
    bytes.set(rows.subarray(at, at + Math.min(rowLength, carries - from)), from)
  }
  return bytes
}

let space: Uint8Array = new Uint8Array(0)

/**
 * Rows and stream of the picture under way. One place for all of them: it is left before anybody else can come, and a fresh
 * one of this size costs more than the copying it is for. It holds sealed octets only, and grows to the largest picture that
 * a body may be.
 */
function scratch({ rowsLength }: Format): { rows: Uint8Array; stream: Uint8Array } {
  const length = rowsLength + storedLength(rowsLength)
  if (space.length < length) space = new Uint8Array(length)
  return { rows: space.subarray(0, rowsLength), stream: space.subarray(rowsLength, length) }
}
