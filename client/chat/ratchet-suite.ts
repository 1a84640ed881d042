/** What the ratchet leaves open: key derivation, encryption and the form of a message. */
import type { HealingPart } from './healing.ts'

export interface RatchetHeader {
  /** The sender's ratchet key, X25519. */
  readonly key: Uint8Array
  /** Number of the message in its chain, from 0. */
  readonly number: number
  /** Messages in the sender's chain before. */
  readonly previous: number
  /** The turn that began this chain had more mixed into the root than the agreement (healing.ts). */
  readonly mixed: boolean
  readonly part: HealingPart | undefined
}

export interface RatchetSuite {
  /** One turn of the root: after each agreement, with the secret that is mixed in behind it, if there is one. */
  nextRoot(root: Uint8Array, shared: Uint8Array): { readonly root: Uint8Array; readonly chain: Uint8Array }
  /** One step of a chain: for each message. */
  nextMessage(chain: Uint8Array): { readonly message: Uint8Array; readonly chain: Uint8Array }
  /** A whole message. `message` is a key that seals once; `context` is what both sides know of the session. */
  seal(message: Uint8Array, header: RatchetHeader, plaintext: Uint8Array, context: Uint8Array): Uint8Array
  /** undefined where the octets are no message. */
  readHeader(sealed: Uint8Array): RatchetHeader | undefined
  /** undefined where the message is not authentic. */
  open(message: Uint8Array, sealed: Uint8Array, context: Uint8Array): Uint8Array | undefined
}
