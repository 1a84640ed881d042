import { base64 } from './encodings/base64.ts'
import { base64url } from './encodings/base64url.ts'
import { grouped } from './encodings/grouped.ts'
import { hex } from './encodings/hex.ts'
import { createJwe, jweOverhead } from './encodings/jwe.ts'
import type { TextEncoding } from './encodings/text-encoding.ts'
import type { Slot } from './hole.ts'
import { TemplateLimits } from './limits.ts'
import type { EncodingName, JweHole, PayloadHole } from './template.ts'

/** Octets of a token. Fixed by the session's protocol. */
export const TOKEN_LENGTH = 16

const encodings: Readonly<Record<EncodingName, TextEncoding>> = { base64, base64url, hex }

export function createTokenSlot(name: string, encodingName: EncodingName): Slot {
  return createSlot('token', name, encodings[encodingName], { exact: TOKEN_LENGTH })
}

export function createPayloadSlot(name: string, hole: PayloadHole): Slot {
  const encoding = encodings[hole.payload]
  if (hole.group === undefined) return createSlot('payload', name, encoding, hole)
  const multiple = hole.group.bytes
  return createSlot('payload', name, grouped(encoding, hole.group), { exact: hole.exact, multiple })
}

export function createJweSlot(name: string, hole: JweHole): Slot {
  const least = jweOverhead(hole.jwe) + 1
  return createSlot('payload', name, createJwe(hole.jwe), { exact: hole.exact, least })
}

function createSlot(
  kind: Slot['kind'],
  name: string,
  encoding: TextEncoding,
  { exact, multiple = 1, least = 1 }: { exact?: number | undefined; multiple?: number; least?: number },
): Slot {
  const min = encoding.encodedLength(exact ?? least)
  const max = encoding.encodedLength(exact ?? TemplateLimits.bodyBytes)
  return {
    kind,
    name,
    alphabet: encoding.alphabet,
    min,
    max,
    endsItself: exact !== undefined,
    exact,
    least,
    multiple,
    span(text, at, stop) {
      if (exact !== undefined) return at + min <= text.length ? at + min : -1
      // The characters in between are looked at once, by the decoder.
      return stop === '' ? text.length : text.indexOf(stop, at)
    },
    encodedLength: (bytes) => encoding.encodedLength(bytes),
    encode: (bytes) => encoding.encode(bytes),
    // Base64 of 16, 17 and 18 octets is equally long.
    decodedLength: (text) => exact ?? encoding.decodedLength(text),
    decodeInto: (out, text) => encoding.decodedLength(text) === out.length && encoding.decodeInto(out, text),
  }
}
