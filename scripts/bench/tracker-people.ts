/** The people of the tracker's benchmark: those that only take room, and those that write. */
import { u32, utf8 } from '#protocol/bytes.ts'
import { ed25519PublicKey } from '#protocol/crypto/ed25519.ts'
import { sha256 } from '#protocol/crypto/hash.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import { epochOf, placeSigner } from '#protocol/tracker/epoch.ts'
import type { TrackerRequest, Wanted } from '#protocol/tracker/operations.ts'
import { type Author, CONTENTS_LENGTH, recordKey, signRecord } from '#protocol/tracker/record.ts'
import { WORK_LENGTH } from '#protocol/tracker/work.ts'

/** Where the record of synthetic person `i` stands. */
export function syntheticKey(i: number): Uint8Array {
  return sha256(utf8('synthetic'), u32(i)).slice(0, 16)
}

export interface Writer {
  readonly author: Author
  readonly key: Uint8Array
}

export function newWriter(tracker: Uint8Array): Writer {
  const seed = randomBytes(32)
  const root = ed25519PublicKey(seed)
  const place = { tracker, epoch: epochOf(root, Date.now()) }
  const author = { root, place, signer: placeSigner(seed, place) }
  return { author, key: recordKey(author.signer.publicKey) }
}

/** The benchmark's tracker asks for no work: that is the members' time, not its. */
export function publishing({ author }: Writer, seq: number): TrackerRequest {
  const head = { state: 'online', seq, leaseEnd: Date.now() + 20 * 3_600_000 } as const
  const record = signRecord(author, head, new Uint8Array(CONTENTS_LENGTH), randomBytes)
  return { kind: 'publish', record, proof: { kind: 'work', nonce: new Uint8Array(WORK_LENGTH) } }
}

/** `fresh` of `count` keys bring a record, a fourth of the others are known as they are, and the rest is padding. */
export function lookingUp(count: number, fresh: number, people: number): TrackerRequest {
  const wanted = Array.from({ length: count }, (_, i): Wanted => {
    const isThere = i < fresh || i % 4 === 0
    const key = isThere ? syntheticKey(Math.floor(Math.random() * people)) : randomBytes(16)
    return { key, seq: i < fresh ? 0 : 1 }
  })
  return { kind: 'lookup', wanted }
}
