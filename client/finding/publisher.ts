/**
 * Keeps our record at the two trackers that we use: written when something in it changes, in a new week, and before its lease
 * ends, never just to say that we are still there. What is sent is remembered before it is sent: no seq is used twice.
 */
import type { Chat } from '#client/chat/chat.ts'
import type { CardQueue, Findable } from '#client/chat/findable.ts'
import type { Clockwork } from '#client/clockwork.ts'
import type { Store } from '#client/store/store.ts'
import { concat, fastEqual, fromUtf8, hex, type Millis, utf8 } from '#protocol/bytes.ts'
import { sha256 } from '#protocol/crypto/hash.ts'
import { SottoError } from '#protocol/errors.ts'
import { decodeMessage, encodeMessage } from '#protocol/services/codec.ts'
import { sealCard } from '#protocol/tracker/card-box.ts'
import { ranked, TRACKERS_USED } from '#protocol/tracker/choice.ts'
import { type Contents, encodeContents, fitting } from '#protocol/tracker/contents.ts'
import { epochOf, type Place } from '#protocol/tracker/epoch.ts'
import { type Proof, replacesText, type TrackerAnswer } from '#protocol/tracker/operations.ts'
import { LEASE_MS, recordKey, signRecord } from '#protocol/tracker/record.ts'
import { seekWork } from '#protocol/tracker/work.ts'
import { busy } from './finder.ts'
import type { GatewayWay, Trackers } from './trackers.ts'

/** Milliseconds of a lease that are left when it is renewed: 6 hours. */
const RENEW_MS = 21_600_000
/** Milliseconds for a gateway to take a card. */
const CARD_MS = 30_000
/** Hashes between two looks at what else there is to do: 5 ms. */
const WORK_SLICE = 2_000

/**
 * online: found, and said to be there; offline: found, and not said to be there; hidden: a record that says offline and
 * nothing more.
 */
export type Wish = 'online' | 'offline' | 'hidden'

/** What we know of our record at one tracker. */
interface Written {
  readonly epoch: number
  /** The highest that was ever sent. */
  readonly seq: number
  /** Milliseconds. */
  readonly leaseEnd: Millis
  /** Hash of what was said; empty where it is not known to have arrived. */
  readonly said: Uint8Array
}

export class Publisher {
  private readonly chat: Chat
  private readonly trackers: Trackers
  private readonly ways: readonly GatewayWay[]
  private readonly store: Store
  private readonly clockwork: Clockwork
  private readonly workBits: number
  private running: Promise<number> | undefined

  constructor(parts: {
    readonly chat: Chat
    readonly trackers: Trackers
    readonly ways: readonly GatewayWay[]
    readonly store: Store
    readonly clockwork: Clockwork
    /** What trackers ask for. */
    readonly workBits: number
  }) {
    this.chat = parts.chat
    this.trackers = parts.trackers
    this.ways = parts.ways
    this.store = parts.store
    this.clockwork = parts.clockwork
    this.workBits = parts.workBits
  }

  /**
   * Brings card and records up to date; one run at a time. Returns how many trackers have our record now.
   * @param wish what the record says
   * @throws SottoError E_TRACKER_NONE, E_TRACKER_UNREACHABLE, E_TRACKER_BUSY where no tracker has it
   */
  async publish(wish: Wish): Promise<number> {
    while (this.running !== undefined) await this.running.catch(() => {})
    this.running = this.publishNow(wish)
    try {
      return await this.running
    } finally {
      this.running = undefined
    }
  }

  private async publishNow(wish: Wish): Promise<number> {
    const findable = await this.chat.findable()
    const queues = wish === 'hidden' ? [] : await this.layCards(findable)
    const contents = contentsOf(findable, queues)
    const trackers = ranked(findable.root, await this.trackers.known()).slice(0, TRACKERS_USED)
    const results = await Promise.allSettled(trackers.map((tracker) => this.writeTo(tracker, findable, contents, wish)))
    const failed = results.filter((result) => result.status === 'rejected')
    if (failed.length === results.length) throw failed[0]!.reason
    return results.length - failed.length
  }

  /** Lays our card beside its queues; returns those where it lies. */
  private async layCards({ root, card, queues }: Findable): Promise<CardQueue[]> {
    const laid = await Promise.allSettled(queues.map((queue) => this.layCard(root, card.bytes, queue)))
    return queues.filter((_, i) => laid[i]!.status === 'fulfilled')
  }

  private async layCard(root: Uint8Array, card: Uint8Array, { gateway, rid, rauth }: CardQueue): Promise<void> {
    const way = this.ways.find((each) => fastEqual(each.gateway, gateway))
    if (way === undefined) throw new SottoError('E_NO_GATEWAY', 'There is no way to this gateway now.')
    const [name, hash] = [concat(utf8('card\0'), rid), sha256(card)]
    const laid = this.store.get('finding', name)
    if (laid !== undefined && fastEqual(laid, hash)) return
    const box = sealCard(root, card, this.clockwork.random)
    await way.call('cards.publish', { rid, rauth, box }, { timeoutMs: CARD_MS })
    this.store.transaction(() => this.store.put('finding', name, hash))
  }

  private async writeTo(tracker: Uint8Array, findable: Findable, contents: Contents, wish: Wish): Promise<void> {
    const now = this.clockwork.now()
    const before = this.written(tracker)
    if (before === undefined && wish === 'hidden') return
    const place = { tracker, epoch: epochOf(findable.root, now) }
    const plain = encodeContents(contents)
    const said = sha256(utf8(`${wish}\0`), plain)
    const isThere = before !== undefined && before.epoch === place.epoch && fastEqual(before.said, said)
    if (isThere && (wish !== 'online' || before.leaseEnd - now > RENEW_MS)) return
    // Seconds since 1970 rise above whatever another device, or this one before a backup, has used.
    const seq = Math.max(Math.floor(now / 1000), (before?.seq ?? 0) + 1)
    const leaseEnd = now + LEASE_MS
    const signer = findable.signer(place)
    const author = { root: findable.root, place, signer }
    const state = wish === 'online' ? 'online' : 'offline'
    const record = signRecord(author, { state, seq, leaseEnd }, plain, this.clockwork.random)
    const proof = this.proofOf(record, place, findable, before)
    this.note(tracker, {
      epoch: before?.epoch ?? place.epoch,
      seq,
      leaseEnd: before?.leaseEnd ?? 0,
      said: new Uint8Array(0),
    })
    let answer = await this.trackers.ask(tracker, { kind: 'publish', record, proof })
    if (isRefused(answer, 'work')) {
      const nonce = await this.work(tracker, recordKey(signer.publicKey))
      answer = await this.trackers.ask(tracker, { kind: 'publish', record, proof: { kind: 'work', nonce } })
    }
    if (answer.kind === 'refused') throw refusedBy(answer)
    this.note(tracker, { epoch: place.epoch, seq, leaseEnd, said })
  }

  /** What makes a new key acceptable without work: none is new, or the one of an earlier week goes. */
  private proofOf(record: Uint8Array, place: Place, { signer }: Findable, before: Written | undefined): Proof {
    if (before === undefined || before.epoch === place.epoch) return { kind: 'none' }
    const { publicKey, sign } = signer({ ...place, epoch: before.epoch })
    return { kind: 'replaces', key: publicKey, signature: sign(replacesText(record)) }
  }

  private async work(tracker: Uint8Array, key: Uint8Array): Promise<Uint8Array> {
    for (let from = 0; ; from += WORK_SLICE) {
      const nonce = seekWork(tracker, key, from, WORK_SLICE, this.workBits)
      if (nonce !== undefined) return nonce
      await new Promise<void>((resolve) => this.clockwork.soon(resolve))
    }
  }

  private written(tracker: Uint8Array): Written | undefined {
    const bytes = this.store.get('finding', writtenKey(tracker))
    return bytes === undefined ? undefined : (decodeMessage(bytes) as Written)
  }

  private note(tracker: Uint8Array, { epoch, seq, leaseEnd, said }: Written): void {
    const value = encodeMessage({ epoch, seq, leaseEnd, said })
    this.store.transaction(() => this.store.put('finding', writtenKey(tracker), value))
  }
}

const writtenKey = (tracker: Uint8Array): Uint8Array => concat(utf8('written\0'), tracker)

function contentsOf({ card, document, profile }: Findable, queues: readonly CardQueue[]): Contents {
  return fitting({
    ...{ bundle: sha256(card.bytes), document, profile },
    queues: queues.map(({ gateway, sid, sauth }) => ({ gateway: fromUtf8(gateway) ?? hex(gateway), sid, sauth })),
    endpoints: [],
  })
}

const isRefused = (answer: TrackerAnswer, why: string): boolean => answer.kind === 'refused' && answer.why === why

function refusedBy({ why, seconds }: Extract<TrackerAnswer, { kind: 'refused' }>): SottoError {
  if (why === 'busy') return busy(seconds)
  const reasons: Partial<Record<typeof why, string>> = {
    full: 'The tracker is full: it takes in nobody new.',
    late: 'The tracker’s clock and ours differ by hours.',
    stale: 'Another device of yours has written a newer record.',
  }
  return new SottoError('E_TRACKER_BUSY', reasons[why] ?? `The tracker does not take our record (${why}).`)
}
