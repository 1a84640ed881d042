/**
 * How a session starts, in the shape of PQXDH (revision 3) and, from a card alone, of X3DH (revision 1).
 *
 *     way 6, from a bundle (bundle.ts)         way 5, from the card of somebody who has no shelf
 *     DH1 = dh A, prekey B    DH2 = ephemeral A, dh B    DH3 = ephemeral A, prekey B    DH4 = ephemeral A, one-time key B
 *     ss  = secret of ML-KEM-1024 under the bundle's key                                (both in way 6 only)
 *     transcript = SHA-256("sotto/1/pqxdh" || way 1 || stamp 8 || starts count 1 || starts || uid A || uid B
 *               || SHA-256(document A) || SHA-256(document B) || 1 root A || 2 dh A || 1 root B || 2 dh B
 *               || 3 prekey id 4 || prekey || 4 ephemeral A || [5 id 4 || one-time key]
 *               || [6 last-resort key of ML-KEM, or 7 id 4 || one-time key of it] || [8 ciphertext])
 *     root 32 || session id 8 = HKDF(0xff x 32 || DH1 || DH2 || DH3 || [DH4] || [ss], "", "sotto/1/pqxdh" || transcript)
 *     header = way 1 || stamp 8 || prekey id 4 || ephemeral 32 || [one-time id 4 || kem id 4 || ciphertext 1,568]
 *           || document count 1 || documents of A
 *
 * Four rules; the first three answer what the formal analysis of PQXDH has found (Bhargavan, Jacomme, Kiefer, Schmidt, 2024),
 * the fourth is what it takes for granted. 1: keys that sign and keys that
 * agree are never the same key, nor made from each other. 2: every key goes in with an octet for its kind, and each kind is
 * signed under a label of its own, so none passes for another. 3: the key of the KEM and its ciphertext are part of the
 * transcript, which makes the session's keys and is bound to every message. 4: what is not signed, not canonical, not a
 * key, all zero, or stale makes no session. The KEM is for secrecy alone: who the other is, Ed25519 and X25519 say.
 *
 * The stamp orders the sessions of a pair: the starter's clock in milliseconds, or one more than the highest stamp it knows.
 */
import { concat, constantTimeEqual, empty, type Random, readU32, u32, u64, utf8, wipe } from '#protocol/bytes.ts'
import { hkdfSha256, sha256 } from '#protocol/crypto/hash.ts'
import { mlkem1024 } from '#protocol/crypto/mlkem.ts'
import { documentHash, encodeChain, type PublicIdentity, readChain, takeChain } from './documents.ts'
import type { Identity } from './identity.ts'
import { type Agreement, isCanonicalKey, joinAgreements, type KeyPair } from './keys.ts'
import { Reader } from './reader.ts'

/**
 * What a session may be started from, and with it how everything in the session is sealed: both sides need the same. Odd ones begin
 * from a card, even ones from a shelf. Both are raised by two whenever programs of before and after cannot read each other:
 *
 *     3, 4    keys derived in the ratchet by HKDF and HMAC
 *     5, 6    by SHA3-512
 */
export const Way = { card: 5, bundle: 6 } as const
export type Way = (typeof Way)[keyof typeof Way]

/** The ways that are offered, ascending, where there is a shelf and where there is none. The highest one is taken. */
export const startsOf = (way: Way): Uint8Array =>
  way === Way.bundle ? Uint8Array.of(Way.card, Way.bundle) : Uint8Array.of(Way.card)

export const SESSION_ID_LENGTH = 8
/** About the year 10900: no clock says more, and there is room above. */
const STAMP_MAX = 2 ** 48

export interface NamedKey {
  readonly id: number
  readonly key: Uint8Array
}

/** What the side that writes first uses of the other's keys. */
export interface Offer {
  readonly prekey: NamedKey
  /** Undefined for what a card offers. */
  readonly bundle:
    | {
        readonly oneTime: NamedKey | undefined
        /** ML-KEM-1024; id 0 for the last resort. */
        readonly kem: NamedKey
      }
    | undefined
}

export interface Quantum {
  /** 0 for none. */
  readonly oneTimeId: number
  /** 0 for the last resort that goes with the prekey. */
  readonly kemId: number
  readonly ciphertext: Uint8Array
}

export interface StartHeader {
  readonly stamp: number
  readonly prekeyId: number
  readonly ephemeral: Uint8Array
  /** Of way 6. */
  readonly quantum: Quantum | undefined
  readonly from: PublicIdentity
}

export interface SessionSecrets {
  readonly root: Uint8Array
  readonly id: Uint8Array
  /** Transcript hash, to which every message is bound. */
  readonly context: Uint8Array
}

const wayOf = (quantum: unknown): Way => (quantum === undefined ? Way.card : Way.bundle)

export function encodeStart({ stamp, prekeyId, ephemeral, quantum, from }: StartHeader): Uint8Array {
  const more = quantum === undefined ? empty : concat(u32(quantum.oneTimeId), u32(quantum.kemId), quantum.ciphertext)
  const way = Uint8Array.of(wayOf(quantum))
  return concat(way, u64(stamp), u32(prekeyId), ephemeral, more, encodeChain(from.chain))
}

/** At the beginning of `bytes`. undefined where it is malformed, of another way, or its documents are not sound. */
export function decodeStart(bytes: Uint8Array): { readonly header: StartHeader; readonly length: number } | undefined {
  const reader = new Reader(bytes)
  const way = reader.u8()
  const [stamp, prekeyId, ephemeral] = [reader.u64(), reader.u32(), reader.take(32)]
  if (way !== Way.card && way !== Way.bundle) return undefined
  const quantum = way === Way.bundle ? readQuantum(reader) : undefined
  const chain = takeChain(reader)
  const length = bytes.length - reader.rest().length
  const from = stamp < STAMP_MAX ? readChain(chain) : undefined
  return from && { header: { stamp, prekeyId, ephemeral, quantum, from }, length }
}

function readQuantum(reader: Reader): Quantum {
  const [oneTimeId, kemId] = [reader.u32(), reader.u32()]
  return { oneTimeId, kemId, ciphertext: reader.take(mlkem1024.ciphertextLength) }
}

/** Which prekey of the other side an encoded header names. */
export function prekeyIdOf(header: Uint8Array): number {
  return readU32(header, 9)
}

interface Parties {
  readonly from: PublicIdentity
  readonly to: PublicIdentity
  readonly prekey: NamedKey
  readonly ephemeral: Uint8Array
  readonly stamp: number
  readonly bundle: (NonNullable<Offer['bundle']> & { readonly ciphertext: Uint8Array }) | undefined
}

const LABEL = utf8('sotto/1/pqxdh')
const tag = (kind: number): Uint8Array => Uint8Array.of(kind)
const Tag = {
  ...{ root: tag(1), dh: tag(2), prekey: tag(3), ephemeral: tag(4) },
  ...{ oneTime: tag(5), lastResort: tag(6), oneTimeKem: tag(7), ciphertext: tag(8) },
}

function transcriptOf({ from, to, prekey, ephemeral, stamp, bundle }: Parties): Uint8Array {
  const keysOf = ({ root, dh }: PublicIdentity): Uint8Array => concat(Tag.root, root, Tag.dh, dh)
  const way = wayOf(bundle)
  const starts = startsOf(way)
  return sha256(
    concat(LABEL, Uint8Array.of(way), u64(stamp), Uint8Array.of(starts.length), starts, from.uid, to.uid),
    concat(documentHash(from), documentHash(to), keysOf(from), keysOf(to)),
    concat(Tag.prekey, u32(prekey.id), prekey.key, Tag.ephemeral, ephemeral),
    bundle === undefined ? empty : bundleText(bundle),
  )
}

function bundleText({ oneTime, kem, ciphertext }: NonNullable<Parties['bundle']>): Uint8Array {
  const named = ({ id, key }: NamedKey): Uint8Array => concat(u32(id), key)
  const once = oneTime === undefined ? empty : concat(Tag.oneTime, named(oneTime))
  const quantum = kem.id === 0 ? concat(Tag.lastResort, kem.key) : concat(Tag.oneTimeKem, named(kem))
  return concat(once, quantum, Tag.ciphertext, ciphertext)
}

function derive(
  parties: Parties,
  agreements: readonly Agreement[],
  shared: Uint8Array | undefined,
): SessionSecrets | undefined {
  const joined = joinAgreements(agreements)
  if (joined === undefined) return undefined
  const context = transcriptOf(parties)
  const input = concat(joined, shared ?? empty)
  const derived = hkdfSha256(input, empty, concat(LABEL, context), 32 + SESSION_ID_LENGTH)
  wipe(joined, input, ...(shared === undefined ? [] : [shared]))
  return { root: derived.slice(0, 32), id: derived.slice(32), context }
}

/** Of the side that writes first. undefined where a key of theirs is not a usable one. */
export function startSession(input: {
  readonly identity: Identity
  readonly to: PublicIdentity
  readonly offer: Offer
  readonly ephemeral: KeyPair
  readonly stamp: number
  /** For the KEM. */
  readonly random: Random
}): { readonly header: StartHeader; readonly secrets: SessionSecrets } | undefined {
  const { identity, to, offer, ephemeral, stamp } = input
  const { prekey, bundle } = offer
  const sealed = bundle && mlkem1024.encapsulateBy(bundle.kem.key, input.random)
  if (bundle !== undefined && sealed === undefined) return undefined
  const from = { uid: identity.uid, root: identity.root, dh: identity.dh, chain: identity.chain }
  const inBundle = bundle && { ...bundle, ciphertext: sealed!.ciphertext }
  const parties = { from, to, prekey, ephemeral: ephemeral.publicKey, stamp, bundle: inBundle }
  const agreements: Agreement[] = [
    [identity.dhPair.secret, prekey.key],
    [ephemeral.secret, to.dh],
    [ephemeral.secret, prekey.key],
  ]
  if (bundle?.oneTime !== undefined) agreements.push([ephemeral.secret, bundle.oneTime.key])
  const secrets = derive(parties, agreements, sealed?.shared)
  if (secrets === undefined) return undefined
  const quantum = bundle && {
    oneTimeId: bundle.oneTime?.id ?? 0,
    kemId: bundle.kem.id,
    ciphertext: sealed!.ciphertext,
  }
  return { header: { stamp, prekeyId: prekey.id, ephemeral: ephemeral.publicKey, quantum, from }, secrets }
}

/** Our secrets that a header names. */
export interface Named {
  readonly prekey: KeyPair
  readonly oneTime: KeyPair | undefined
  /** Seed of ML-KEM-1024; undefined where the header names none. */
  readonly kem: Uint8Array | undefined
}

/** Of the side that is written to. undefined where a key is not a usable one, or the session is not the one it claims. */
export function acceptSession(input: {
  readonly identity: Identity
  readonly named: Named
  readonly header: StartHeader
  readonly claimedId: Uint8Array
}): SessionSecrets | undefined {
  const { identity, named, header, claimedId } = input
  const { prekey, oneTime, kem } = named
  const { quantum, ephemeral, from } = header
  if (!isCanonicalKey(ephemeral) || (quantum === undefined) !== (kem === undefined)) return undefined
  if (((quantum?.oneTimeId ?? 0) === 0) !== (oneTime === undefined)) return undefined
  const bundle = quantum && {
    oneTime: oneTime && { id: quantum.oneTimeId, key: oneTime.publicKey },
    kem: { id: quantum.kemId, key: mlkem1024.keygen(kem!).publicKey },
    ciphertext: quantum.ciphertext,
  }
  const shared = quantum && mlkem1024.decapsulate(kem!, quantum.ciphertext)
  const signed = { id: header.prekeyId, key: prekey.publicKey }
  const parties = { from, to: identity, prekey: signed, ephemeral, stamp: header.stamp, bundle }
  const agreements: Agreement[] = [
    [prekey.secret, from.dh],
    [identity.dhPair.secret, ephemeral],
    [prekey.secret, ephemeral],
  ]
  if (oneTime !== undefined) agreements.push([oneTime.secret, ephemeral])
  const secrets = derive(parties, agreements, shared)
  return secrets !== undefined && constantTimeEqual(secrets.id, claimedId) ? secrets : undefined
}
