/**
 * Pictures between us and contacts. What somebody shows is known by a hash in their card, which comes with each hello; it is
 * asked for when the person looks at the conversation and it is another than the one here, and travels in one message, from the
 * one to the other. Every method is for the inside of a transaction, and returns the contact as it is stored then.
 */
import type { Millis } from '#protocol/bytes.ts'
import { hex } from '#protocol/bytes.ts'
import type { After } from '../journal.ts'
import type { Contact } from '../model.ts'
import type { Records } from '../records.ts'
import type { Sender } from '../sender.ts'
import { type Avatar, readAvatar } from './avatar.ts'
import { decodeAvatarStep } from './avatar-body.ts'
import { type AvatarState, dueTo, isHere, toAsk, withGiven, withOwed, withoutOwed, withTaken } from './avatar-state.ts'

export interface AvatarParts {
  readonly records: Records
  readonly sender: Sender
  /** They are not to see that we are there: nothing is sent because of what they send, nor because we look. */
  readonly isHiddenFrom: (contact: Contact) => boolean
}

export class Avatars {
  private readonly parts: AvatarParts

  constructor(parts: AvatarParts) {
    this.parts = parts
  }

  /** Ours; undefined: we show none. */
  own(): Avatar | undefined {
    const { avatar: hash } = this.parts.records.profile()!
    return hash && asNamed(this.parts.records.ownAvatar(), hash)
  }

  /** Of theirs the newest that is here. What is not what its hash says is nothing. */
  of({ uid, avatar: state }: Contact): Avatar | undefined {
    return state?.kept && asNamed(this.parts.records.avatar(uid), state.kept)
  }

  /**
   * The person looks at the conversation: what the contact shows is asked for where it is not here. `spoken`: something is said
   * to them as well, so that they see anyway that we are there.
   */
  look(contact: Contact, spoken: boolean, now: Millis, after: After): Contact {
    const { records, sender, isHiddenFrom } = this.parts
    const state = contact.avatar ?? {}
    const hash = toAsk(state, now)
    if (hash === undefined || contact.status !== 'accepted' || (!spoken && isHiddenFrom(contact))) return contact
    const asking = { ...contact, avatar: { ...state, asked: { hash, at: now } } }
    const asked = sender.avatar(asking, { step: 'ask', hash }, now, after)
    // Where they cannot be reached now, they were not asked.
    return asked === asking ? contact : records.contact(asked.uid)!
  }

  /** What they say about pictures; stored by who calls. */
  take(contact: Contact, body: Uint8Array, now: Millis): Contact {
    const said = decodeAvatarStep(body)
    if (said === undefined) return contact
    const state = contact.avatar ?? {}
    if (said.step === 'ask') return { ...contact, avatar: withOwed(state, said.hash) }
    const taken = contact.status === 'accepted' ? withTaken(state, said.avatar.hash, now) : undefined
    if (taken === undefined) return contact
    this.parts.records.putAvatar(contact.uid, said.avatar.bytes)
    return { ...contact, avatar: taken }
  }

  /** What a contact has asked for goes to it, unless it waits for more than this. */
  give(contact: Contact, now: Millis, after: After): Contact {
    const { records, sender } = this.parts
    const state = contact.avatar
    if (state?.owed === undefined || contact.status !== 'accepted') return contact
    const own = this.own()
    const due = dueTo(state, own?.hash, now)
    if (due === 'wait') return contact
    if (due === 'drop') return this.store(contact, withoutOwed(state))
    const giving = { ...contact, avatar: withGiven(state, now) }
    const given = sender.avatar(giving, { step: 'give', avatar: own! }, now, after)
    return given === giving ? contact : records.contact(given.uid)!
  }

  private store(contact: Contact, avatar: AvatarState): Contact {
    const next = { ...contact, avatar }
    this.parts.records.putContact(next)
    return next
  }
}

/** What is kept of theirs goes once their card names none. */
export function forgetUnnamed(records: Records, before: Contact, { uid, avatar }: Contact): void {
  if (before.avatar?.kept !== undefined && avatar?.kept === undefined) records.deleteAvatar(uid)
}

/** Of a contact as the views see it. */
export function avatarView({ avatar = {} }: Contact): { readonly avatar?: string; readonly avatarHere?: true } {
  const { named } = avatar
  return { ...(named && { avatar: hex(named) }), ...(isHere(avatar) && { avatarHere: true as const }) }
}

function asNamed(bytes: Uint8Array | undefined, hash: Uint8Array): Avatar | undefined {
  const avatar = bytes && readAvatar(bytes)
  return avatar && hex(avatar.hash) === hex(hash) ? avatar : undefined
}
