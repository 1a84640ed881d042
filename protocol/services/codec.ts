/**
 * Service messages: one MessagePack value of JSON's kinds plus byte strings. Spec section 8.
 *
 * The pre-scan walks the bytes without building anything and refuses, before msgpackr sees them: extension types, c1,
 * keys that are not strings or come twice, `__proto__`, trailing bytes, depth, item count and size beyond `Limits`. msgpackr's own options do not cover record definitions and pointers.
 */
import { Packr } from 'msgpackr'
import { latin1 } from '../bytes.ts'
import { Limits } from '../constants.ts'

const packr = new Packr({
  useRecords: false,
  mapsAsObjects: true,
  structuredClone: false,
  copyBuffers: true,
  moreTypes: false,
  variableMapSize: true,
})

/** Plain objects, arrays, strings, safe integers, booleans, null and `Uint8Array` only. */
export function encodeMessage(value: unknown): Uint8Array {
  return new Uint8Array(packr.pack(value))
}

/** undefined where the bytes are not exactly one message within `Limits`; never throws. */
export function decodeMessage(bytes: Uint8Array): unknown | undefined {
  return scan(bytes) ? decodeOwn(bytes) : undefined
}

/** Of what we have packed ourselves and nobody can have touched since: looked through by nobody. undefined for no message. */
export function decodeOwn(bytes: Uint8Array): unknown | undefined {
  try {
    return packr.unpack(bytes)
  } catch {
    return undefined
  }
}

/** True where `bytes` is exactly one acceptable value. Iterative: nesting cannot exhaust the stack. */
function scan(bytes: Uint8Array): boolean {
  if (bytes.length === 0 || bytes.length > Limits.messageBytes) return false
  const scanner = new Scanner(bytes)
  do if (!scanner.step()) return false
  while (!scanner.complete)
  return scanner.at === bytes.length
}

/** What one head byte stands for: fixed octets to skip, octets of a length field, kind of what follows. */
interface Head {
  readonly kind: 'skip' | 'blob' | 'text' | 'array' | 'map'
  readonly size: number
}

const heads: ReadonlyMap<number, Head> = new Map<number, Head>([
  [0xc0, { kind: 'skip', size: 0 }],
  [0xc2, { kind: 'skip', size: 0 }],
  [0xc3, { kind: 'skip', size: 0 }],
  [0xc4, { kind: 'blob', size: 1 }],
  [0xc5, { kind: 'blob', size: 2 }],
  [0xc6, { kind: 'blob', size: 4 }],
  [0xca, { kind: 'skip', size: 4 }],
  [0xcb, { kind: 'skip', size: 8 }],
  [0xcc, { kind: 'skip', size: 1 }],
  [0xcd, { kind: 'skip', size: 2 }],
  [0xce, { kind: 'skip', size: 4 }],
  [0xcf, { kind: 'skip', size: 8 }],
  [0xd0, { kind: 'skip', size: 1 }],
  [0xd1, { kind: 'skip', size: 2 }],
  [0xd2, { kind: 'skip', size: 4 }],
  [0xd3, { kind: 'skip', size: 8 }],
  [0xd9, { kind: 'text', size: 1 }],
  [0xda, { kind: 'text', size: 2 }],
  [0xdb, { kind: 'text', size: 4 }],
  [0xdc, { kind: 'array', size: 2 }],
  [0xdd, { kind: 'array', size: 4 }],
  [0xde, { kind: 'map', size: 2 }],
  [0xdf, { kind: 'map', size: 4 }],
])

/** One open array or map. */
interface Level {
  /** Values still to come. */
  left: number
  /** Maps only: the keys seen so far. */
  readonly keys: Set<string> | undefined
  keyDue: boolean
}

class Scanner {
  at = 0
  private items = 0
  private readonly levels: Level[] = []
  private readonly bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }

  get complete(): boolean {
    return this.levels.length === 0
  }

  /** Reads one key or one value (a container: only its head); false where it is refused. */
  step(): boolean {
    const head = this.bytes[this.at++]
    if (head === undefined || ++this.items > Limits.messageItems) return false
    const parent = this.levels.at(-1)
    if (parent?.keyDue) return this.key(head, parent)
    if (!this.value(head)) return false
    if (parent !== undefined) this.count(parent)
    while (this.levels.at(-1)?.left === 0) this.levels.pop()
    return true
  }

  private count(parent: Level): void {
    parent.left--
    parent.keyDue = parent.keys !== undefined
  }

  private key(head: number, level: Level): boolean {
    const length = this.textLength(head)
    if (length === undefined || this.at + length > this.bytes.length) return false
    const key = latin1(this.bytes.subarray(this.at, this.at + length))
    if (key === '__proto__' || level.keys?.has(key)) return false
    level.keys?.add(key)
    level.keyDue = false
    this.at += length
    return true
  }

  private textLength(head: number): number | undefined {
    if (head >= 0xa0 && head <= 0xbf) return head & 0x1f
    const form = heads.get(head)
    return form?.kind === 'text' ? this.number(form.size) : undefined
  }

  private value(head: number): boolean {
    if (head <= 0x7f || head >= 0xe0) return this.skip(0)
    if (head <= 0x8f) return this.enter(head & 0x0f, true)
    if (head <= 0x9f) return this.enter(head & 0x0f, false)
    if (head <= 0xbf) return this.skip(head & 0x1f)
    const form = heads.get(head)
    if (form === undefined) return false
    if (form.kind === 'skip') return this.skip(form.size)
    const length = this.number(form.size)
    if (length === undefined) return false
    return form.kind === 'array' || form.kind === 'map' ? this.enter(length, form.kind === 'map') : this.skip(length)
  }

  private skip(length: number): boolean {
    this.at += length
    return this.at <= this.bytes.length
  }

  private number(size: number): number | undefined {
    if (this.at + size > this.bytes.length) return undefined
    let value = 0
    for (let i = 0; i < size; i++) value = value * 256 + this.bytes[this.at++]!
    return value
  }

  private enter(length: number, isMap: boolean): boolean {
    if (this.levels.length >= Limits.messageDepth || length > Limits.messageItems) return false
    this.levels.push({ left: length, keys: isMap ? new Set() : undefined, keyDue: isMap })
    return true
  }
}
