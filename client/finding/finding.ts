/** Finding others, and being found: one object for the program, from trackers, finder and publisher. */
import type { Card } from '#client/chat/card.ts'
import type { Chat } from '#client/chat/chat.ts'
import type { ContactId } from '#client/chat/events.ts'
import type { Clockwork } from '#client/clockwork.ts'
import type { Store } from '#client/store/store.ts'
import { hex, utf8 } from '#protocol/bytes.ts'
import { TrackerLimits } from '#protocol/tracker/limits.ts'
import { Finder, type Found, type Presence } from './finder.ts'
import { Publisher, type Wish } from './publisher.ts'
import { trackerId } from './tracker-id.ts'
import { type GatewayWay, Trackers } from './trackers.ts'

/** Milliseconds between two looks at whether our record must be written anew. */
const LOOK_MS = 3_600_000

const WISH = utf8('wish')
const wishes: readonly Wish[] = ['hidden', 'online', 'offline']

export class Finding {
  private readonly chat: Chat
  private readonly store: Store
  private readonly clockwork: Clockwork
  private readonly finder: Finder
  private readonly publisher: Publisher
  private cancel: (() => void) | undefined

  /** @param store opened with `FINDING_TABLES` */
  constructor(
    chat: Chat,
    ways: readonly GatewayWay[],
    store: Store,
    clockwork: Clockwork,
    workBits: number = TrackerLimits.workBits,
  ) {
    this.chat = chat
    this.store = store
    this.clockwork = clockwork
    const trackers = new Trackers(ways, store, clockwork)
    this.finder = new Finder(trackers, ways, clockwork)
    this.publisher = new Publisher({ chat, trackers, ways, store, clockwork, workBits })
  }

  /** What others need to find us. */
  get id(): string {
    return trackerId(this.chat.root)
  }

  /** What the person wishes. Nobody is found before they said so. */
  get wished(): Wish {
    return wishes[this.store.get('finding', WISH)?.[0] ?? 0] ?? 'hidden'
  }

  /**
   * What the person wishes from now on.
   * @returns how many trackers know of it now; the others hear of it later
   * @throws SottoError E_TRACKER_*; the wish is kept
   */
  async wish(wish: Wish): Promise<number> {
    this.store.transaction(() => this.store.put('finding', WISH, Uint8Array.of(wishes.indexOf(wish))))
    return await this.publisher.publish(this.said)
  }

  /** What our record says: of somebody invisible never that they are there. */
  private get said(): Wish {
    const isGone = this.wished === 'online' && this.chat.presence.showing === 'invisible'
    return isGone ? 'offline' : this.wished
  }

  /** Who may see us has changed. @throws SottoError E_TRACKER_* */
  async refresh(): Promise<void> {
    if (this.wished !== 'hidden') await this.publisher.publish(this.said)
  }

  /** The newest records of these, by root key in hexadecimal. @throws SottoError E_TRACKER_* */
  newest(roots: readonly Uint8Array[]): Promise<Map<string, Found>> {
    return this.finder.newest(roots)
  }

  /** @throws SottoError E_PERSON_*, E_TRACKER_* */
  find(root: Uint8Array): Promise<Found> {
    return this.finder.find(root)
  }

  /** @throws SottoError E_NO_GATEWAY, E_PERSON_UNKNOWN, E_CARD_*, E_TUNNEL_* */
  card(root: Uint8Array, found: Found): Promise<Card> {
    return this.finder.card(root, found)
  }

  /** What trackers say of those who are accepted. @throws SottoError E_TRACKER_* */
  async presences(): Promise<Map<ContactId, Presence>> {
    const friends = this.chat.friends()
    if (friends.length === 0) return new Map()
    const found = await this.finder.presences(friends.map(({ root }) => root))
    return new Map(friends.map(({ id, root }) => [id, found.get(hex(root)) ?? 'none']))
  }

  /** A gateway is reached: our record is looked after, from now on every hour. */
  connected(): void {
    this.cancel?.()
    // What cannot be published now is tried again with the next look.
    void this.refresh().catch(() => {})
    this.cancel = this.clockwork.after(LOOK_MS, () => this.connected())
  }

  close(): void {
    this.cancel?.()
    this.cancel = undefined
  }
}
