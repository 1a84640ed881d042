/** Ourselves: identity, name, prekeys, and the card made from them. */
import { concat, fastEqual, type Millis, type Random, u32, utf8, wipe } from '#protocol/bytes.ts'
import { sha256 } from '#protocol/crypto/hash.ts'
import { encodeAddresses } from './address.ts'
import { isName, signCard } from './card.ts'
import { deriveSecrets, type Identity, identityOf, MASTER_LENGTH } from './identity.ts'
import type { After } from './journal.ts'
import type { Profile } from './model.ts'
import { ANYBODY, type OwnQueues } from './own-queues.ts'
import { offerOf, rotatePrekeys } from './prekeys.ts'
import { dayOf, type Records } from './records.ts'

/**
 * Makes a new identity and stores it. Inside a transaction. What is kept: the two secrets derived from the master secret;
 * and the master secret itself, in a row of its own, which only a backup needs and which is removed once one is made.
 */
export function createProfile(records: Records, name: string, now: Millis, random: Random): void {
  const master = random(MASTER_LENGTH)
  records.putMaster(master)
  restoreProfile(records, name, master, now, random)
  wipe(master)
}

/** The identity of a master secret, which is not kept: it came out of a backup. Inside a transaction. */
export function restoreProfile(records: Records, name: string, master: Uint8Array, now: Millis, random: Random): void {
  const { rootSeed, dhSecret } = deriveSecrets(master)
  const none = new Uint8Array(0)
  records.putProfile({ name, rootSeed, dhSecret, card: none, cardBasis: none, seenSince: dayOf(now) })
  records.putPrekeys(rotatePrekeys([], now, random))
}

export class Self {
  readonly identity: Identity
  private readonly records: Records
  private readonly queues: OwnQueues
  private readonly random: Random

  constructor(records: Records, profile: Profile, queues: OwnQueues, random: Random) {
    this.records = records
    this.queues = queues
    this.random = random
    this.identity = identityOf(profile)
  }

  get name(): string {
    return this.records.profile()!.name
  }

  /** Inside a transaction. @throws RangeError for what `isName` refuses */
  rename(name: string): void {
    if (!isName(name)) throw new RangeError('not a name')
    this.records.putProfile({ ...this.records.profile()!, name })
  }

  /** Inside a transaction. */
  rotatePrekeys(now: Millis): void {
    const before = this.records.prekeys()
    const prekeys = rotatePrekeys(before, now, this.random)
    if (prekeys !== before) this.records.putPrekeys(prekeys)
  }

  /**
   * The card as it is to be now: the same octets until name, prekey or addresses change. Inside a transaction.
   * @throws SottoError E_CHAT_NO_GATEWAY
   */
  card(now: Millis, after: After): Uint8Array {
    this.rotatePrekeys(now)
    const profile = this.records.profile()!
    const prekey = offerOf(this.records.prekeys().at(-1)!)
    const addresses = this.queues.ensure(ANYBODY, now, after)
    const basis = sha256(utf8(`${profile.name}\0`), u32(prekey.id), encodeAddresses(addresses)).slice(0, 16)
    if (fastEqual(basis, profile.cardBasis)) return profile.card
    const card = signCard(this.identity, { name: profile.name, issued: now, prekey, addresses })
    this.records.putProfile({ ...profile, card, cardBasis: basis })
    return card
  }
}

/** Short hash by which a card or a hello is told from another. */
export function shortHash(...parts: readonly Uint8Array[]): Uint8Array {
  return sha256(concat(...parts)).slice(0, 16)
}
