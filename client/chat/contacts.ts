/** Contacts: how one begins, and what the views see of it. */
import { fromUtf8, hex, type Millis } from '#protocol/bytes.ts'
import { withNamed } from './avatars/avatar-state.ts'
import { avatarView } from './avatars/avatars.ts'
import type { Card } from './card.ts'
import type { PublicIdentity } from './documents.ts'
import { NO_HASH } from './envelope.ts'
import type { ContactView } from './events.ts'
import type { Contact, ContactStatus } from './model.ts'
import { proofView } from './proof-state.ts'
import { NOTHING_RECEIVED } from './sequence.ts'

const none = new Uint8Array(0)

/** Our series begins at the time it begins, so that it is above an earlier one that we have forgotten. */
export function newContact({ uid, root, dh, chain }: PublicIdentity, status: ContactStatus, now: Millis): Contact {
  return {
    uid,
    root,
    dh,
    chain,
    name: '',
    petname: '',
    status,
    verified: false,
    added: now,
    card: none,
    addresses: [],
    helloCounter: 0,
    sessions: [],
    sent: { next: now, hash: NO_HASH },
    received: NOTHING_RECEIVED,
    shownTime: 0,
    unread: 0,
    read: 0,
    theirRead: 0,
    readReceipts: true,
    owesReceipt: false,
    announced: none,
    repair: { attempts: [], pending: 0, due: false },
    resealBelow: 0,
    probing: 0,
  }
}

/** For `sent`: above everything before it, whether we remember that or not. */
export function newSeries({ sent }: Contact, now: Millis): Contact['sent'] {
  return { next: Math.max(now, sent.next), hash: NO_HASH }
}

/**
 * With a card of theirs, unless a newer one is here. New keys make it newer, whatever its date: who stole those of before can
 * have signed any.
 */
export function withCard(contact: Contact, card: Card, current: Card | undefined): Contact {
  const isSameKeys = current?.chain.length === card.chain.length
  if (isSameKeys && card.issued < current.issued) return contact
  const { avatar = {}, ...rest } = contact
  return { ...rest, name: card.name, card: card.bytes, avatar: withNamed(avatar, card.avatar) }
}

export function contactView(contact: Contact): ContactView {
  const {
    uid,
    name,
    petname,
    status,
    verified,
    unread,
    readReceipts,
    sees,
    added,
    timer = 0,
    changed = false,
  } = contact
  const shown = petname === '' ? name : petname
  const shows = { id: hex(uid), name: shown, ownName: name, status, verified, changed }
  const by = contact.byHand === undefined ? {} : { address: fromUtf8(contact.byHand) ?? '' }
  const [proof, seen] = [proofView(contact.proof), sees === undefined ? {} : { sees }]
  const face = avatarView(contact)
  return { ...shows, unread, readReceipts, ...seen, added, timer, ...(proof && { proof }), ...by, ...face }
}
