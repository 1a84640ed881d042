/**
 * Who we are: an Ed25519 key that signs and an X25519 key that agrees, both derived from one master secret M by label,
 * never one from the other.
 *
 *     root n = HKDF(M, "", "sotto/1/root" || n (4))    seed of Ed25519
 *     dh n   = HKDF(M, "", "sotto/1/dh" || n (4))      secret of X25519
 *     uid    = SHA-256(public key of root 0)
 *
 * n is 0 until the first key update. Documents (documents.ts) tie the keys together, and each n to the next.
 */
import { concat, empty, u32, utf8, wipe } from '#protocol/bytes.ts'
import { ed25519PublicKey } from '#protocol/crypto/ed25519.ts'
import { hkdfSha256 } from '#protocol/crypto/hash.ts'
import { commitmentTo, extendChain, type PublicIdentity, readKnownChain } from './documents.ts'
import { type KeyPair, keyPair } from './keys.ts'

export const MASTER_LENGTH = 32

export interface Identity extends PublicIdentity {
  readonly rootSeed: Uint8Array
  readonly dhPair: KeyPair
}

/** What is kept of an identity on a device. */
export interface IdentitySecrets {
  readonly rootSeed: Uint8Array
  readonly dhSecret: Uint8Array
}

export interface DerivedIdentity extends IdentitySecrets {
  readonly chain: Uint8Array
}

export function deriveSecrets(master: Uint8Array, n = 0): IdentitySecrets {
  const derive = (label: string): Uint8Array => hkdfSha256(master, empty, concat(utf8(`sotto/1/${label}`), u32(n)), 32)
  return { rootSeed: derive('root'), dhSecret: derive('dh') }
}

/** The identity of a master secret after `n` key updates, with all its documents. */
export function deriveIdentity(master: Uint8Array, n = 0): DerivedIdentity {
  let chain = empty
  for (let at = 0; ; at++) {
    const secrets = deriveSecrets(master, at)
    const dh = keyPair(secrets.dhSecret).publicKey
    chain = extendChain(chain, { rootSeed: secrets.rootSeed, dh, next: commitmentOf(master, at + 1) })
    if (at === n) return { ...secrets, chain }
    wipe(secrets.rootSeed, secrets.dhSecret)
  }
}

/** What document n - 1 commits to. */
export function commitmentOf(master: Uint8Array, n: number): Uint8Array {
  const { rootSeed, dhSecret } = deriveSecrets(master, n)
  const commitment = commitmentTo(ed25519PublicKey(rootSeed))
  wipe(rootSeed, dhSecret)
  return commitment
}

export function identityOf({ rootSeed, dhSecret, chain }: DerivedIdentity): Identity {
  return { ...readKnownChain(chain), rootSeed, dhPair: keyPair(dhSecret) }
}

export function wipeIdentity({ rootSeed, dhPair }: Identity): void {
  wipe(rootSeed, dhPair.secret)
}
