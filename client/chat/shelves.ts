/**
 * Keeps the shelves beside the queues on our card filled: a head with the newest prekey, and enough one-time keys. Keys are
 * stored before they are published; what a gateway has taken is noted after it has said so, and published again otherwise,
 * which brings nothing back that was given away.
 */
import { fastEqual, latin1, type Millis, type Random } from '#protocol/bytes.ts'
import { sha256 } from '#protocol/crypto/hash.ts'
import { oneTimeKinds, signHead } from './bundle.ts'
import { numberOf } from './documents.ts'
import type { Journal } from './journal.ts'
import type { OwnQueue } from './model.ts'
import { asPublished, NO_KEYS, type OneTimeKeys, type ShelfSize, sameKeys, tended, unpublished } from './one-time.ts'
import type { OwnQueues } from './own-queues.ts'
import type { MailboxPort, Shelf, ShelfStock } from './ports.ts'
import { headOf } from './prekeys.ts'
import type { Records } from './records.ts'
import type { Self } from './self.ts'

export interface ShelfParts {
  readonly records: Records
  readonly journal: Journal
  readonly mailbox: MailboxPort
  readonly queues: OwnQueues
  readonly self: Self
  readonly size: ShelfSize
  readonly random: Random
  readonly now: () => Millis
}

/** Keys published at once: 5 kB beside the head. */
const PIECE: ShelfSize = { dh: 15, kem: 2 }

/** The gateway has no shelves. */
export const NO_SHELF = -1

export class Shelves {
  private readonly parts: ShelfParts
  /** By rid: one at a time. */
  private readonly underWay = new Map<string, Promise<void>>()
  private readonly opening = new Map<string, Promise<void>>()

  constructor(parts: ShelfParts) {
    this.parts = parts
  }

  /**
   * Each shelf for itself, so that a gateway out of reach holds up no other. Returns what failed; it is due again later.
   * `which`: `new` for those that were never filled, which somebody may be waiting for.
   */
  async keep(which: 'all' | 'new'): Promise<unknown[]> {
    const queues = this.parts.queues.onCard()
    const works = queues.filter((queue) => which === 'all' || !this.wasFilled(queue)).map((each) => this.keepOne(each))
    const results = await Promise.allSettled(works)
    return results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []))
  }

  /**
   * Resolves once each shelf on our card that can be reached now has a head: whoever has the card may reach only one of them.
   * Never rejects.
   */
  async first(): Promise<void> {
    await Promise.allSettled(this.parts.queues.onCard().map((queue) => this.open(queue)))
  }

  /** In the name of whom we are now; how much is left, only the gateway knows. */
  private wasFilled({ rid, shelf }: OwnQueue): boolean {
    if (shelf === NO_SHELF) return true
    const keys = this.parts.records.oneTimeKeys(rid)
    const isPublished = oneTimeKinds.every((kind) => keys[kind].every(({ published }) => published))
    return shelf === numberOf(this.parts.self.identity.chain) && keys.dh.length > 0 && isPublished
  }

  private keepOne(queue: OwnQueue): Promise<void> {
    const work = this.underWay.get(latin1(queue.rid))
    const fill = (): Promise<void> => once(this.underWay, queue, () => this.fill(queue))
    // What is under way may fail for what has been mended since, as a queue that the gateway had lost.
    return work === undefined ? fill() : work.catch(fill)
  }

  /** A new shelf gets its head first, 2 kB: a card is not to wait for 50 kB of one-time keys on a slow way. */
  private async open(queue: OwnQueue): Promise<void> {
    if (queue.shelf === undefined) await once(this.opening, queue, () => this.publishHead(queue))
  }

  /** Not asked first what lies there: a card waits for this, and a round trip more is seconds on a slow way. */
  private async publishHead(queue: OwnQueue): Promise<void> {
    const head = { head: this.head(), dh: [], kem: [], clear: false }
    const published = await unlessUnknown(this.parts.mailbox.publish(queue, head).then(() => true))
    this.note(queue, published ? numberOf(this.parts.self.identity.chain) : NO_SHELF)
  }

  private head(): Uint8Array {
    const { records, self } = this.parts
    return signHead(self.identity, headOf(records.prekeys().at(-1)!))
  }

  private async fill(named: OwnQueue): Promise<void> {
    const { mailbox, queues } = this.parts
    await this.open(named)
    const queue = queues.byRid(named.rid)
    if (queue === undefined) return
    const stock = await unlessUnknown(mailbox.stock(queue))
    if (stock === undefined) return this.note(queue, NO_SHELF)
    const key = numberOf(this.parts.self.identity.chain)
    const { shelf, keys } = this.prepare(queue, stock, key)
    const isSame = fastEqual(stock.head, sha256(shelf.head)) && !shelf.clear
    if (!isSame || shelf.dh.length + shelf.kem.length > 0) {
      for (const piece of piecesOf(shelf)) {
        await mailbox.publish(queue, piece)
        this.note(queue, key, keysIn(piece, keys))
      }
    }
    this.note(queue, key)
  }

  /** What is to be published, stored before anybody sees it. */
  private prepare(queue: OwnQueue, stock: ShelfStock, key: number): { shelf: Shelf; keys: OneTimeKeys } {
    const { records, journal, self, random, now } = this.parts
    // What the person before the key update has signed goes.
    const clear = queue.shelf !== undefined && queue.shelf !== NO_SHELF && queue.shelf !== key
    const left = (pile: ShelfStock['dh']): ShelfStock['dh'] => (clear ? { ...pile, count: 0 } : pile)
    const keys = journal.commit(() => {
      const before = records.oneTimeKeys(queue.rid)
      const profile = records.profile()!
      let next = profile.oneTimeNext ?? 1
      const piles = { dh: left(stock.dh), kem: left(stock.kem) }
      const after = tended(before, piles, this.parts.size, { number: () => next++, now: now(), random })
      if (!sameKeys(before, after)) records.putOneTimeKeys(queue.rid, after)
      if (next !== (profile.oneTimeNext ?? 1)) records.putProfile({ ...profile, oneTimeNext: next })
      return after
    })
    const { identity } = self
    const [dh, kem] = oneTimeKinds.map((kind) => unpublished(identity, kind, keys))
    return { shelf: { head: this.head(), dh: dh!, kem: kem!, clear }, keys }
  }

  private note(queue: OwnQueue, shelf: number, sent: OneTimeKeys = NO_KEYS): void {
    const { records, journal, queues } = this.parts
    const current = queues.byRid(queue.rid)
    if (current === undefined) return
    const before = records.oneTimeKeys(queue.rid)
    const after = asPublished(before, sent)
    const isNoted = oneTimeKinds.every((kind) => before[kind].every((key, i) => key === after[kind][i]))
    if (isNoted && current.shelf === shelf) return
    journal.commit((then) => {
      if (!isNoted) records.putOneTimeKeys(queue.rid, after)
      queues.noteShelf(queue.rid, shelf, then)
    })
  }
}

/** Who asks while it is under way waits for the same. */
function once(works: Map<string, Promise<void>>, { rid }: OwnQueue, begin: () => Promise<void>): Promise<void> {
  const key = latin1(rid)
  const work = works.get(key) ?? begin().finally(() => works.delete(key))
  works.set(key, work)
  return work
}

/** One after the other: on a slow way a message waits behind one of them at the most, and a cut costs one. */
function piecesOf({ head, dh, kem, clear }: Shelf): Shelf[] {
  const count = Math.max(1, Math.ceil(dh.length / PIECE.dh), Math.ceil(kem.length / PIECE.kem))
  return Array.from({ length: count }, (_, i) => ({
    ...{ head, clear: clear && i === 0 },
    dh: dh.slice(i * PIECE.dh, (i + 1) * PIECE.dh),
    kem: kem.slice(i * PIECE.kem, (i + 1) * PIECE.kem),
  }))
}

function keysIn({ dh, kem }: Shelf, keys: OneTimeKeys): OneTimeKeys {
  const [first, second] = [dh, kem].map((named) => new Set(named.map(({ id }) => id)))
  return { dh: keys.dh.filter(({ id }) => first!.has(id)), kem: keys.kem.filter(({ id }) => second!.has(id)) }
}

/** undefined where the gateway has no shelves. */
async function unlessUnknown<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work
  } catch (error) {
    if (reasonOf(error) === 'unknown-method') return undefined
    throw error
  }
}

function reasonOf(error: unknown): unknown {
  return error instanceof Error && 'reason' in error ? error.reason : undefined
}
