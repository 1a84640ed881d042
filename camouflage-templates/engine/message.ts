/** One direction of an exchange as data, and how parcels go through it. Requests and responses are the same here. */

import type { Random } from '#protocol/bytes.ts'
import { SottoError } from '#protocol/errors.ts'
import type { Body } from './body.ts'
import { readBody, writeBody } from './body.ts'
import { createDraw } from './draw.ts'
import { decodeText } from './encodings/text-encoding.ts'
import type { Filler, HostHole, Slot } from './hole.ts'
import type { Pattern, Values } from './pattern.ts'
import { render, scanAll } from './pattern.ts'
import type { SizeClasses } from './sizes.ts'
import { TOKEN_LENGTH } from './slot.ts'

/** The target of a request, or one header. */
export interface Line {
  /** Header name as written; '' for the target. */
  readonly name: string
  readonly pattern: Pattern
  /** It carries something, or has to be what it is. The others may be changed by edges on the way. */
  readonly read: boolean
  /** Characters that a message of any class may have here. */
  readonly most: number
}

export interface Message {
  readonly lines: readonly Line[]
  readonly body: Body | undefined
  /** Requests have one. */
  readonly token: Slot | undefined
  /** In the order in which they carry the parcel. One has no fixed length, or there is a file, which takes the rest. */
  readonly payload: readonly Slot[]
  readonly fillers: readonly Filler[]
  readonly host: HostHole | undefined
  readonly sizes: SizeClasses
}

export interface WriteInput {
  readonly token?: Uint8Array
  readonly parcel: Uint8Array
  readonly host?: string
  readonly random: Random
}

/**
 * Values of `message.lines` in their order, and the body.
 * @throws SottoError `E_INTERNAL` a parcel of a length that is no class, or a token that is not 16 octets
 */
export function writeMessage(
  message: Message,
  input: WriteInput,
): { lines: readonly string[]; body: Uint8Array | undefined } {
  const { parcel, token } = input
  if (!message.sizes.classes.includes(parcel.length)) {
    throw new SottoError('E_INTERNAL', `a parcel of ${parcel.length} octets has no size class`)
  }
  const draw = createDraw(input.random)
  const values: Values = new Map()
  for (const filler of message.fillers) values.set(filler, filler.draw(draw))
  if (message.host !== undefined) values.set(message.host, input.host ?? '')
  if (message.token !== undefined) values.set(message.token, message.token.encode(checkToken(token)))
  const rest = fillSlots(message.payload, parcel, values)
  const body = message.body && writeBody(message.body, rest, values, draw)
  return { lines: message.lines.map((line) => render(line.pattern, values)), body }
}

function checkToken(token: Uint8Array | undefined): Uint8Array {
  if (token?.length === TOKEN_LENGTH) return token
  throw new SottoError('E_INTERNAL', `a token has ${TOKEN_LENGTH} octets`)
}

/** Octets in the slots of a fixed length. */
export function fixedLength(slots: readonly Slot[]): number {
  return slots.reduce((sum, slot) => sum + (slot.exact ?? 0), 0)
}

/** Returns what the slots leave. */
function fillSlots(slots: readonly Slot[], parcel: Uint8Array, values: Values): Uint8Array {
  const open = parcel.length - fixedLength(slots)
  let at = 0
  for (const slot of slots) {
    const end = at + (slot.exact ?? open)
    values.set(slot, slot.encode(parcel.subarray(at, end)))
    at = end
  }
  return parcel.subarray(at)
}

/** The parcel; undefined where anything deviates from what `writeMessage` writes. `lineAt` is asked by index. */
export function readMessage(
  message: Message,
  lineAt: (index: number) => string | undefined,
  bytes: Uint8Array,
): Uint8Array | undefined {
  const values: Values = new Map()
  for (const [index, line] of message.lines.entries()) {
    if (!line.read) continue
    const text = lineAt(index)
    if (text === undefined || !scanAll(line.pattern, text, values)) return undefined
  }
  const rest = message.body === undefined ? onlyEmpty(bytes) : readBody(message.body, bytes, values)
  if (rest === undefined || !tokenIsSound(message.token, values)) return undefined
  return joinSlots(message, rest, values)
}

function onlyEmpty(bytes: Uint8Array): Uint8Array | undefined {
  return bytes.length === 0 ? bytes : undefined
}

function tokenIsSound(token: Slot | undefined, values: Values): boolean {
  return token === undefined || decodeText(token, values.get(token)!) !== undefined
}

/** What slots and file hold, each put where it belongs in the parcel; undefined where that would have no size class. */
function joinSlots({ payload, sizes }: Message, rest: Uint8Array, values: Values): Uint8Array | undefined {
  const lengths = payload.map((slot) => slot.decodedLength(values.get(slot)!))
  const length = lengths.reduce((sum, each) => sum + each, rest.length)
  if (!sizes.classes.includes(length)) return undefined
  if (payload.length === 0) return rest
  const parcel = new Uint8Array(length)
  let at = 0
  for (const [index, slot] of payload.entries()) {
    const end = at + lengths[index]!
    if (!slot.decodeInto(parcel.subarray(at, end), values.get(slot)!)) return undefined
    at = end
  }
  parcel.set(rest, at)
  return parcel
}
