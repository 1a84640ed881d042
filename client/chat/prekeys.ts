/** Our signed prekeys: a new one each week, the old ones kept a while for first messages that are under way. */
import type { Millis, Random } from '#protocol/bytes.ts'
import type { SignedPrekey } from './card.ts'
import { keyPair } from './keys.ts'
import { ChatLimits } from './limits.ts'
import { STARTS } from './start.ts'

export interface Prekey {
  readonly id: number
  readonly secret: Uint8Array
  readonly publicKey: Uint8Array
  readonly created: Millis
}

/** The list as it is to be now, the newest last; the same list where nothing changes. Never empty. */
export function rotatePrekeys(prekeys: readonly Prekey[], now: Millis, random: Random): readonly Prekey[] {
  const kept = prekeys.filter(({ created }) => created + ChatLimits.prekeyMs + ChatLimits.prekeyKeptMs > now)
  const newest = prekeys.at(-1)
  const due = newest === undefined || kept.length === 0 || newest.created + ChatLimits.prekeyMs <= now
  if (!due) return kept.length === prekeys.length ? prekeys : kept
  return [...kept, { id: (newest?.id ?? 0) + 1, ...keyPair(random(32)), created: now }]
}

/** What the card says of a prekey. */
export function offerOf({ id, publicKey, created }: Prekey): SignedPrekey {
  return { id, key: publicKey, expires: created + ChatLimits.prekeyValidMs, starts: STARTS }
}
