/** Notes that friends gave us to pass on, and ours for them to pass on. In memory alone. */
import type { Millis, Random } from '#protocol/bytes.ts'
import { PresenceLimits } from '#protocol/presence/limits.ts'
import { sealNote } from '#protocol/presence/note.ts'
import { NO_FACE } from '#protocol/presence/state.ts'
import type { Contact } from '../model.ts'
import { some } from './draw.ts'
import type { FriendKeys } from './friend-keys.ts'

interface Kept {
  readonly note: Uint8Array
  /** Its author, as a key of maps. */
  readonly author: string
  readonly at: Millis
}

export class Gossip {
  private readonly keys: FriendKeys
  private readonly random: Random
  /** Oldest first. */
  private kept: Kept[] = []

  constructor(keys: FriendKeys, random: Random) {
    this.keys = keys
    this.random = random
  }

  /** An author's own notes, newly said: they replace its earlier ones. */
  keep(author: string, notes: readonly Uint8Array[], at: Millis): void {
    const others = this.fresh(at).filter((each) => each.author !== author)
    this.kept = [...others, ...notes.map((note) => ({ note, author, at }))].slice(-PresenceLimits.keptNotes)
  }

  get count(): number {
    return this.kept.length
  }

  /** Of others, for a friend. */
  passedTo(friend: string, now: Millis): Uint8Array[] {
    const others = this.fresh(now).filter(({ author }) => author !== friend)
    return some(others, PresenceLimits.notesEach, this.random).map(({ note }) => note)
  }

  /** Ours, for some of those who may see us, to be passed on by a friend that is none of them. */
  own(readers: readonly Contact[], now: Millis): Uint8Array[] {
    return some(readers, PresenceLimits.notesEach, this.random).flatMap((reader) => {
      const key = this.keys.noteTo(reader, now)
      const face = reader.announced.length === NO_FACE.length ? reader.announced : NO_FACE
      return key === undefined ? [] : [sealNote(key, { state: 'online', time: now, face }, this.random)]
    })
  }

  private fresh(now: Millis): Kept[] {
    return this.kept.filter(({ at }) => Math.abs(now - at) < PresenceLimits.lifeMs)
  }
}
