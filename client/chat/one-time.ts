/**
 * Our one-time keys for one shelf. A key is stored before it is published and removed in the transaction that stores the
 * session it began. Numbers ascend over all shelves and are never used again.
 */
import type { Millis, Random } from '#protocol/bytes.ts'
import { KEM_SEED_LENGTH, mlkem1024 } from '#protocol/crypto/mlkem.ts'
import { type OneTimeKind, oneTimeKinds, signOneTime } from './bundle.ts'
import type { Identity } from './identity.ts'
import { type KeyPair, keyPair } from './keys.ts'
import { ChatLimits } from './limits.ts'
import type { ShelfStock } from './ports.ts'
import type { NamedKey } from './start.ts'

export interface OneTimeKey {
  readonly id: number
  /** X25519 secret, or seed of ML-KEM-1024. */
  readonly secret: Uint8Array
  /** The gateway has it, or has given it away. */
  readonly published: boolean
  /** When we saw that it was given away; 0 before. */
  readonly given: Millis
}

export type OneTimeKeys = Readonly<Record<OneTimeKind, readonly OneTimeKey[]>>

export const NO_KEYS: OneTimeKeys = { dh: [], kem: [] }

/** How many of each kind lie on a full shelf. New ones are made when a quarter is left. */
export type ShelfSize = Readonly<Record<OneTimeKind, number>>

export const SHELF_SIZE: ShelfSize = { dh: ChatLimits.oneTime, kem: ChatLimits.oneTimeKem }

const kept = { dh: ChatLimits.oneTimeKept, kem: ChatLimits.oneTimeKemKept } as const
const secretLength = { dh: 32, kem: KEM_SEED_LENGTH } as const

/** A number that no key of ours ever had. */
type Number = () => number

/** The keys as they are to be, given what is left on the shelf: given ones grow old, and there are enough new ones. */
export function tended(
  keys: OneTimeKeys,
  stock: Pick<ShelfStock, OneTimeKind>,
  size: ShelfSize,
  around: { readonly number: Number; readonly now: Millis; readonly random: Random },
): OneTimeKeys {
  const { number, now, random } = around
  const one = (kind: OneTimeKind): readonly OneTimeKey[] => {
    const { count, low } = stock[kind]
    const noted = keys[kind]
      .map((key) => (key.published && key.given === 0 && key.id < low ? { ...key, given: now } : key))
      .filter(({ given }) => given === 0 || given + ChatLimits.prekeyKeptMs > now)
    const waiting = noted.filter(({ published }) => !published).length
    const isEnough = count + waiting >= size[kind] / 4
    const missing = isEnough ? 0 : Math.min(size[kind] - count - waiting, kept[kind] - noted.length)
    const make = (): Pick<OneTimeKey, 'id' | 'secret'> => ({ id: number(), secret: random(secretLength[kind]) })
    const made = Array.from({ length: Math.max(0, missing) }, make)
    return [...noted, ...made.map((key) => ({ ...key, published: false, given: 0 }))]
  }
  return { dh: one('dh'), kem: one('kem') }
}

/** True where both are the same keys in the same state. */
export function sameKeys(a: OneTimeKeys, b: OneTimeKeys): boolean {
  return oneTimeKinds.every((kind) => {
    const same = (key: OneTimeKey, i: number): boolean => key.id === b[kind][i]!.id && key.given === b[kind][i]!.given
    return a[kind].length === b[kind].length && a[kind].every(same)
  })
}

/** What is to be published, signed. */
export function unpublished(identity: Identity, kind: OneTimeKind, keys: OneTimeKeys): NamedKey[] {
  const waiting = keys[kind].filter(({ published }) => !published)
  const named = waiting.map(({ id, secret }) => ({ id, key: publicKey(kind, secret) }))
  return signOneTime(identity, kind, named)
}

function publicKey(kind: OneTimeKind, secret: Uint8Array): Uint8Array {
  return kind === 'dh' ? keyPair(secret).publicKey : mlkem1024.keygen(secret).publicKey
}

/** After the gateway has taken what `sent` had unpublished. */
export function asPublished(keys: OneTimeKeys, sent: OneTimeKeys): OneTimeKeys {
  const one = (kind: OneTimeKind): readonly OneTimeKey[] => {
    const ids = new Set(sent[kind].map(({ id }) => id))
    return keys[kind].map((key) => (ids.has(key.id) && !key.published ? { ...key, published: true } : key))
  }
  return { dh: one('dh'), kem: one('kem') }
}

export function findKey(keys: OneTimeKeys, kind: OneTimeKind, id: number): OneTimeKey | undefined {
  return keys[kind].find((key) => key.id === id)
}

export function withoutKeys(keys: OneTimeKeys, used: Readonly<Record<OneTimeKind, number>>): OneTimeKeys {
  const one = (kind: OneTimeKind): readonly OneTimeKey[] => keys[kind].filter(({ id }) => id !== used[kind])
  return { dh: one('dh'), kem: one('kem') }
}

export const pairOf = ({ secret }: OneTimeKey): KeyPair => keyPair(secret)
