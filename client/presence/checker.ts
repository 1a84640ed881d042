/**
 * Finds out who is there, by the table of protocol/presence/decision.ts: the friend is asked, then what other friends passed on is
 * looked at, then trackers are asked, for all that are left at once.
 */
import type { Chat } from '#client/chat/chat.ts'
import type { ContactId, PresenceView } from '#client/chat/events.ts'
import type { Clockwork } from '#client/clockwork.ts'
import type { Found } from '#client/finding/finder.ts'
import type { Finding } from '#client/finding/finding.ts'
import { fastEqual, hex, type Millis, type Random, readU32 } from '#protocol/bytes.ts'
import { sha256 } from '#protocol/crypto/hash.ts'
import { type Evidence, nextStep, type TrackerWord } from '#protocol/presence/decision.ts'
import { PresenceLimits } from '#protocol/presence/limits.ts'

export interface CheckerParts {
  readonly chat: Chat
  readonly finding: Pick<Finding, 'newest' | 'card'>
  readonly clockwork: Clockwork
}

/** What trackers have of some people; undefined where none of them answers. */
type Words = ReadonlyMap<ContactId, Found> | undefined

export class PresenceChecker {
  private readonly chat: Chat
  private readonly finding: CheckerParts['finding']
  private readonly clockwork: Clockwork
  /** One run for each person. */
  private readonly running = new Map<ContactId, Promise<PresenceView>>()
  private closed = false

  constructor({ chat, finding, clockwork }: CheckerParts) {
    this.chat = chat
    this.finding = finding
    this.clockwork = clockwork
  }

  /** One person, asked now. @throws SottoError E_CHAT_CONTACT */
  async check(id: ContactId): Promise<PresenceView> {
    const running = this.running.get(id) ?? this.run(id).finally(() => this.running.delete(id))
    this.running.set(id, running)
    return await running
  }

  /** The chat is to be closed: what is under way ends without it. */
  close(): void {
    this.closed = true
  }

  private async run(id: ContactId): Promise<PresenceView> {
    const began = this.clockwork.now()
    const evidence = this.withGossip(id, { answer: await this.chat.presence.probe(id) })
    return await this.conclude(id, evidence, () => this.ask([id]), began)
  }

  /** As `check`, unless they have said themselves within `PresenceLimits.lifeMs` how it is. */
  async glance(id: ContactId): Promise<PresenceView> {
    const known = this.chat.presence.of(id)
    return known?.by === 'themselves' ? known : await this.check(id)
  }

  /** These people, one after another, so that no burst shows it; trackers are asked once for all. */
  async checkAll(ids: readonly ContactId[]): Promise<ReadonlyMap<ContactId, PresenceView>> {
    const began = this.clockwork.now()
    let afterMs = 0
    const asked = ids.map(async (id) => {
      const answer = this.chat.presence.probe(id, { afterMs })
      if (this.chat.presence.isSeenBy(id)) afterMs += between(PresenceLimits.spacingMs, this.clockwork.random)
      return [id, this.withGossip(id, { answer: await answer })] as const
    })
    const evidence = await Promise.all(asked)
    const left = evidence.filter(([, each]) => nextStep(each).kind === 'tracker').map(([id]) => id)
    const words = left.length === 0 || this.closed ? undefined : await this.ask(left)
    const concluded = evidence.map(
      async ([id, each]) => [id, await this.conclude(id, each, () => Promise.resolve(words), began)] as const,
    )
    return new Map(await Promise.all(concluded))
  }

  private withGossip(id: ContactId, { answer = 'none' }: Evidence): Evidence {
    const heard = this.closed ? undefined : this.chat.presence.of(id)
    const isGossip = heard?.by === 'friends' && heard.state !== 'unknown'
    return { answer, gossip: isGossip ? heard.state : 'none' }
  }

  /** Goes through the rest of the table. They may be no contact any more, and the chat be closed, after each step. */
  private async conclude(
    id: ContactId,
    evidence: Evidence,
    ask: () => Promise<Words>,
    began: Millis,
  ): Promise<PresenceView> {
    const step = nextStep(evidence)
    const at = this.clockwork.now()
    if (step.kind === 'known') return this.note(id, { state: step.state, by: step.by, at }, began)
    const words = this.closed ? undefined : await ask()
    if (this.closed) return { state: 'unknown', by: 'tracker', at }
    const tracker = this.wordOf(id, words)
    const again = typeof tracker === 'object' && tracker.changed ? await this.askAgain(id, words!.get(id)!) : {}
    return await this.conclude(id, { ...evidence, tracker, ...again }, ask, began)
  }

  private note(id: ContactId, view: PresenceView, began: Millis): PresenceView {
    if (this.closed) return view
    // Their own word, and that of friends, was noted when it came; what they said while trackers were asked counts more than these.
    const known = this.chat.presence.of(id)
    if (known?.by === view.by && known.state === view.state) return known
    if (known?.by === 'themselves' && known.at >= began) return known
    this.chat.presence.note(id, view)
    return view
  }

  private async ask(ids: readonly ContactId[]): Promise<Words> {
    const friends = this.chat.friends().filter((friend) => ids.includes(friend.id))
    const found = await this.finding.newest(friends.map(({ root }) => root)).catch(() => undefined)
    if (found === undefined) return undefined
    return new Map(
      friends.flatMap(({ id, root }) => {
        const own = found.get(hex(root))
        return own === undefined ? [] : [[id, own] as const]
      }),
    )
  }

  private wordOf(id: ContactId, words: Words): TrackerWord {
    if (words === undefined) return 'unreachable'
    const found = words.get(id)
    if (found === undefined) return 'none'
    const { head, contents } = found
    const card = this.chat.friends().find((friend) => friend.id === id)?.card
    const isKnown = card !== undefined && fastEqual(contents.bundle, sha256(card))
    // Somebody hidden names no address.
    const changed = contents.queues.length > 0 && !isKnown
    return { changed, state: head.leaseEnd > this.clockwork.now() ? head.state : 'stale' }
  }

  /** At the addresses of the card that the tracker speaks of. */
  private async askAgain(id: ContactId, found: Found): Promise<Pick<Evidence, 'again'>> {
    const friend = this.chat.friends().find((each) => each.id === id)
    if (friend === undefined || !this.chat.presence.isSeenBy(id)) return { again: 'none' }
    try {
      const card = await this.finding.card(friend.root, found)
      // Who was removed or blocked meanwhile would be a contact again by it.
      if (this.closed || !this.chat.presence.isSeenBy(id)) return { again: 'none' }
      this.chat.addContact(card)
    } catch {
      // What cannot be fetched, or is not theirs, leads nowhere.
      return { again: 'none' }
    }
    return { again: await this.chat.presence.probe(id, { byCard: true }) }
  }
}

function between([from, to]: readonly [number, number], random: Random): number {
  return from + Math.floor((readU32(random(4)) / 2 ** 32) * (to - from))
}
