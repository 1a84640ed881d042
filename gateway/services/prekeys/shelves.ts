/**
 * Shelves on disk: for a queue on somebody's card, a head that everybody gets, and one-time keys that one person each gets.
 * What is taken is gone in the transaction that takes it, and no number is ever published twice.
 */
import type { Store, Table } from '#gateway/store/store.ts'
import { concat, fastEqual, u32, utf8 } from '#protocol/bytes.ts'
import { decodeMessage, encodeMessage } from '#protocol/services/codec.ts'
import { ServiceFailure } from '#protocol/services/service.ts'
import type { Queue } from '../mailbox/queues.ts'
import type { NumberedKey, PublishArguments } from './arguments.ts'
import type { PrekeyLimits } from './limits.ts'

export const SHELF_TABLES: readonly string[] = ['prekey-heads', 'prekey-stocks', 'prekey-keys', 'prekey-owners']

const kinds = ['dh', 'kem'] as const
type Kind = (typeof kinds)[number]

/** One-time keys of one kind: the numbers that are there, ascending, and the highest that ever was. */
interface Pile {
  readonly ids: readonly number[]
  readonly top: number
}

type Piles = Readonly<Record<Kind, Pile>>

interface Shelf {
  readonly rid: Uint8Array
  readonly head: Uint8Array
  readonly owner: Uint8Array
}

/** What is there of one kind: how many, and the lowest number; above all others where there is none. */
export interface PileView {
  readonly count: number
  readonly low: number
}

export interface Taken {
  readonly head: Uint8Array
  /** Empty where there is none left, or none for this caller. */
  readonly dh: Uint8Array
  readonly kem: Uint8Array
}

const none = new Uint8Array(0)
const noPile: Pile = { ids: [], top: 0 }
const keyId = (rid: Uint8Array, kind: Kind, id: number): Uint8Array => concat(rid, utf8(kind), u32(id))

export class Shelves {
  private readonly limits: PrekeyLimits
  private readonly heads: Table
  private readonly stocks: Table
  private readonly keys: Table
  private readonly owners: Table

  constructor(store: Store, limits: PrekeyLimits) {
    this.limits = limits
    this.heads = store.table('prekey-heads')
    this.stocks = store.table('prekey-stocks')
    this.keys = store.table('prekey-keys')
    this.owners = store.table('prekey-owners')
  }

  head(rid: Uint8Array): Uint8Array | undefined {
    return this.shelf(rid)?.head
  }

  piles(rid: Uint8Array): Readonly<Record<Kind, PileView>> {
    const { dh, kem } = this.read(rid)
    return { dh: viewOf(dh), kem: viewOf(kem) }
  }

  /**
   * Inside a transaction. `isLive` says whether a queue is still there: shelves of those that are not make room.
   * @throws ServiceFailure `limit` (too many shelves), `full` (too many one-time keys)
   */
  publish(queue: Queue, wanted: PublishArguments, isLive: (rid: Uint8Array) => boolean): void {
    const { rid, owner } = queue
    if (this.shelf(rid) === undefined) this.enroll(queue, isLive)
    this.heads.put(rid, encodeMessage({ rid, owner, head: wanted.head }))
    const piles = this.read(rid)
    if (wanted.clear) this.dropKeys(rid, piles)
    const kept = wanted.clear ? { dh: { ...piles.dh, ids: [] }, kem: { ...piles.kem, ids: [] } } : piles
    const dh = this.add(rid, 'dh', kept.dh, wanted.dh, this.limits.dhPerShelf)
    const kem = this.add(rid, 'kem', kept.kem, wanted.kem, this.limits.kemPerShelf)
    this.write(rid, { dh, kem })
  }

  /** Numbers up to the highest that ever was are those of a repeated call, or taken long ago: they are left out. */
  private add(rid: Uint8Array, kind: Kind, pile: Pile, keys: readonly NumberedKey[], most: number): Pile {
    const added = keys.filter(({ id }) => id > pile.top)
    if (pile.ids.length + added.length > most) throw new ServiceFailure('full')
    for (const { id, key } of added) this.keys.put(keyId(rid, kind, id), key)
    return { ids: [...pile.ids, ...added.map(({ id }) => id)], top: added.at(-1)?.id ?? pile.top }
  }

  /** True where there is a one-time key to take. */
  hasOneTime(rid: Uint8Array): boolean {
    const { dh, kem } = this.read(rid)
    return dh.ids.length + kem.ids.length > 0
  }

  /**
   * Inside a transaction: the head, and the lowest one-time key of each kind, which is not there any more.
   * @throws ServiceFailure `none`
   */
  take(rid: Uint8Array): Taken {
    const head = this.head(rid)
    if (head === undefined) throw new ServiceFailure('none')
    const piles = this.read(rid)
    const lowest = (kind: Kind): Uint8Array => {
      const [id] = piles[kind].ids
      if (id === undefined) return none
      const key = this.keys.get(keyId(rid, kind, id)) ?? none
      this.keys.remove(keyId(rid, kind, id))
      return key
    }
    const taken = { head, dh: lowest('dh'), kem: lowest('kem') }
    const rest = ({ ids, top }: Pile): Pile => ({ ids: ids.slice(1), top })
    this.write(rid, { dh: rest(piles.dh), kem: rest(piles.kem) })
    return taken
  }

  /** Inside a transaction. False where there was none. */
  remove(rid: Uint8Array): boolean {
    const shelf = this.shelf(rid)
    if (shelf === undefined) return false
    this.dropKeys(rid, this.read(rid))
    this.heads.remove(rid)
    this.stocks.remove(rid)
    this.setShelves(
      shelf.owner,
      this.shelvesOf(shelf.owner).filter((each) => !fastEqual(each, rid)),
    )
    return true
  }

  /** Up to `limit` shelves behind `after`, and where the next slice starts; undefined at the end. */
  slice(after: Uint8Array | undefined, limit: number): { rids: Uint8Array[]; next: Uint8Array | undefined } {
    const entries = this.heads.scan(after, limit)
    const next = entries.length < limit ? undefined : entries.at(-1)?.location
    return { rids: entries.map(({ value }) => (decodeMessage(value) as Shelf).rid), next }
  }

  private enroll({ rid, owner }: Queue, isLive: (rid: Uint8Array) => boolean): void {
    for (const gone of this.shelvesOf(owner).filter((each) => !isLive(each))) this.remove(gone)
    const shelves = this.shelvesOf(owner)
    if (shelves.length >= this.limits.shelvesPerMember) throw new ServiceFailure('limit')
    this.setShelves(owner, [...shelves, rid])
  }

  private shelvesOf(owner: Uint8Array): readonly Uint8Array[] {
    const record = this.owners.get(owner)
    return record === undefined ? [] : (decodeMessage(record) as { rids: Uint8Array[] }).rids
  }

  private setShelves(owner: Uint8Array, rids: readonly Uint8Array[]): void {
    if (rids.length === 0) this.owners.remove(owner)
    else this.owners.put(owner, encodeMessage({ rids }))
  }

  private dropKeys(rid: Uint8Array, piles: Piles): void {
    for (const kind of kinds) for (const id of piles[kind].ids) this.keys.remove(keyId(rid, kind, id))
  }

  private shelf(rid: Uint8Array): Shelf | undefined {
    const record = this.heads.get(rid)
    return record === undefined ? undefined : (decodeMessage(record) as Shelf)
  }

  private read(rid: Uint8Array): Piles {
    const record = this.stocks.get(rid)
    return record === undefined ? { dh: noPile, kem: noPile } : (decodeMessage(record) as Piles)
  }

  private write(rid: Uint8Array, piles: Piles): void {
    this.stocks.put(rid, encodeMessage(piles))
  }
}

function viewOf({ ids, top }: Pile): PileView {
  return { count: ids.length, low: ids[0] ?? top + 1 }
}
