/**
 * An archive with one file in it (PKWARE APPNOTE 6.3.3), sizes and checksum in front as archivers that know them write it:
 *
 *   local header | name | data | central header | name | end of central directory
 *
 * `store`: the data are the octets. `deflate`: what zlib makes of octets that do not compress, stored blocks.
 */
import { crc32 } from 'node:zlib'
import { fastEqual, fromLatin1, latin1 } from '#protocol/bytes.ts'
import type { Pattern } from '../pattern.ts'
import { longest, render, scanAll } from '../pattern.ts'
import type { ZipData } from '../template.ts'
import type { Binary } from './binary.ts'
import { blocksLength, readBlocks, writeBlocks } from './stored-blocks.ts'

const LOCAL = 30
const CENTRAL = 46
const END = 22
/** 2.0, as deflate needs; made by the same on Unix. */
const VERSION = 20
const MADE_BY = 0x0314
/** A regular file, rw-r--r--. */
const ATTRIBUTES = 0o100644 * 65_536
const DAY_SECONDS = 86_400

interface Member {
  readonly name: Uint8Array
  /** MS-DOS date in the upper, time in the lower half. */
  readonly stamp: number
  readonly crc: number
  readonly packed: number
  readonly size: number
}

/** `name`: the pattern of `data.name`. @throws RangeError (completes "expected ...") for days that do not exist */
export function createZip(data: ZipData, name: Pattern): Binary {
  const method = data.method === 'store' ? 0 : 8
  const [first, last] = data.modified.map(dayOf) as [number, number]
  if (last < first) throw new RangeError('days in ascending order')
  // A time stamp counts in steps of two seconds.
  const steps = (last - first + DAY_SECONDS) / 2
  const packedLength = (length: number): number => (method === 0 ? length : blocksLength(length))
  const around = LOCAL + CENTRAL + END
  return {
    encodedLength: (bytes) => around + 2 * longest(name, () => 0) + packedLength(bytes),
    encode(bytes, draw, values) {
      const member: Member = {
        name: fromLatin1(render(name, values)),
        stamp: stampOf(first + 2 * draw.below(steps)),
        crc: crc32(bytes),
        packed: packedLength(bytes.length),
        size: bytes.length,
      }
      const start = LOCAL + member.name.length
      const file = new Uint8Array(around + 2 * member.name.length + member.packed)
      if (method === 0) file.set(bytes, start)
      else writeBlocks(file, start, bytes)
      writeHeaders(file, method, member)
      return file
    },
    decode(file, values) {
      if (file.length < around) return undefined
      const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
      const nameLength = view.getUint16(26, true)
      const size = view.getUint32(22, true)
      const packed = packedLength(size)
      const start = LOCAL + nameLength
      if (size === 0 || file.length !== around + 2 * nameLength + packed) return undefined
      const content = file.subarray(start, start + packed)
      const bytes = method === 0 ? content : new Uint8Array(size)
      if (method !== 0 && !readBlocks(bytes, content)) return undefined
      const member = {
        name: file.subarray(LOCAL, start),
        stamp: view.getUint32(10, true),
        crc: crc32(bytes),
        packed,
        size,
      }
      const seconds = secondsOf(member.stamp)
      if (seconds < first || seconds >= last + DAY_SECONDS || stampOf(seconds) !== member.stamp) return undefined
      const fits = headersFit(file, method, member) && scanAll(name, latin1(member.name), values)
      return fits ? bytes : undefined
    },
  }
}

/** Everything but the data. */
function writeHeaders(file: Uint8Array, method: number, { name, stamp, crc, packed, size }: Member): void {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  const common = (at: number): void => {
    view.setUint16(at, VERSION, true)
    view.setUint16(at + 4, method, true)
    view.setUint32(at + 6, stamp, true)
    view.setUint32(at + 10, crc, true)
    view.setUint32(at + 14, packed, true)
    view.setUint32(at + 18, size, true)
    view.setUint16(at + 22, name.length, true)
  }
  view.setUint32(0, 0x04034b50, true)
  common(4)
  file.set(name, LOCAL)
  const central = LOCAL + name.length + packed
  view.setUint32(central, 0x02014b50, true)
  view.setUint16(central + 4, MADE_BY, true)
  common(central + 6)
  view.setUint32(central + 38, ATTRIBUTES, true)
  file.set(name, central + CENTRAL)
  const end = central + CENTRAL + name.length
  view.setUint32(end, 0x06054b50, true)
  view.setUint16(end + 8, 1, true)
  view.setUint16(end + 10, 1, true)
  view.setUint32(end + 12, CENTRAL + name.length, true)
  view.setUint32(end + 16, central, true)
}

/** Compared by writing them again. */
function headersFit(file: Uint8Array, method: number, member: Member): boolean {
  const { name, packed } = member
  const start = LOCAL + name.length
  const rest = file.length - start - packed
  const expected = new Uint8Array(start + rest)
  writeHeaders(expected, method, { ...member, packed: 0 })
  // Written without data in between: the three numbers that speak of them are put in by hand.
  const view = new DataView(expected.buffer)
  view.setUint32(18, packed, true)
  view.setUint32(start + 20, packed, true)
  view.setUint32(expected.length - 6, start + packed, true)
  return (
    fastEqual(file.subarray(0, start), expected.subarray(0, start)) &&
    fastEqual(file.subarray(start + packed), expected.subarray(start))
  )
}

/** Seconds since the Unix epoch, without a time zone, as archives count. */
function dayOf(text: string): number {
  const ms = Date.parse(`${text}T00:00:00Z`)
  const year = Number(text.slice(0, 4))
  // Date.parse takes the 30th of February for the 2nd of March in no version, but says so with NaN.
  if (Number.isNaN(ms) || new Date(ms).toISOString().slice(0, 10) !== text || year < 1980 || year > 2107) {
    throw new RangeError('days like 2025-01-31, from 1980 to 2107')
  }
  return ms / 1000
}

function stampOf(seconds: number): number {
  const at = new Date(seconds * 1000)
  const date = ((at.getUTCFullYear() - 1980) << 9) | ((at.getUTCMonth() + 1) << 5) | at.getUTCDate()
  const time = (at.getUTCHours() << 11) | (at.getUTCMinutes() << 5) | (at.getUTCSeconds() >> 1)
  return date * 65_536 + time
}

/** Some time for a stamp that does not exist: `stampOf` of it is another one. */
function secondsOf(stamp: number): number {
  const [date, time] = [stamp >>> 16, stamp & 0xffff]
  const day = Date.UTC(1980 + (date >>> 9), ((date >>> 5) & 15) - 1, date & 31) / 1000
  return day + (time >>> 11) * 3600 + ((time >>> 5) & 63) * 60 + (time & 31) * 2
}
