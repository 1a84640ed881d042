/** What others need to find us, and what only we can make: for who publishes it. */

import { concat, empty, utf8 } from '#protocol/bytes.ts'
import type { BlindedSigner } from '#protocol/crypto/blinded.ts'
import { sha256 } from '#protocol/crypto/hash.ts'
import { type Place, placeSigner } from '#protocol/tracker/epoch.ts'
import type { Card } from './card.ts'
import { documentHash } from './documents.ts'
import type { Engine } from './engine.ts'
import { ANYBODY } from './own-queues.ts'
import type { QueueRef } from './ports.ts'

/** A queue on our card, as its owner names it. */
export interface CardQueue extends QueueRef {
  readonly sid: Uint8Array
  readonly sauth: Uint8Array
}

export interface Findable {
  /** Ed25519. */
  readonly root: Uint8Array
  readonly card: Card
  /** SHA-256 of our newest document. */
  readonly document: Uint8Array
  /** First 16 octets of SHA-256 of the name, and, where there is a picture, of a zero and its hash behind it. */
  readonly profile: Uint8Array
  /** Those that gateways have, the preferred first. */
  readonly queues: readonly CardQueue[]
  readonly signer: (place: Place) => BlindedSigner
}

export function findableOf({ self, queues }: Engine, card: Card): Findable {
  const { root, rootSeed } = self.identity
  return {
    root,
    card,
    document: documentHash(self.identity),
    profile: profileHash(card),
    queues: queues.inUse(ANYBODY).filter(({ made }) => made),
    signer: (place) => placeSigner(rootSeed, place),
  }
}

function profileHash({ name, avatar }: Card): Uint8Array {
  const shown = avatar === undefined ? empty : concat(Uint8Array.of(0), avatar)
  return sha256(utf8(name), shown).slice(0, 16)
}
