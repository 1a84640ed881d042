/**
 * What lies on a person's shelf at a gateway, for those who want to begin: a head that everybody gets, and keys that one
 * person each gets. All of it is signed, each kind under a label of its own, and sealed for those who know the uid, so that
 * neither the gateway nor its disk says whose shelf it is.
 *
 *     head         = version 1 || made 8 || expires 8 || prekey id 4 || prekey 32 || last-resort key of ML-KEM-1024 1,568
 *                 || starts count 1 || starts || document count 1 || documents || signature 64
 *     one-time key = id 4 || X25519 key 32, or key of ML-KEM-1024 1,568 || signature 64
 *
 * Signatures are Ed25519 under the newest root, over "sotto/1/bundle", "sotto/1/one-time dh" or "sotto/1/one-time kem" and
 * everything before. Times are milliseconds. On the shelf lies, of each,
 *
 *     nonce 24 || XChaCha20-Poly1305(HKDF(uid, "", "sotto/1/shelf"), nonce, head or key, associated data = its label)
 *     nonce = SHA-256(uid || head or key)[0..24)
 */
import { concat, empty, fastEqual, type Millis, u32, u64, utf8 } from '#protocol/bytes.ts'
import { xchacha20poly1305 } from '#protocol/crypto/aead.ts'
import { ed25519Signer, ed25519Verify } from '#protocol/crypto/ed25519.ts'
import { hkdfSha256, sha256 } from '#protocol/crypto/hash.ts'
import { mlkem1024 } from '#protocol/crypto/mlkem.ts'
import { compareChains, encodeChain, type PublicIdentity, readChain, takeChain } from './documents.ts'
import type { Identity } from './identity.ts'
import { isCanonicalKey } from './keys.ts'
import { Reader } from './reader.ts'
import { type NamedKey, type Offer, startsOf, Way } from './start.ts'

const VERSION = 1
const SIGNATURE_LENGTH = 64
const NONCE_LENGTH = 24

export const oneTimeKinds = ['dh', 'kem'] as const
export type OneTimeKind = (typeof oneTimeKinds)[number]

const keyLength: Readonly<Record<OneTimeKind, number>> = { dh: 32, kem: mlkem1024.publicKeyLength }
const labels = {
  head: utf8('sotto/1/bundle'),
  dh: utf8('sotto/1/one-time dh'),
  kem: utf8('sotto/1/one-time kem'),
} as const

type Sign = (message: Uint8Array) => Uint8Array

/** Signed, and sealed for those who know the uid. The same octets each time. */
function signed(sign: Sign, uid: Uint8Array, kind: keyof typeof labels, unsigned: Uint8Array): Uint8Array {
  const text = concat(unsigned, sign(concat(labels[kind], unsigned)))
  const nonce = sha256(uid, text).slice(0, NONCE_LENGTH)
  return concat(nonce, xchacha20poly1305.seal(shelfKey(uid), nonce, text, labels[kind]))
}

/** Empty where it was not sealed for this shelf and as this kind. */
function unsealed(uid: Uint8Array, kind: keyof typeof labels, sealed: Uint8Array): Uint8Array {
  if (sealed.length < NONCE_LENGTH) return empty
  const [nonce, box] = [sealed.subarray(0, NONCE_LENGTH), sealed.subarray(NONCE_LENGTH)]
  return xchacha20poly1305.open(shelfKey(uid), nonce, box, labels[kind]) ?? empty
}

const shelfKey = (uid: Uint8Array): Uint8Array => hkdfSha256(uid, empty, utf8('sotto/1/shelf'), 32)

function isSigned(root: Uint8Array, kind: keyof typeof labels, bytes: Uint8Array): boolean {
  const [unsigned, signature] = [bytes.subarray(0, -SIGNATURE_LENGTH), bytes.subarray(-SIGNATURE_LENGTH)]
  return ed25519Verify(root, signature, concat(labels[kind], unsigned))
}

export interface Head {
  readonly made: Millis
  readonly expires: Millis
  /** Ways to start a session with the owner, ascending. */
  readonly starts: Uint8Array
  readonly prekey: NamedKey
  /** Last resort. */
  readonly kem: Uint8Array
}

/** For everybody who asks; the same octets each time. */
export function signHead(identity: Identity, { made, expires, starts, prekey, kem }: Head): Uint8Array {
  const times = concat(Uint8Array.of(VERSION), u64(made), u64(expires))
  const keys = concat(u32(prekey.id), prekey.key, kem, Uint8Array.of(starts.length), starts)
  const sign = ed25519Signer(identity.rootSeed)
  return signed(sign, identity.uid, 'head', concat(times, keys, encodeChain(identity.chain)))
}

/** Signs each of these keys. */
export function signOneTime({ rootSeed, uid }: Identity, kind: OneTimeKind, keys: readonly NamedKey[]): NamedKey[] {
  const sign = ed25519Signer(rootSeed)
  return keys.map(({ id, key }) => ({ id, key: signed(sign, uid, kind, concat(u32(id), key)) }))
}

function readHead(bytes: Uint8Array): (Head & { readonly from: PublicIdentity }) | undefined {
  const reader = new Reader(bytes)
  const version = reader.u8()
  const [made, expires, id, key] = [reader.u64(), reader.u64(), reader.u32(), reader.take(32)]
  const kem = reader.take(mlkem1024.publicKeyLength)
  const starts = reader.take(reader.u8())
  const chain = takeChain(reader)
  reader.take(SIGNATURE_LENGTH)
  if (!reader.end() || version !== VERSION || !(made < expires) || !isCanonicalKey(key)) return undefined
  const from = readChain(chain)
  return from && isSigned(from.root, 'head', bytes)
    ? { made, expires, starts, prekey: { id, key }, kem, from }
    : undefined
}

/** undefined where it is not exactly a key of this kind, signed with this root. */
function readOneTime(root: Uint8Array, kind: OneTimeKind, bytes: Uint8Array): NamedKey | undefined {
  const reader = new Reader(bytes)
  const [id, key] = [reader.u32(), reader.take(keyLength[kind])]
  reader.take(SIGNATURE_LENGTH)
  if (!reader.end() || id === 0 || (kind === 'dh' && !isCanonicalKey(key))) return undefined
  return isSigned(root, kind, bytes) ? { id, key } : undefined
}

/** As a gateway hands it out; one-time keys are empty where there is none. */
export interface RawBundle {
  readonly head: Uint8Array
  readonly dh: Uint8Array
  readonly kem: Uint8Array
}

/** What we have seen of a contact's shelf: nothing older is taken from then on. */
export interface SeenBundle {
  readonly made: Millis
  /** Of the prekey. */
  readonly id: number
  readonly key: Uint8Array
  /** Numbers of the one-time keys that we were given, the newest last. */
  readonly dh: readonly number[]
  readonly kem: readonly number[]
}

/** One-time keys of one contact that are remembered against being handed out again. */
const REMEMBERED = 16

export interface Bundle {
  readonly from: PublicIdentity
  readonly offer: Offer
  readonly seen: SeenBundle
}

/** false: not signed by them, or not in its form. stale: older than what we have, used before, or out of date. */
export type BundleFault = 'false' | 'stale'

/** It is theirs, and names other ways to start than we know: another version of Sotto. */
export type OtherStarts = Pick<Head, 'starts'>

/** What we know of whom the bundle must be. */
export interface Expected {
  readonly uid: Uint8Array
  readonly chain: Uint8Array
  /** Of the prekey on their card. */
  readonly cardPrekeyId: number
  readonly seen: SeenBundle | undefined
}

/** Verifies everything before anything is used. */
export function openBundle(raw: RawBundle, expected: Expected, now: Millis): Bundle | BundleFault | OtherStarts {
  const head = readHead(unsealed(expected.uid, 'head', raw.head))
  if (head === undefined || !fastEqual(head.from.uid, expected.uid)) return 'false'
  const { from, made, expires, prekey, starts } = head
  const relation = expected.chain.length === 0 ? 'newer' : compareChains(expected.chain, from.chain)
  if (relation === 'other') return 'false'
  const seen = expected.seen
  if (relation === 'older' || expires <= now || prekey.id < expected.cardPrekeyId) return 'stale'
  if (seen !== undefined && (made < seen.made || prekey.id < seen.id)) return 'stale'
  if (seen?.id === prekey.id && !fastEqual(seen.key, prekey.key)) return 'false'
  if (!fastEqual(starts, startsOf(Way.bundle))) return { starts }
  const once = oneTimeKinds.map((kind) =>
    raw[kind].length === 0 ? null : readOneTime(from.root, kind, unsealed(expected.uid, kind, raw[kind])),
  )
  const [dh, kem] = once
  if (dh === undefined || kem === undefined) return 'false'
  const known = { dh: seen?.dh ?? [], kem: seen?.kem ?? [] }
  if ((dh !== null && known.dh.includes(dh.id)) || (kem !== null && known.kem.includes(kem.id))) return 'stale'
  const offer = { prekey, bundle: { oneTime: dh ?? undefined, kem: kem ?? { id: 0, key: head.kem } } }
  const given = { dh: remembered(known.dh, dh), kem: remembered(known.kem, kem) }
  return { from, offer, seen: { made, ...prekey, ...given } }
}

function remembered(known: readonly number[], key: NamedKey | null): readonly number[] {
  return key === null ? known : [...known, key.id].slice(-REMEMBERED)
}
