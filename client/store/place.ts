/**
 * Which file this is to the file system. A file that was copied, or restored from a copy, is another one: it has another
 * inode, or was born at another time. So an old copy of the state is known before anything is done with it. What keeps both
 * (a snapshot of the disk or of a whole machine that is put back) is not seen here.
 *
 *     place = inode (8) || time of birth in nanoseconds (8), 0 where the file system does not say
 */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { concat, fastEqual } from '#protocol/bytes.ts'

const INODE = 8
const UNKNOWN: Uint8Array = new Uint8Array(8)

/** Of the state in `folder`, which is open. */
export function placeOf(folder: string): Uint8Array {
  const { ino, birthtimeNs } = statSync(join(folder, 'chat.db'), { bigint: true })
  const around = statSync(folder, { bigint: true })
  // Where nothing is known of births, the time of the last change stands in their place.
  const isKnown = around.birthtimeNs !== around.ctimeNs
  return concat(octets(ino), isKnown ? octets(birthtimeNs) : UNKNOWN)
}

/** False where one is a copy of the other. */
export function samePlace(a: Uint8Array, b: Uint8Array): boolean {
  const [bornA, bornB] = [a.subarray(INODE), b.subarray(INODE)]
  const isUnknown = fastEqual(bornA, UNKNOWN) || fastEqual(bornB, UNKNOWN)
  return fastEqual(a.subarray(0, INODE), b.subarray(0, INODE)) && (isUnknown || fastEqual(bornA, bornB))
}

function octets(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, value))
  return bytes
}
