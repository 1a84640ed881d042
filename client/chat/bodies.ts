/**
 * Bodies of the types of message.
 *
 *     text      UTF-8, 1 to 16,384 octets
 *     receipt   up to 8 || read up to 8 || count 1 || { from 8 || to 8 }*     received: all counters up to, and the ranges
 *     hello     card length 2 || card || addresses (address.ts)               who I am now, and where you reach me
 *     node      empty || (address, box (address.ts) || offer)                 a node of mine where you may put messages; none
 *     resend    up to 8 || SHA-256(your card that I have)[0..16)              I could not read something: send it again
 */
import { concat, empty, fromUtf8, u16, u64, utf8 } from '#protocol/bytes.ts'
import { isSottoError } from '#protocol/errors.ts'
import {
  type BoxedAddress,
  encodeBoxedAddress,
  encodeBoxedAddresses,
  readBoxedAddress,
  readBoxedAddresses,
} from './address.ts'
import { type Card, readCard } from './card.ts'
import { HASH_LENGTH } from './envelope.ts'
import { ChatLimits } from './limits.ts'
import { Reader } from './reader.ts'

export function encodeText(text: string): Uint8Array {
  return utf8(text)
}

export function decodeText(body: Uint8Array): string | undefined {
  if (body.length < 1 || body.length > ChatLimits.textBytes) return undefined
  return fromUtf8(body)
}

/** Counters, both ends included. */
export type Range = readonly [from: number, to: number]

export interface Receipt {
  /** Every counter up to this one was received. */
  readonly upTo: number
  /** The person has seen everything up to this one. */
  readonly read: number
  /** Received beyond `upTo`, ascending. */
  readonly ranges: readonly Range[]
}

export function encodeReceipt({ upTo, read, ranges }: Receipt): Uint8Array {
  const parts = ranges.flatMap(([from, to]) => [u64(from), u64(to)])
  return concat(u64(upTo), u64(read), Uint8Array.of(ranges.length), ...parts)
}

export function decodeReceipt(body: Uint8Array): Receipt | undefined {
  const reader = new Reader(body)
  const [upTo, read, count] = [reader.u64(), reader.u64(), reader.u8()]
  if (count > ChatLimits.receiptRanges) return undefined
  const ranges = Array.from({ length: count }, () => [reader.u64(), reader.u64()] as const)
  const numbers = [upTo, read, ...ranges.flat()]
  if (!reader.end() || numbers.some(Number.isNaN)) return undefined
  const ascending = ranges.every(([from, to], i) => from <= to && from > (ranges[i - 1]?.[1] ?? upTo))
  return ascending ? { upTo, read, ranges } : undefined
}

export interface Hello {
  readonly card: Card
  readonly addresses: readonly BoxedAddress[]
}

export function encodeHello(card: Uint8Array, addresses: readonly BoxedAddress[]): Uint8Array {
  return concat(u16(card.length), card, encodeBoxedAddresses(addresses))
}

export function decodeHello(body: Uint8Array): Hello | undefined {
  const reader = new Reader(body)
  const cardBytes = reader.take(reader.u16())
  const addresses = readBoxedAddresses(reader)
  if (addresses === undefined || !reader.end()) return undefined
  try {
    return { card: readCard(cardBytes), addresses }
  } catch (error) {
    if (isSottoError(error)) return undefined
    throw error
  }
}

export interface NodeTold {
  readonly address: BoxedAddress
  readonly offer: Uint8Array
}

/** undefined: there is none any more. */
export function encodeNode(told: NodeTold | undefined): Uint8Array {
  return told === undefined ? empty : concat(encodeBoxedAddress(told.address), told.offer)
}

/** 'none' where there is none any more; undefined for what has another form. Whose the offer is, was not looked at. */
export function decodeNode(body: Uint8Array): NodeTold | 'none' | undefined {
  if (body.length === 0) return 'none'
  const reader = new Reader(body)
  const address = readBoxedAddress(reader)
  const offer = reader.rest()
  if (address === undefined || offer.length < 1 || offer.length > ChatLimits.offerBytes) return undefined
  return { address, offer }
}

export interface Resend {
  readonly upTo: number
  readonly cardHash: Uint8Array
}

export function encodeResend({ upTo, cardHash }: Resend): Uint8Array {
  return concat(u64(upTo), cardHash)
}

export function decodeResend(body: Uint8Array): Resend | undefined {
  const reader = new Reader(body)
  const [upTo, cardHash] = [reader.u64(), reader.take(HASH_LENGTH)]
  return reader.end() && !Number.isNaN(upTo) ? { upTo, cardHash } : undefined
}
