/**
 * How a session starts: X3DH (revision 1) from the signed prekey of a card.
 *
 *     DH1 = dh A, prekey B    DH2 = ephemeral A, dh B    DH3 = ephemeral A, prekey B
 *     transcript = SHA-256("sotto/1/x3dh" || version 1 (2) || stamp 8 || starts count 1 || starts || uid A || uid B
 *               || 1 root A || 2 dh A || 1 root B || 2 dh B || 3 prekey id 4 || prekey || 4 ephemeral A)
 *     root 32 || session id 8 = HKDF(0xff x 32 || DH1 || DH2 || DH3, "", "sotto/1/x3dh" || transcript)
 *     header = version 1 || stamp 8 || prekey id 4 || ephemeral 32 || root A 32 || dh A 32 || statement 64
 *
 * The octet before each key in the transcript is its type; a one-time prekey, a KEM's key and ciphertext would be further
 * types, further inputs, and a new version. The stamp orders the sessions of a pair: the starter's clock in milliseconds,
 * or one more than the highest stamp it knows.
 */
import { concat, constantTimeEqual, empty, readU32, u32, u64, utf8, wipe } from '#protocol/bytes.ts'
import { hkdfSha256, sha256 } from '#protocol/crypto/hash.ts'
import type { SignedPrekey } from './card.ts'
import { type Identity, type PublicIdentity, publicIdentity, verifyStatement } from './identity.ts'
import { type Agreement, isCanonicalKey, joinAgreements, type KeyPair } from './keys.ts'
import { Reader } from './reader.ts'
import { START_LENGTH } from './sizes.ts'

/** 2: the ratchet that follows exchanges keys of ML-KEM (healing.ts). */
const VERSION = 2
/** The ways to start that we know, ascending. */
export const STARTS: Uint8Array = Uint8Array.of(VERSION)
export const SESSION_ID_LENGTH = 8
/** About the year 10900: no clock says more, and there is room above. */
const STAMP_MAX = 2 ** 48

export interface StartHeader {
  readonly stamp: number
  readonly prekeyId: number
  readonly ephemeral: Uint8Array
  readonly from: PublicIdentity
  readonly statement: Uint8Array
}

export interface SessionSecrets {
  readonly root: Uint8Array
  readonly id: Uint8Array
  /** Transcript hash, to which every message is bound. */
  readonly context: Uint8Array
}

export function encodeStart({ stamp, prekeyId, ephemeral, from, statement }: StartHeader): Uint8Array {
  return concat(STARTS, u64(stamp), u32(prekeyId), ephemeral, from.root, from.dh, statement)
}

/** undefined where it is malformed, of another version, or its statement is not signed. */
export function decodeStart(bytes: Uint8Array): StartHeader | undefined {
  const reader = new Reader(bytes)
  const version = reader.u8()
  const [stamp, prekeyId, ephemeral] = [reader.u64(), reader.u32(), reader.take(32)]
  const from = publicIdentity(reader.take(32), reader.take(32))
  const statement = reader.take(64)
  if (!reader.end() || bytes.length !== START_LENGTH || version !== VERSION || !(stamp < STAMP_MAX)) return undefined
  return verifyStatement(from, statement) ? { stamp, prekeyId, ephemeral, from, statement } : undefined
}

/** Which prekey of the other side an encoded header names. */
export function prekeyIdOf(header: Uint8Array): number {
  return readU32(header, 9)
}

interface Parties {
  readonly from: PublicIdentity
  readonly to: PublicIdentity
  readonly prekey: Pick<SignedPrekey, 'id' | 'key' | 'starts'>
  readonly ephemeral: Uint8Array
  readonly stamp: number
}

const LABEL = utf8('sotto/1/x3dh')
const Tag = { root: Uint8Array.of(1), dh: Uint8Array.of(2), prekey: Uint8Array.of(3), ephemeral: Uint8Array.of(4) }

function transcriptOf({ from, to, prekey, ephemeral, stamp }: Parties): Uint8Array {
  const keysOf = ({ root, dh }: PublicIdentity): Uint8Array => concat(Tag.root, root, Tag.dh, dh)
  const starts = concat(Uint8Array.of(prekey.starts.length), prekey.starts)
  const keys = concat(keysOf(from), keysOf(to), Tag.prekey, u32(prekey.id), prekey.key, Tag.ephemeral, ephemeral)
  return sha256(LABEL, Uint8Array.of(VERSION), u64(stamp), starts, from.uid, to.uid, keys)
}

function derive(parties: Parties, agreements: readonly Agreement[]): SessionSecrets | undefined {
  const joined = joinAgreements(agreements)
  if (joined === undefined) return undefined
  const context = transcriptOf(parties)
  const derived = hkdfSha256(joined, empty, concat(LABEL, context), 32 + SESSION_ID_LENGTH)
  wipe(joined)
  return { root: derived.slice(0, 32), id: derived.slice(32), context }
}

/** True where a card offers a way to start that we know. */
export function canStart(prekey: SignedPrekey): boolean {
  return prekey.starts.includes(VERSION)
}

/** Of the side that writes first. undefined where a key of theirs is not a usable one. */
export function startSession(input: {
  readonly identity: Identity
  readonly to: PublicIdentity
  readonly prekey: SignedPrekey
  readonly ephemeral: KeyPair
  readonly stamp: number
}): { readonly header: StartHeader; readonly secrets: SessionSecrets } | undefined {
  const { identity, to, prekey, ephemeral, stamp } = input
  const secrets = derive({ from: identity, to, prekey, ephemeral: ephemeral.publicKey, stamp }, [
    [identity.dhPair.secret, prekey.key],
    [ephemeral.secret, to.dh],
    [ephemeral.secret, prekey.key],
  ])
  if (secrets === undefined) return undefined
  const { uid, root, dh, statement } = identity
  const from = { uid, root, dh }
  return { header: { stamp, prekeyId: prekey.id, ephemeral: ephemeral.publicKey, from, statement }, secrets }
}

/** Of the side that is written to. undefined where a key is not a usable one, or the session is not the one it claims. */
export function acceptSession(input: {
  readonly identity: Identity
  readonly prekey: KeyPair
  readonly header: StartHeader
  readonly claimedId: Uint8Array
}): SessionSecrets | undefined {
  const { identity, prekey, header, claimedId } = input
  if (!isCanonicalKey(header.ephemeral)) return undefined
  const parties = {
    from: header.from,
    to: identity,
    prekey: { id: header.prekeyId, key: prekey.publicKey, starts: STARTS },
    ephemeral: header.ephemeral,
    stamp: header.stamp,
  }
  const secrets = derive(parties, [
    [prekey.secret, header.from.dh],
    [identity.dhPair.secret, header.ephemeral],
    [prekey.secret, header.ephemeral],
  ])
  return secrets !== undefined && constantTimeEqual(secrets.id, claimedId) ? secrets : undefined
}
