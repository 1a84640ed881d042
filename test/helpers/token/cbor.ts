/** As much of CBOR (RFC 8949) as tokens and programs say to each other by CTAP 2: canonical, lengths known before. */
import { fromUtf8, utf8 } from '#protocol/bytes.ts'

export type Cbor = number | string | boolean | Uint8Array | readonly Cbor[] | CborMap
export type CborMap = ReadonlyMap<Cbor, Cbor>

/** Keys stand in the order of the map: the caller's is the canonical one. */
export function encodeCbor(value: Cbor): Buffer {
  if (typeof value === 'number') return value < 0 ? head(1, -1 - value) : head(0, value)
  if (typeof value === 'boolean') return Buffer.of(value ? 0xf5 : 0xf4)
  if (typeof value === 'string') return Buffer.concat([head(3, utf8(value).length), utf8(value)])
  if (value instanceof Uint8Array) return Buffer.concat([head(2, value.length), value])
  if (value instanceof Map) {
    const pairs = [...(value as CborMap)].flatMap(([key, each]) => [encodeCbor(key), encodeCbor(each)])
    return Buffer.concat([head(5, pairs.length / 2), ...pairs])
  }
  const items = value as readonly Cbor[]
  return Buffer.concat([head(4, items.length), ...items.map(encodeCbor)])
}

function head(kind: number, count: number): Buffer {
  if (count < 24) return Buffer.of((kind << 5) | count)
  if (count < 256) return Buffer.of((kind << 5) | 24, count)
  return Buffer.of((kind << 5) | 25, count >> 8, count & 255)
}

/** The one value that `bytes` hold. */
export function decodeCbor(bytes: Uint8Array): Cbor {
  let at = 0
  const octet = (): number => bytes[at++]!
  const take = (length: number): Uint8Array => {
    at += length
    return bytes.slice(at - length, at)
  }
  const counted = (low: number): number => (low < 24 ? low : low === 24 ? octet() : (octet() << 8) | octet())
  const next = (): Cbor => {
    const first = octet()
    const [kind, low] = [first >> 5, first & 31]
    if (kind === 7) return low === 21
    const count = counted(low)
    if (kind === 0) return count
    if (kind === 1) return -1 - count
    if (kind === 2) return take(count)
    if (kind === 3) return fromUtf8(take(count))!
    if (kind === 4) return Array.from({ length: count }, next)
    return new Map(Array.from({ length: count }, () => [next(), next()] as const))
  }
  return next()
}
