/** A place in a text that differs from message to message. */
import type { Draw } from './draw.ts'

export interface Hole {
  readonly name: string
  /** Every character that a value may contain. */
  readonly alphabet: string
  /** Characters of the shortest value. */
  readonly min: number
  /** Characters of the longest value. */
  readonly max: number
  /** A reader finds the value's end without looking at what follows. */
  readonly endsItself: boolean
  /** Where the value that starts at `at` ends, or -1. `stop` is the character that follows it, '' at the text's end. */
  span(text: string, at: number, stop: string): number
}

/** Decoration: drawn by the writer, checked for its form and ignored by the reader. */
export interface Filler extends Hole {
  readonly kind: 'filler'
  /** Variety: log2 of the number of values, at the least. */
  readonly bits: number
  draw(draw: Draw): string
}

/** Carries bytes of ours. */
export interface Slot extends Hole {
  readonly kind: 'token' | 'payload'
  /** Octets it holds, where that is fixed; otherwise all that are left. */
  readonly exact: number | undefined
  /** Octets that it holds at the least. */
  readonly least: number
  /** Octets that its values are multiples of. */
  readonly multiple: number
  encodedLength(bytes: number): number
  encode(bytes: Uint8Array): string
  /** As those of a `TextEncoding`; `exact` where that is fixed. */
  decodedLength(text: string): number
  decodeInto(out: Uint8Array, text: string): boolean
}

/** Name of the gateway's host; written, never read. */
export interface HostHole extends Hole {
  readonly kind: 'host'
}

export type AnyHole = Filler | Slot | HostHole
