/**
 * Who somebody is: an Ed25519 key that signs and an X25519 key that agrees, both derived from one master secret M by
 * label, never one from the other.
 *
 *     root n = HKDF(M, "", "sotto/1/root" || n (4))    seed of Ed25519
 *     dh n   = HKDF(M, "", "sotto/1/dh" || n (4))      secret of X25519
 *     uid    = SHA-256(public key of root 0)
 *
 * n is 0 until the first key update. The statement is the signature that ties both keys together:
 *
 *     Ed25519(root, "sotto/1/identity" || root public 32 || dh public 32)
 */
import { concat, empty, u32, utf8, wipe } from '#protocol/bytes.ts'
import { ed25519PublicKey, ed25519Sign, ed25519Verify } from '#protocol/crypto/ed25519.ts'
import { hkdfSha256, sha256 } from '#protocol/crypto/hash.ts'
import { isCanonicalKey, type KeyPair, keyPair } from './keys.ts'

export const MASTER_LENGTH = 32

export interface PublicIdentity {
  readonly uid: Uint8Array
  /** Ed25519. */
  readonly root: Uint8Array
  /** X25519. */
  readonly dh: Uint8Array
}

export interface Identity extends PublicIdentity {
  readonly rootSeed: Uint8Array
  readonly dhPair: KeyPair
  /** 64 octets. */
  readonly statement: Uint8Array
}

/** What is kept of an identity on a device. */
export interface IdentitySecrets {
  readonly rootSeed: Uint8Array
  readonly dhSecret: Uint8Array
}

export function deriveSecrets(master: Uint8Array): IdentitySecrets {
  const derive = (label: string): Uint8Array => hkdfSha256(master, empty, concat(utf8(`sotto/1/${label}`), u32(0)), 32)
  return { rootSeed: derive('root'), dhSecret: derive('dh') }
}

export function identityOf({ rootSeed, dhSecret }: IdentitySecrets): Identity {
  const dhPair = keyPair(dhSecret)
  const identity = publicIdentity(ed25519PublicKey(rootSeed), dhPair.publicKey)
  return { ...identity, rootSeed, dhPair, statement: ed25519Sign(rootSeed, statementText(identity)) }
}

export function publicIdentity(root: Uint8Array, dh: Uint8Array): PublicIdentity {
  return { uid: sha256(root), root, dh }
}

function statementText({ root, dh }: PublicIdentity): Uint8Array {
  return concat(utf8('sotto/1/identity'), root, dh)
}

/** True where both keys are well-formed and the first has signed the second. */
export function verifyStatement(identity: PublicIdentity, statement: Uint8Array): boolean {
  return isCanonicalKey(identity.dh) && ed25519Verify(identity.root, statement, statementText(identity))
}

export function wipeIdentity({ rootSeed, dhPair }: Identity): void {
  wipe(rootSeed, dhPair.secret)
}
