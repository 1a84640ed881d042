/** The secret from which a member's rhythm is drawn: kept, so that it stays the same from start to start. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { RHYTHM_SEED_LENGTH } from '#engine/rhythm.ts'
import type { Random } from '#protocol/bytes.ts'
import { utf8 } from '#protocol/bytes.ts'
import { sha256 } from '#protocol/crypto/hash.ts'

/** That of the state folder; drawn where there is none, and used without being kept where it cannot be written. */
export function keptSeed(folder: string, random: Random): Uint8Array {
  const file = join(folder, 'rhythm.seed')
  try {
    const kept = new Uint8Array(readFileSync(file))
    if (kept.length === RHYTHM_SEED_LENGTH) return kept
  } catch {
    // There is none yet.
  }
  const seed = random(RHYTHM_SEED_LENGTH)
  try {
    writeFileSync(file, seed, { mode: 0o600 })
  } catch {
    // Another rhythm after the next start does no harm that would be worth not starting now.
  }
  return seed
}

/** Different with every gateway, so that two of them cannot find a member by timing. */
export function seedFor(seed: Uint8Array, endpoint: string): Uint8Array {
  return sha256(seed, utf8(endpoint)).slice(0, RHYTHM_SEED_LENGTH)
}
