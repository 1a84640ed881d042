/** Our signed prekeys: a new one each week, the old ones kept a while for first messages that are under way. */
import type { Millis, Random } from '#protocol/bytes.ts'
import { KEM_SEED_LENGTH, mlkem1024 } from '#protocol/crypto/mlkem.ts'
import type { Head } from './bundle.ts'
import type { SignedPrekey } from './card.ts'
import { keyPair } from './keys.ts'
import { ChatLimits } from './limits.ts'
import { startsOf, Way } from './start.ts'

export interface Prekey {
  readonly id: number
  readonly secret: Uint8Array
  readonly publicKey: Uint8Array
  /** Seed of the last-resort key of ML-KEM-1024 that goes with it; missing in those made before there were any. */
  readonly kem?: Uint8Array
  readonly created: Millis
}

/** The list as it is to be now, the newest last; the same list where nothing changes. Never empty. */
export function rotatePrekeys(prekeys: readonly Prekey[], now: Millis, random: Random): readonly Prekey[] {
  const kept = prekeys.filter(({ created }) => created + ChatLimits.prekeyMs + ChatLimits.prekeyKeptMs > now)
  const newest = prekeys.at(-1)
  const isOld = newest === undefined || newest.created + ChatLimits.prekeyMs <= now
  if (!isOld && kept.length > 0 && newest.kem !== undefined) return kept.length === prekeys.length ? prekeys : kept
  return [...kept, nextPrekey(newest, now, random)]
}

/** One after `newest`, whose number is never used again. */
export function nextPrekey(newest: Prekey | undefined, now: Millis, random: Random): Prekey {
  return { id: (newest?.id ?? 0) + 1, ...keyPair(random(32)), kem: random(KEM_SEED_LENGTH), created: now }
}

/** What the card says of a prekey. */
export function offerOf({ id, publicKey, created }: Prekey, way: Way): SignedPrekey {
  return { id, key: publicKey, expires: created + ChatLimits.prekeyValidMs, starts: startsOf(way) }
}

/** What the head of our bundle says of it. */
export function headOf({ id, publicKey, kem, created }: Prekey): Head {
  const expires = created + ChatLimits.prekeyValidMs
  const { publicKey: lastResort } = mlkem1024.keygen(kem!)
  return { made: created, expires, starts: startsOf(Way.bundle), prekey: { id, key: publicKey }, kem: lastResort }
}
