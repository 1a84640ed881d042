/** Keys between us and each friend, in memory: made when they are first needed, and found by the marks of what comes. */
import { fastEqual, hex, latin1, type Millis, wipe } from '#protocol/bytes.ts'
import { x25519Agree } from '#protocol/crypto/x25519.ts'
import { type PresenceKeys, presenceKeys } from '#protocol/presence/keys.ts'
import { PresenceLimits } from '#protocol/presence/limits.ts'
import { type NoteKey, noteKey, slotOf } from '#protocol/presence/note.ts'
import type { Identity } from '../identity.ts'
import type { Contact } from '../model.ts'
import { dayOf } from '../records.ts'

/** Whose note it is, and what opens it. */
export interface NoteFrom {
  readonly author: Uint8Array
  readonly key: NoteKey
}

export class FriendKeys {
  private readonly identity: Identity
  private readonly friends: () => readonly Contact[]
  private readonly shared = new Map<string, { readonly dh: Uint8Array; readonly secret: Uint8Array }>()
  private marks = { at: Number.NEGATIVE_INFINITY, day: -1, uids: new Map<string, Uint8Array>() }
  private notes = { slot: -1, from: new Map<string, NoteFrom>() }

  /** @param friends those who are accepted */
  constructor(identity: Identity, friends: () => readonly Contact[]) {
    this.identity = identity
    this.friends = friends
  }

  /** For what we say to them. undefined where their key makes no secret. */
  to(friend: Contact, now: Millis): PresenceKeys | undefined {
    const shared = this.sharedWith(friend)
    return shared && presenceKeys(shared, dayOf(now), this.identity.uid, friend.uid)
  }

  /** For what they may have said to us: by the day of their clock, ours first. */
  from(friend: Contact, now: Millis): PresenceKeys[] {
    const shared = this.sharedWith(friend)
    if (shared === undefined) return []
    return daysAround(now).map((day) => presenceKeys(shared, day, friend.uid, this.identity.uid))
  }

  /** Who says something under this mark; undefined for nobody we know, and for somebody new within the last minute. */
  whose(mark: Uint8Array, now: Millis): Uint8Array | undefined {
    const known = this.marks.uids.get(latin1(mark))
    if (known !== undefined && this.marks.day === dayOf(now)) return known
    if (Math.abs(now - this.marks.at) < PresenceLimits.searchMs) return undefined
    const uids = this.friends().flatMap((friend) =>
      this.from(friend, now).map((keys) => [latin1(keys.mark), friend.uid] as const),
    )
    this.marks = { at: now, day: dayOf(now), uids: new Map(uids) }
    return this.marks.uids.get(latin1(mark))
  }

  /** Of a note that somebody passed on. */
  ofNote(mark: Uint8Array, now: Millis): NoteFrom | undefined {
    const slot = slotOf(now)
    if (this.notes.slot !== slot) this.notes = { slot, from: this.notesAround(slot) }
    return this.notes.from.get(latin1(mark))
  }

  /** For a note of ours to a friend. */
  noteTo(friend: Contact, now: Millis): NoteKey | undefined {
    const keys = this.to(friend, now)
    return keys && noteKey(keys.gossip, slotOf(now))
  }

  wipe(): void {
    for (const { secret } of this.shared.values()) wipe(secret)
    this.shared.clear()
  }

  private notesAround(slot: number): Map<string, NoteFrom> {
    const { uid } = this.identity
    const entries = this.friends().flatMap((friend) => {
      const shared = this.sharedWith(friend)
      if (shared === undefined) return []
      return [slot - 1, slot, slot + 1].map((each) => {
        const day = dayOf(each * PresenceLimits.lifeMs)
        const key = noteKey(presenceKeys(shared, day, friend.uid, uid).gossip, each)
        return [latin1(key.mark), { author: friend.uid, key }] as const
      })
    })
    return new Map(entries)
  }

  private sharedWith({ uid, dh }: Contact): Uint8Array | undefined {
    const key = hex(uid)
    const known = this.shared.get(key)
    if (known !== undefined && fastEqual(known.dh, dh)) return known.secret
    const secret = x25519Agree(this.identity.dhPair.secret, dh)
    if (secret !== undefined) this.shared.set(key, { dh, secret })
    return secret
  }
}

function daysAround(now: Millis): number[] {
  const day = dayOf(now)
  return [day, day - 1, day + 1].filter((each) => each >= 0)
}
