import { concat } from '#protocol/bytes.ts'
import type { GroupData } from '../template.ts'
import type { TextEncoding } from './text-encoding.ts'

/** A list of equally long values, e.g. `"9f..", "04.."` for entity tags. Only for multiples of `group.bytes`. */
export function grouped(inner: TextEncoding, group: GroupData): TextEncoding {
  const { bytes: size, open, close, between } = group
  const itemLength = inner.encodedLength(size)
  const step = open.length + itemLength + close.length + between.length
  return {
    alphabet: inner.alphabet + open + close + between,
    encodedLength: (bytes) => step * Math.ceil(bytes / size) - between.length,
    encode(bytes) {
      const items: string[] = []
      for (let at = 0; at < bytes.length; at += size) items.push(inner.encode(bytes.subarray(at, at + size)))
      return items.map((item) => open + item + close).join(between)
    },
    decode(text) {
      if ((text.length + between.length) % step !== 0) return undefined
      const items: Uint8Array[] = []
      for (let at = 0; at < text.length; at += step) {
        const item = inner.decode(text.slice(at + open.length, at + open.length + itemLength))
        if (item === undefined) return undefined
        items.push(item)
      }
      const bytes = concat(...items)
      // What stands around the values is compared by writing it again.
      return this.encode(bytes) === text ? bytes : undefined
    },
  }
}
