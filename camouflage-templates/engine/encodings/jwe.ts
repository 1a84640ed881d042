/**
 * RFC 7516 section 7.1: an encrypted token in compact form,
 *
 *   base64url(header) . key . vector . ciphertext . tag
 *
 * with octets of ours wherever the real thing has ciphertext: the wrapped key (RFC 7518 section 4.4; none for `dir`), the
 * 96-bit vector, the ciphertext and the 128-bit tag of AES-GCM. Whoever has no key sees such a token and no difference.
 */
import { base64url as encode, utf8 } from '#protocol/bytes.ts'
import type { JweData } from '../template.ts'
import { base64url } from './base64url.ts'
import type { TextEncoding } from './text-encoding.ts'

const VECTOR = 12
const TAG = 16
/** AES key wrap adds 8 octets. */
const WRAP = 8
const keyLengths: Readonly<Record<JweData['enc'], number>> = { A128GCM: 16, A256GCM: 32 }

const wrappedKeyLength = ({ alg, enc }: JweData): number => (alg === 'dir' ? 0 : keyLengths[enc] + WRAP)

/** Octets in front of and behind the ciphertext, which has at least one. */
export function jweOverhead(data: JweData): number {
  return wrappedKeyLength(data) + VECTOR + TAG
}

export function createJwe(data: JweData): TextEncoding {
  const { alg, enc, kid } = data
  const header = encode(utf8(JSON.stringify(kid === undefined ? { alg, enc } : { alg, enc, kid })))
  const key = wrappedKeyLength(data)
  const overhead = jweOverhead(data)
  const partsLength =
    header.length + 4 + [key, VECTOR, TAG].reduce((sum, each) => sum + base64url.encodedLength(each), 0)
  /** Where key, vector, ciphertext and tag stand. */
  const cutsOf = (length: number): readonly (readonly [number, number])[] => {
    const [vector, text, tag] = [key, key + VECTOR, length - TAG]
    return [
      [0, vector],
      [vector, text],
      [text, tag],
      [tag, length],
    ] as const
  }
  return {
    alphabet: `${base64url.alphabet}.`,
    encodedLength: (bytes) => partsLength + base64url.encodedLength(bytes - overhead),
    encode(bytes) {
      return [header, ...cutsOf(bytes.length).map(([from, to]) => encode(bytes.subarray(from, to)))].join('.')
    },
    decodedLength: (text) => Math.max(0, overhead + base64url.decodedLength(text.slice(partsLength))),
    decodeInto(out, text) {
      const parts = text.split('.', 6)
      if (parts.length !== 5 || parts[0] !== header || out.length <= overhead) return false
      return cutsOf(out.length).every(([from, to], at) => {
        const part = parts[at + 1]!
        return part.length === base64url.encodedLength(to - from) && base64url.decodeInto(out.subarray(from, to), part)
      })
    },
  }
}
