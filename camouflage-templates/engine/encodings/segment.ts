/**
 * A media segment under AES-128 as HLS has it (RFC 8216 section 4.3.2.4): AES-CBC with PKCS7 padding over the whole
 * segment. Nothing of it can be told from random octets but the length, and a class has to be such a length.
 */
import type { SegmentData } from '../template.ts'
import type { PlainBinary } from './binary.ts'
import { raw } from './raw.ts'

const BLOCK = 16
/** Transport streams come in packets of 188 octets, fragments of MP4 in any length. */
const units: Readonly<Record<SegmentData['container'], number>> = { ts: 188, fmp4: 1 }

/** Of `length` octets under AES-CBC: 1 to 16 octets of padding. */
const encrypted = (length: number): number => BLOCK * (Math.floor(length / BLOCK) + 1)

/** @throws RangeError (completes "expected ...") where a class is no segment's length */
export function createSegment({ container }: SegmentData, classes: readonly number[]): PlainBinary {
  const unit = units[container]
  for (const length of classes) {
    const count = Math.floor((length - 1) / unit)
    if (encrypted(count * unit) !== length)
      throw new RangeError(`lengths of encrypted segments, ${suggest(unit, length)}`)
  }
  return raw
}

function suggest(unit: number, length: number): string {
  const below = Math.max(1, Math.floor((length - BLOCK) / unit))
  let above = below
  while (encrypted(above * unit) <= length) above++
  return `such as ${encrypted(below * unit)} and ${encrypted(above * unit)} and not ${length}`
}
