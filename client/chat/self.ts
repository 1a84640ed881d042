/** Ourselves: identity, name, prekeys, and the card made from them. */
import { concat, empty, fastEqual, type Millis, type Random, u32, utf8, wipe } from '#protocol/bytes.ts'
import { sha256 } from '#protocol/crypto/hash.ts'
import { encodeAddresses } from './address.ts'
import { isName, keptCard, signCard } from './card.ts'
import { extendChain, NO_NEXT } from './documents.ts'
import { commitmentOf, deriveIdentity, type Identity, identityOf, MASTER_LENGTH } from './identity.ts'
import type { After } from './journal.ts'
import { keyPair } from './keys.ts'
import type { Profile } from './model.ts'
import { ANYBODY, type OwnQueues } from './own-queues.ts'
import { offerOf, rotatePrekeys } from './prekeys.ts'
import { dayOf, type Records } from './records.ts'
import { NO_SHELF } from './shelves.ts'
import { Way } from './start.ts'

/**
 * Makes a new identity and stores it. Inside a transaction. What is kept: the two secrets derived from the master secret;
 * and the master secret itself, in a row of its own, which only a backup needs and which is removed once one is made.
 */
export function createProfile(records: Records, name: string, now: Millis, random: Random): void {
  const master = random(MASTER_LENGTH)
  records.putMaster(master)
  restoreProfile(records, { name, master, updates: 0 }, now, random)
  wipe(master)
}

/** The identity of a master secret after so many key updates; the secret is not kept: it came out of a backup. Inside a transaction. */
export function restoreProfile(
  records: Records,
  { name, master, updates }: { readonly name: string; readonly master: Uint8Array; readonly updates: number },
  now: Millis,
  random: Random,
): void {
  const none = new Uint8Array(0)
  records.putProfile({ name, ...deriveIdentity(master, updates), card: none, cardBasis: none, seenSince: dayOf(now) })
  records.putPrekeys(rotatePrekeys([], now, random))
}

/** Of a profile from before there were documents. Without the master secret, no other document can follow. */
function firstChain(records: Records, { rootSeed, dhSecret }: Profile): Uint8Array {
  const master = records.master()
  const next = master === undefined ? NO_NEXT : commitmentOf(master, 1)
  return extendChain(empty, { rootSeed, dh: keyPair(dhSecret).publicKey, next })
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
    this.identity = identityOf({ ...profile, chain: profile.chain ?? firstChain(records, profile) })
  }

  get name(): string {
    return this.records.profile()!.name
  }

  /** Whether contacts may know what we have seen, where nothing else was said of one. */
  get readReceipts(): boolean {
    return this.records.profile()!.readReceipts ?? true
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
    const queues = this.queues.ensure(ANYBODY, now, after)
    const way = queues.some(({ shelf = NO_SHELF }) => shelf !== NO_SHELF) ? Way.bundle : Way.card
    const prekey = offerOf(this.records.prekeys().at(-1)!, way)
    const made = concat(u32(prekey.id), prekey.starts, this.identity.chain, encodeAddresses(queues))
    const { name, avatar } = profile
    const basis = sha256(utf8(`${name}\0`), avatar ?? empty, made).slice(0, 16)
    if (fastEqual(basis, profile.cardBasis)) return profile.card
    // A clock that was ahead once must not make contacts take every later card for an older one.
    const issued = Math.max(now, (keptCard(profile.card)?.issued ?? 0) + 1)
    const card = signCard(this.identity, { name, issued, prekey, addresses: queues, ...(avatar && { avatar }) })
    this.records.putProfile({ ...profile, card, cardBasis: basis })
    return card
  }
}

/** Short hash by which a card or a hello is told from another. */
export function shortHash(...parts: readonly Uint8Array[]): Uint8Array {
  return sha256(concat(...parts)).slice(0, 16)
}
