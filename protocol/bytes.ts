/**
 * Byte plumbing shared by every layer: one type (`Uint8Array`), big-endian integers, the text encodings we print.
 * Pure. `Buffer` is used for speed only; nothing returns one with extra meaning.
 */
import { SHORT, sextetsInto, sextetsOf } from './sextets.ts'

/** Source of `length` unpredictable bytes. Protocol code takes it as an argument. */
export type Random = (length: number) => Uint8Array

/** Milliseconds since the Unix epoch. Protocol code takes the time as an argument. */
export type Millis = number

export const empty: Uint8Array = new Uint8Array(0)

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true })

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0
  for (const part of parts) length += part.length
  const out = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}

/** For keeping what may be a view: a few octets of a large buffer are copied out of it, so that it can go. */
export function compact(bytes: Uint8Array): Uint8Array {
  return bytes.length * 2 < bytes.buffer.byteLength ? new Uint8Array(bytes) : bytes
}

export function utf8(text: string): Uint8Array {
  return encoder.encode(text)
}

/** Strict UTF-8; undefined where the bytes are not. */
export function fromUtf8(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes)
  } catch {
    return undefined
  }
}

const view = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** For map keys only: one character a byte. */
export function latin1(bytes: Uint8Array): string {
  return view(bytes).toString('latin1')
}

/**
 * As `latin1` of the first `length` octets, a multiple of 8, for looking something up and not for keeping: a call into native
 * code, which is not in the processor's cache where it is seldom used, takes twenty times as long.
 */
export function lookupKey(bytes: Uint8Array, length: number = bytes.length): string {
  let key = ''
  for (let i = 0; i < length; i += 8) key += eight(bytes, i)
  return key
}

/** The text of 8 octets from `at` on. */
export function eight(bytes: Uint8Array, at: number): string {
  const [a, b, c, d] = [bytes[at]!, bytes[at + 1]!, bytes[at + 2]!, bytes[at + 3]!]
  const [e, f, g, h] = [bytes[at + 4]!, bytes[at + 5]!, bytes[at + 6]!, bytes[at + 7]!]
  return String.fromCharCode(a, b, c, d, e, f, g, h)
}

/** Opposite of `latin1`. */
export function fromLatin1(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'latin1'))
}

export function hex(bytes: Uint8Array): string {
  return view(bytes).toString('hex')
}

/** Lower or upper case; undefined for anything else. */
export function fromHex(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(text)) return undefined
  return new Uint8Array(Buffer.from(text, 'hex'))
}

const unpadded = { alphabet: 'base64url', omitPadding: true } as const

export function base64url(bytes: Uint8Array): string {
  return bytes.toBase64(unpadded)
}

/** Unpadded, canonical only (RFC 4648 section 5): a second spelling of the same bytes is refused. */
export function fromBase64url(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array((text.length * 3) >> 2)
  return fromBase64urlInto(bytes, text) ? bytes : undefined
}

/** The same into `out`, which has three octets for each four characters; false where it is none. */
export function fromBase64urlInto(out: Uint8Array, text: string): boolean {
  // Of a last group of 2 or 3 characters the last may only be one whose lower bits are zero.
  const ends = lastCharacters[text.length % 4]
  if (ends === undefined || !ends.includes(text.at(-1) ?? '')) return false
  if (out.length <= SHORT) return sextetsInto(out, text, text.length, base64urlSextets)
  try {
    // White space and padding, which it lets pass, leave less than that.
    const { read, written } = out.setFromBase64(text, unpadded)
    return read === text.length && written === out.length
  } catch {
    return false
  }
}

const base64urlAlphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const base64urlSextets = sextetsOf(base64urlAlphabet)
const every = (step: number): string => [...base64urlAlphabet].filter((_, value) => value % step === 0).join('')
/** By the number of characters in the last group, 0 for a whole one; none has 1. */
const lastCharacters: readonly (string | undefined)[] = [base64urlAlphabet, undefined, every(16), every(4)]

/** Timing depends on the lengths alone. Use wherever a secret or a MAC is compared. */
export function constantTimeEqual(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  let difference = 0
  for (let i = 0; i < a.length; i++) difference |= a[i]! ^ b[i]!
  return difference === 0
}

/** For public values only. */
export function fastEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0
}

export function u16(value: number): Uint8Array {
  return Uint8Array.of(value >>> 8, value & 0xff)
}

export function u32(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff)
}

/** Safe integers only (below 2^53). */
export function u64(value: number): Uint8Array {
  return concat(u32(Math.floor(value / 2 ** 32)), u32(value >>> 0))
}

/** In place. */
export function writeU32(bytes: Uint8Array, value: number, at: number): void {
  bytes[at] = value >>> 24
  bytes[at + 1] = value >>> 16
  bytes[at + 2] = value >>> 8
  bytes[at + 3] = value
}

export function readU16(bytes: Uint8Array, at = 0): number {
  return (bytes[at]! << 8) | bytes[at + 1]!
}

export function readU32(bytes: Uint8Array, at = 0): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
}

/** NaN above 2^53 - 1, so that a comparison with it fails. */
export function readU64(bytes: Uint8Array, at = 0): number {
  const value = readU32(bytes, at) * 2 ** 32 + readU32(bytes, at + 4)
  return Number.isSafeInteger(value) ? value : Number.NaN
}

/** Best effort: JavaScript engines may have copied the bytes before. */
export function wipe(...secrets: readonly Uint8Array[]): void {
  for (const secret of secrets) secret.fill(0)
}
