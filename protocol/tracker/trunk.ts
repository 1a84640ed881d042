/**
 * The connection between a gateway and a tracker: many members' sealed queries, and their answers, in few frames. Spec
 * section 16.9.
 *
 *     greeting   Noise NK message 1 (48), answered by message 2 (48); prologue "sotto/1/tracker/trunk", payloads empty
 *     frame      length 2 || ChaCha20-Poly1305(key of the direction, counter, items)
 *     item       id varint || length varint || octets              query up, answer with the same id down; empty: refused
 */
import { concat } from '../bytes.ts'
import { TAG_LENGTH } from '../constants.ts'
import { chacha20poly1305 } from '../crypto/aead.ts'
import { Reader, varintLength, writeVarint } from '../varint.ts'

export const GREETING_LENGTH = 48
/** Octets of the items of one frame. */
export const FRAME_ITEMS = 61_440
const LENGTH_LENGTH = 2

export interface TrunkItem {
  readonly id: number
  readonly bytes: Uint8Array
}

export function encodeItem({ id, bytes }: TrunkItem): Uint8Array {
  const item = new Uint8Array(varintLength(id) + varintLength(bytes.length) + bytes.length)
  const at = writeVarint(item, writeVarint(item, 0, id), bytes.length)
  item.set(bytes, at)
  return item
}

function readItems(bytes: Uint8Array): TrunkItem[] | undefined {
  const items: TrunkItem[] = []
  for (const reader = new Reader(bytes); reader.left > 0; ) {
    const id = reader.varint()
    const length = reader.varint()
    const item = length === undefined ? undefined : reader.take(length)
    if (id === undefined || item === undefined) return undefined
    items.push({ id, bytes: item.slice() })
  }
  return items
}

/** 4 zero octets, then the counter in little-endian order, as Noise has it. */
function nonce(counter: number): Uint8Array {
  const bytes = new Uint8Array(12)
  const view = new DataView(bytes.buffer)
  view.setUint32(4, counter >>> 0, true)
  view.setUint32(8, Math.floor(counter / 2 ** 32), true)
  return bytes
}

/** Frames of one direction, as they are sent. */
export class TrunkSealer {
  private readonly key: Uint8Array
  private counter = 0

  constructor(key: Uint8Array) {
    this.key = key
  }

  /** @param items encoded items, of `FRAME_ITEMS` octets at the most together */
  seal(items: readonly Uint8Array[]): Uint8Array {
    const sealed = chacha20poly1305.seal(this.key, nonce(this.counter++), concat(...items))
    return concat(Uint8Array.of(sealed.length >>> 8, sealed.length & 0xff), sealed)
  }
}

/** Frames of one direction, as they arrive. */
export class TrunkOpener {
  private readonly key: Uint8Array
  private counter = 0
  private held: Uint8Array = new Uint8Array(0)

  constructor(key: Uint8Array) {
    this.key = key
  }

  /** Items of all frames that are complete now; undefined where one is not authentic, or is not made of items. */
  open(bytes: Uint8Array): TrunkItem[] | undefined {
    this.held = this.held.length === 0 ? bytes : concat(this.held, bytes)
    const items: TrunkItem[] = []
    let at = 0
    while (this.held.length - at >= LENGTH_LENGTH) {
      const end = at + LENGTH_LENGTH + ((this.held[at]! << 8) | this.held[at + 1]!)
      if (end - at < LENGTH_LENGTH + TAG_LENGTH) return undefined
      if (end > this.held.length) break
      const sealed = this.held.subarray(at + LENGTH_LENGTH, end)
      const plain = chacha20poly1305.open(this.key, nonce(this.counter++), sealed)
      const found = plain && readItems(plain)
      if (found === undefined) return undefined
      items.push(...found)
      at = end
    }
    this.held = this.held.slice(at)
    return items
  }
}
