/**
 * A fragment of an encrypted audio track (ISO/IEC 14496-12; `cbcs` with a constant vector, which needs no boxes of its
 * own in a fragment):
 *
 *   styp | moof( mfhd, traf( tfhd, tfdt, trun ) ) | mdat
 *
 * `trun` cuts the octets in `mdat` into samples of varying sizes.
 */
import { concat, fastEqual, readU32, u32, utf8 } from '#protocol/bytes.ts'
import type { Draw } from '../draw.ts'
import type { Fmp4Data } from '../template.ts'
import type { PlainBinary } from './binary.ts'

const box = (type: string, ...content: Uint8Array[]): Uint8Array => {
  const inside = concat(...content)
  return concat(u32(8 + inside.length), utf8(type), inside)
}
const TRACK = 1
/** Default base is the moof; it tells duration and flags of samples. */
const TFHD_FLAGS = 0x020028
/** Every sample is a sync sample that others do not depend on. */
const SAMPLE_FLAGS = 0x02000000
/** Version 1: 64 bits. */
const TFDT_VERSION = 0x01000000
/** It tells where the data begin and how large samples are. */
const TRUN_FLAGS = 0x000201
const styp = box('styp', utf8('msdh'), u32(0), utf8('msdhmsix'))
const BOX = 8

/** Octets in front of the sizes of samples; those follow, then the header of `mdat`. */
const SEQUENCE_AT = styp.length + BOX + BOX + 4
const FIXED = head({ sequence: 1, start: 0, duration: 1, count: 0 }).length
const COUNT_AT = FIXED - 8

interface Fragment {
  readonly sequence: number
  /** Ticks. */
  readonly start: number
  readonly duration: number
  /** Samples. */
  readonly count: number
}

function head({ sequence, start, duration, count }: Fragment): Uint8Array {
  const mfhd = box('mfhd', u32(0), u32(sequence))
  const tfhd = box('tfhd', u32(TFHD_FLAGS), u32(TRACK), u32(duration), u32(SAMPLE_FLAGS))
  const tfdt = box('tfdt', u32(TFDT_VERSION), u32(Math.floor(start / 2 ** 32)), u32(start))
  const trunLength = BOX + 12 + 4 * count
  const trafLength = BOX + tfhd.length + tfdt.length + trunLength
  const moofLength = BOX + mfhd.length + trafLength
  const trun = [u32(trunLength), utf8('trun'), u32(TRUN_FLAGS), u32(count), u32(moofLength + BOX)]
  return concat(styp, u32(moofLength), utf8('moof'), mfhd, u32(trafLength), utf8('traf'), tfhd, tfdt, ...trun)
}

/** @throws RangeError (completes "expected ...") where samples of these sizes do not add up to a class */
export function createFmp4(data: Fmp4Data, classes: readonly number[]): PlainBinary {
  const [least, most] = data.sample
  const fewest = (length: number): number => Math.ceil(length / most)
  const odd = classes.find((length) => fewest(length) * least > length)
  if (odd !== undefined) throw new RangeError(`sizes of samples that add up to ${odd}`)
  const counts = (length: number): number => Math.floor(length / least)
  return {
    encodedLength: (bytes) => FIXED + 4 * counts(bytes) + BOX + bytes,
    encode(bytes, draw) {
      const sizes = drawSizes(bytes.length, fewest(bytes.length), counts(bytes.length), data.sample, draw)
      const [from, to] = data.sequence
      const sequence = from + draw.below(to - from + 1)
      return write(bytes, sizes, fragmentOf(data, sequence, sizes.length))
    },
    decode(file) {
      if (file.length < FIXED + BOX) return undefined
      const [sequence, count] = [readU32(file, SEQUENCE_AT), readU32(file, COUNT_AT)]
      const start = FIXED + 4 * count + BOX
      const bytes = file.subarray(start)
      if (sequence < data.sequence[0] || sequence > data.sequence[1] || start >= file.length) return undefined
      const before = head(fragmentOf(data, sequence, count))
      if (!fastEqual(file.subarray(0, FIXED), before)) return undefined
      if (!fastEqual(file.subarray(start - BOX, start), concat(u32(BOX + bytes.length), utf8('mdat')))) return undefined
      let sum = 0
      for (let at = FIXED; at < start - BOX; at += 4) {
        const size = readU32(file, at)
        if (size < least || size > most) return undefined
        sum += size
      }
      return sum === bytes.length ? bytes : undefined
    },
  }
}

/** The track's time follows from the number of the fragment. */
function fragmentOf({ duration, fragment }: Fmp4Data, sequence: number, count: number): Fragment {
  return { sequence, start: (sequence - 1) * fragment, duration, count }
}

function write(bytes: Uint8Array, sizes: readonly number[], fragment: Fragment): Uint8Array {
  const start = FIXED + 4 * sizes.length + BOX
  const file = new Uint8Array(start + bytes.length)
  const view = new DataView(file.buffer)
  file.set(head(fragment))
  for (const [index, size] of sizes.entries()) view.setUint32(FIXED + 4 * index, size)
  view.setUint32(start - BOX, BOX + bytes.length)
  file.set(utf8('mdat'), start - 4)
  file.set(bytes, start)
  return file
}

/** Sizes within [least, most] that add up to `total`: each drawn from what leaves the others possible. */
function drawSizes(
  total: number,
  fewest: number,
  most: number,
  [least, largest]: readonly [number, number],
  draw: Draw,
): number[] {
  // Around the middle, so that sizes are spread and not pressed against one end.
  const middle = Math.round((2 * total) / (least + largest))
  const count = Math.min(most, Math.max(fewest, middle))
  const random = draw.bytes(2 * count)
  const sizes: number[] = []
  let left = total
  for (let index = 0; index < count; index++) {
    const others = count - index - 1
    const low = Math.max(least, left - others * largest)
    const high = Math.min(largest, left - others * least)
    const part = random[2 * index]! * 256 + random[2 * index + 1]!
    const size = low + Math.floor((part * (high - low + 1)) / 65_536)
    sizes.push(size)
    left -= size
  }
  return sizes
}
