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
    decodedLength: (text) => size * Math.floor((text.length + between.length) / step),
    decodeInto(out, text) {
      if ((text.length + between.length) % step !== 0) return false
      for (let from = 0, at = 0; at < text.length; from += size, at += step) {
        const start = at + open.length
        const end = start + itemLength
        const last = end + close.length === text.length
        const around = text.startsWith(open, at) && text.startsWith(close, end)
        if (!around || !(last || text.startsWith(between, end + close.length))) return false
        if (!inner.decodeInto(out.subarray(from, from + size), text.slice(start, end))) return false
      }
      return true
    },
  }
}
