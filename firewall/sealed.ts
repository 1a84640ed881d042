/**
 * Files that hold messages under a key of the vault's folder:
 *
 *     file      version u8 || nonce 24 || XChaCha20-Poly1305(content), associated data = label || version
 *     content   { length u32 || message }*
 *
 * The key lies beside them: it guards against copies of a file alone, not against who can read the whole folder.
 */
import type { Random } from '#protocol/bytes.ts'
import { concat, readU32, u32, utf8, wipe } from '#protocol/bytes.ts'
import { BOX_NONCE_LENGTH, TAG_LENGTH } from '#protocol/constants.ts'
import { xchacha20poly1305 } from '#protocol/crypto/aead.ts'
import { decodeMessage, encodeMessage } from '#protocol/services/codec.ts'
import { octets } from './octets.ts'

const HEADER = 1 + BOX_NONCE_LENGTH
const LENGTH = 4

export interface SealedKind {
  readonly label: string
  readonly version: number
}

const associated = ({ label, version }: SealedKind): Uint8Array => concat(utf8(label), Uint8Array.of(version))

/** @throws RangeError where a message is larger than any may be */
export function sealMessages(
  kind: SealedKind,
  key: Uint8Array,
  random: Random,
  messages: readonly unknown[],
): Uint8Array {
  const encoded = messages.map(encodeMessage)
  const plaintext = concat(...encoded.flatMap((message) => [u32(message.length), message]))
  const sealed = sealOctets(kind, key, random, plaintext)
  for (const part of [...encoded, plaintext]) wipe(part)
  return sealed
}

/** A content that is no messages; `openSealed` opens it. */
export function sealOctets(kind: SealedKind, key: Uint8Array, random: Random, content: Uint8Array): Uint8Array {
  const nonce = random(BOX_NONCE_LENGTH)
  return concat(Uint8Array.of(kind.version), nonce, xchacha20poly1305.seal(key, nonce, content, associated(kind)))
}

/** The plaintext, to be wiped; undefined where it does not open. */
export function openSealed(kind: SealedKind, key: Uint8Array, sealed: Uint8Array): Uint8Array | undefined {
  if (sealed[0] !== kind.version || sealed.length < HEADER + TAG_LENGTH) return undefined
  const plaintext = xchacha20poly1305.open(key, sealed.subarray(1, HEADER), sealed.subarray(HEADER), associated(kind))
  return plaintext && octets(plaintext)
}

/** As they were sealed; undefined where the file does not open, or holds something else. */
export function openMessages(kind: SealedKind, key: Uint8Array, sealed: Uint8Array): unknown[] | undefined {
  const plaintext = openSealed(kind, key, sealed)
  if (plaintext === undefined) return undefined
  const messages = messagesIn(plaintext)
  wipe(plaintext)
  return messages
}

function messagesIn(bytes: Uint8Array): unknown[] | undefined {
  const messages: unknown[] = []
  for (let at = 0; at < bytes.length; ) {
    const end = at + LENGTH <= bytes.length ? at + LENGTH + readU32(bytes, at) : Number.POSITIVE_INFINITY
    const message = end <= bytes.length ? decodeMessage(bytes.subarray(at + LENGTH, end)) : undefined
    if (message === undefined) return undefined
    messages.push(message)
    at = end
  }
  return messages
}
