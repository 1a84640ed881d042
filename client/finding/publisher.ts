/**
 * Keeps our record at the two trackers that we use, and the question beside it where there is one: written when something in
 * it changes, in a new week, and before its lease ends, never just to say that we are still there. What is sent is remembered
 * before it is sent: no seq is used twice.
 */
import type { Chat } from '#client/chat/chat.ts'
import type { CardQueue, Findable } from '#client/chat/findable.ts'
import type { Clockwork } from '#client/clockwork.ts'
import type { Store } from '#client/store/store.ts'
import { concat, empty, fastEqual, fromUtf8, hex, type Millis, utf8 } from '#protocol/bytes.ts'
import { sha256 } from '#protocol/crypto/hash.ts'
import { SottoError } from '#protocol/errors.ts'
import { decodeMessage, encodeMessage } from '#protocol/services/codec.ts'
import { sealCard } from '#protocol/tracker/card-box.ts'
import { ranked, TRACKERS_USED } from '#protocol/tracker/choice.ts'
import { type Contents, ELSEWHERE, encodeContents, fitting } from '#protocol/tracker/contents.ts'
import { epochOf, type Place } from '#protocol/tracker/epoch.ts'
import { type Guard, LOCKED_LENGTH, lockContents } from '#protocol/tracker/lock.ts'
import { type Proof, replacesText, type TrackerAnswer } from '#protocol/tracker/operations.ts'
import { LOCK_LENGTH, signQuestion } from '#protocol/tracker/question.ts'
import { CONTENTS_LENGTH, LEASE_MS, recordKey, signRecord } from '#protocol/tracker/record.ts'
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

/** What we know of the question beside it. */
type Posed = Pick<Written, 'epoch' | 'seq' | 'said'>

/** What our record is to say. */
interface Saying {
  readonly wish: Wish
  readonly contents: Contents
  /** Of the question that guards it. */
  readonly guard: Guard | undefined
}

/** Numbers of trackers: of those we use, that have our record as it is to be; of those and of earlier ones, that could not be told. */
export interface Published {
  readonly told: number
  readonly missed: number
}

const SALT_LENGTH = 16
/** Said at a tracker that we do not use any more. */
const LEFT = utf8('left')
/** Said instead of a lock where there is no question any more. */
const NO_QUESTION = utf8('none')

export class Publisher {
  private readonly chat: Chat
  private readonly trackers: Trackers
  private readonly ways: readonly GatewayWay[]
  private readonly store: Store
  private readonly clockwork: Clockwork
  private readonly workBits: number
  private running: Promise<Published> | undefined

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
   * Brings card, records and questions up to date; one run at a time.
   * @param wish what the record says
   * @param guard only who answers this question is to be told where we are reached
   * @throws SottoError E_TRACKER_NONE, E_TRACKER_UNREACHABLE, E_TRACKER_BUSY where no tracker has it
   */
  async publish(wish: Wish, guard: Guard | undefined): Promise<Published> {
    while (this.running !== undefined) await this.running.catch(() => {})
    this.running = this.publishNow(wish, guard)
    try {
      return await this.running
    } finally {
      this.running = undefined
    }
  }

  private async publishNow(wish: Wish, guard: Guard | undefined): Promise<Published> {
    const findable = await this.chat.findable()
    const isHidden = wish === 'hidden'
    const queues = isHidden ? [] : await this.layCards(findable)
    // Of somebody hidden there is nothing to guard.
    const told = isHidden ? undefined : guard
    const saying = { wish, contents: contentsOf(findable, queues, told !== undefined), guard: told }
    const known = ranked(findable.root, await this.trackers.known())
    const used = known.slice(0, TRACKERS_USED)
    const results = await Promise.allSettled(used.map((tracker) => this.writeTo(tracker, findable, saying)))
    const failed = results.filter((result) => result.status === 'rejected')
    // Until those that we use now can all tell, the old ones do. What somebody hidden is to be silent about is taken back in any case.
    const isLeaving = isHidden || failed.length === 0
    const unleft = isLeaving ? await this.leave(known.slice(TRACKERS_USED), findable) : 0
    if (failed.length === results.length) throw failed[0]!.reason
    return { told: results.length - failed.length, missed: failed.length + unleft }
  }

  /** What stands at trackers that others came before says nothing any more. Returns how many could not be told. */
  private async leave(trackers: readonly Uint8Array[], findable: Findable): Promise<number> {
    const stale = trackers.filter((tracker) => !fastEqual(this.written(tracker)?.said ?? LEFT, LEFT))
    const results = await Promise.allSettled(stale.map((tracker) => this.leaveOne(tracker, findable)))
    return results.filter((result) => result.status === 'rejected').length
  }

  private async leaveOne(tracker: Uint8Array, findable: Findable): Promise<void> {
    await this.writeTo(tracker, findable, { wish: 'hidden', contents: ELSEWHERE, guard: undefined })
    this.note(tracker, { ...this.written(tracker)!, said: LEFT })
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

  private async writeTo(tracker: Uint8Array, findable: Findable, saying: Saying): Promise<void> {
    const now = this.clockwork.now()
    await this.writeRecord(tracker, findable, saying, now)
    if (await this.pose(tracker, findable, saying.guard, now)) return
    // The record that it is to stand beside is gone: a tracker that lost everything.
    this.forget(tracker)
    await this.writeRecord(tracker, findable, saying, now)
    if (!(await this.pose(tracker, findable, saying.guard, now))) throw refusedBy(lost)
  }

  private async writeRecord(tracker: Uint8Array, findable: Findable, saying: Saying, now: Millis): Promise<void> {
    const { wish, guard } = saying
    const before = this.written(tracker)
    if (before === undefined && wish === 'hidden') return
    const place = { tracker, epoch: epochOf(findable.root, now) }
    const said = hashOf(saying)
    const isThere = before !== undefined && before.epoch === place.epoch && fastEqual(before.said, said)
    if (isThere && (wish !== 'online' || before.leaseEnd - now > RENEW_MS)) return
    // Seconds since 1970 rise above whatever another device, or this one before a backup, has used.
    const seq = Math.max(Math.floor(now / 1000), (before?.seq ?? 0) + 1)
    const leaseEnd = now + LEASE_MS
    const signer = findable.signer(place)
    const author = { root: findable.root, place, signer }
    const state = wish === 'online' ? 'online' : 'offline'
    const { random } = this.clockwork
    const contents = guard ? lockContents(guard.contactKey, saying.contents, random) : encodeContents(saying.contents)
    const record = signRecord(author, { state, seq, leaseEnd }, contents, random)
    const proof = this.proofOf(record, place, findable, before)
    this.note(tracker, {
      epoch: before?.epoch ?? place.epoch,
      seq,
      leaseEnd: before?.leaseEnd ?? 0,
      said: empty,
    })
    let answer = await this.trackers.ask(tracker, { kind: 'publish', record, proof })
    // Nothing stands there that would have to be taken back.
    if (isRefused(answer, 'work') && wish === 'hidden') return this.note(tracker, { ...before!, seq, said })
    if (isRefused(answer, 'work')) {
      const nonce = await this.work(tracker, recordKey(signer.publicKey))
      answer = await this.trackers.ask(tracker, { kind: 'publish', record, proof: { kind: 'work', nonce } })
      // Where the record was not, nothing was beside it.
      this.notePosed(tracker, undefined)
    }
    if (answer.kind === 'refused') throw refusedBy(answer)
    this.note(tracker, { epoch: place.epoch, seq, leaseEnd, said })
  }

  /** The question beside our record as it is to be; false where there is no record that it could stand beside. */
  private async pose(
    tracker: Uint8Array,
    { root, signer }: Findable,
    guard: Guard | undefined,
    now: Millis,
  ): Promise<boolean> {
    const place = { tracker, epoch: epochOf(root, now) }
    const before = this.posed(tracker)
    // What stood beside the record of an earlier week has gone with it.
    const isThere = before?.epoch === place.epoch
    const said = guard?.lock ?? NO_QUESTION
    if (isThere ? fastEqual(before.said, said) : guard === undefined) return true
    const { random } = this.clockwork
    const question = guard ?? { text: '', salt: random(SALT_LENGTH), lock: random(LOCK_LENGTH) }
    const seq = Math.max(Math.floor(now / 1000), (before?.seq ?? 0) + 1)
    const author = { root, place, signer: signer(place) }
    this.notePosed(tracker, { epoch: place.epoch, seq, said: empty })
    const signed = signQuestion(author, seq, question, random)
    const answer = await this.trackers.ask(tracker, { kind: 'pose', question: signed })
    if (isRefused(answer, 'unknown')) return guard === undefined
    if (answer.kind === 'refused') throw refusedBy(answer)
    this.notePosed(tracker, { epoch: place.epoch, seq, said })
    return true
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

  /** It may be gone there. No seq is used again. */
  private forget(tracker: Uint8Array): void {
    const before = this.written(tracker)
    if (before !== undefined) this.note(tracker, { ...before, said: empty })
  }

  private posed(tracker: Uint8Array): Posed | undefined {
    const bytes = this.store.get('finding', posedKey(tracker))
    return bytes === undefined ? undefined : (decodeMessage(bytes) as Posed)
  }

  private notePosed(tracker: Uint8Array, posed: Posed | undefined): void {
    const name = posedKey(tracker)
    this.store.transaction(() => {
      if (posed === undefined) this.store.delete('finding', name)
      else this.store.put('finding', name, encodeMessage(posed))
    })
  }

  private note(tracker: Uint8Array, { epoch, seq, leaseEnd, said }: Written): void {
    const value = encodeMessage({ epoch, seq, leaseEnd, said })
    this.store.transaction(() => this.store.put('finding', writtenKey(tracker), value))
  }
}

const writtenKey = (tracker: Uint8Array): Uint8Array => concat(utf8('written\0'), tracker)
const posedKey = (tracker: Uint8Array): Uint8Array => concat(utf8('posed\0'), tracker)

/** The same for what says the same, though it is sealed anew each time. */
function hashOf({ wish, contents, guard }: Saying): Uint8Array {
  const plain = encodeContents(contents)
  return guard === undefined ? sha256(utf8(`${wish}\0`), plain) : sha256(utf8(`${wish} guarded\0`), guard.lock, plain)
}

function contentsOf({ card, document, profile }: Findable, queues: readonly CardQueue[], isLocked: boolean): Contents {
  const contents: Contents = {
    ...{ bundle: sha256(card.bytes), document, profile },
    queues: queues.map(({ gateway, sid, sauth }) => ({ gateway: fromUtf8(gateway) ?? hex(gateway), sid, sauth })),
    endpoints: [],
  }
  return fitting(contents, isLocked ? LOCKED_LENGTH : CONTENTS_LENGTH)
}

const lost = { kind: 'refused', why: 'unknown', seconds: 0 } as const

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
