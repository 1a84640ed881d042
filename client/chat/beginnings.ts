/**
 * Begins a session with a contact: with keys fetched from the contact's shelf, where the card says that there is one, and
 * with those of the card otherwise. A shelf that answers wrongly, or not at all, is never a reason to take less: the
 * message waits, and the person is told.
 */
import { latin1, type Millis, type Random } from '#protocol/bytes.ts'
import { SottoError } from '#protocol/errors.ts'
import { reachedBy } from './address.ts'
import { type Bundle, type BundleFault, openBundle, type RawBundle } from './bundle.ts'
import { type Card, hasShelf, keptCard, requireFresh, requireWay } from './card.ts'
import type { Emit } from './events.ts'
import { adopt } from './identities.ts'
import type { Journal } from './journal.ts'
import type { Contact } from './model.ts'
import { otherVersion } from './other-version.ts'
import type { MailboxPort } from './ports.ts'
import type { Records } from './records.ts'
import type { Sessions } from './sessions.ts'

export interface BeginningParts {
  readonly records: Records
  readonly journal: Journal
  readonly mailbox: MailboxPort
  readonly sessions: () => Sessions
  readonly random: Random
  readonly now: () => Millis
  readonly emit: Emit
}

const REQUEST_LENGTH = 16

export class Beginnings {
  private readonly parts: BeginningParts
  /** By contact: one at a time. */
  private readonly underWay = new Map<string, Promise<void>>()
  /** Questions without an answer that counts: asked again, they take no second key. */
  private readonly requests = new Map<string, Uint8Array>()

  constructor(parts: BeginningParts) {
    this.parts = parts
  }

  /**
   * Resolves once there is a session to seal in. `probing`: a new one in any case, since the others seem to be lost at the
   * other side. Rejects with what the mailbox says.
   * @throws SottoError E_PREKEYS_NONE, E_PREKEYS_FALSE, E_PREKEYS_STALE, E_CARD_EXPIRED, E_CARD_FORMAT, E_CHAT_VERSION
   */
  async begin(uid: Uint8Array, probing = false): Promise<void> {
    const key = latin1(uid)
    const work = this.underWay.get(key) ?? this.run(uid, probing).finally(() => this.underWay.delete(key))
    this.underWay.set(key, work)
    await work
  }

  private async run(uid: Uint8Array, probing: boolean): Promise<void> {
    const { records, journal, now } = this.parts
    const contact = records.contact(uid)
    if (contact === undefined) return
    const card = keptCard(contact.card)
    if (card === undefined) throw new SottoError('E_CARD_EXPIRED', 'The card of this contact has not arrived yet.')
    requireWay(card)
    const bundle = hasShelf(card) ? await this.fetch(contact, card) : undefined
    requireFresh(card, now())
    journal.commit((after) => {
      const known = records.contact(uid)
      if (known === undefined || (!probing && this.parts.sessions().inUse(known) !== undefined)) return
      const current = bundle === undefined ? known : adopt(records, known, bundle.from, this.parts.emit, after)
      // What was the newest when it was fetched may have been overtaken meanwhile.
      if (current === undefined) throw fault('stale', card.name)
      const offer = bundle?.offer ?? { prekey: card.prekey, bundle: undefined }
      const { contact: begun, session } = this.parts.sessions().start({ ...current, begin: '' }, offer, now())
      const resealBelow = current.begin === 'all' ? session.stamp : current.resealBelow
      const seen = bundle === undefined ? {} : { shelf: bundle.seen }
      records.putContact({ ...begun, ...seen, resealBelow, ...(probing ? { probing: session.stamp } : {}) })
    })
  }

  /** From all of the card's addresses at once, since a gateway may be out of reach; the first sound answer counts. */
  private async fetch({ uid, chain, shelf: seen, byHand }: Contact, card: Card): Promise<Bundle> {
    const { mailbox, random, now } = this.parts
    const key = latin1(uid)
    const request = this.requests.get(key) ?? random(REQUEST_LENGTH)
    this.requests.set(key, request)
    const answers = reachedBy(byHand, card.addresses).map(async ({ gateway, sid, sauth }) => {
      const raw: RawBundle = await mailbox.bundle({ gateway, sid, sauth, request }).catch((error: unknown) => {
        throw isEmptyShelf(error) ? withheld(card.name, error) : error
      })
      this.requests.delete(key)
      const bundle = openBundle(raw, { uid, chain, cardPrekeyId: card.prekey.id, seen }, now())
      if (typeof bundle === 'string') throw fault(bundle, card.name)
      if ('starts' in bundle) throw otherVersion(card.name, bundle.starts, kept)
      return bundle
    })
    return await Promise.any(answers).catch(({ errors }: AggregateError) => {
      // What a gateway did wrong matters more than that another one could not be reached.
      throw (
        errors.find((error) => error instanceof SottoError && /^E_(PREKEYS|CHAT_VERSION)/.test(error.code)) ?? errors[0]
      )
    })
  }
}

function isEmptyShelf(error: unknown): boolean {
  const reason = error instanceof Error && 'reason' in error ? error.reason : undefined
  return reason === 'none' || reason === 'unknown-method'
}

const kept = 'The message is kept here, and goes out as soon as sound keys come.'

function withheld(name: string, cause: unknown): SottoError {
  const what = `The gateway of ${name} hands out no keys to begin with, though their card says that it has some.`
  return new SottoError('E_PREKEYS_NONE', what, { kept, cause })
}

function fault(kind: BundleFault, name: string): SottoError {
  return kind === 'stale'
    ? new SottoError('E_PREKEYS_STALE', `The gateway of ${name} hands out keys that are old or were used before.`, {
        kept,
      })
    : new SottoError('E_PREKEYS_FALSE', `The gateway of ${name} hands out keys that ${name} has not signed.`, { kept })
}
