/**
 * The tracker: sealed queries in, sealed answers out. It knows networks that queries come from, which are gateways', and
 * records that it cannot read. It keeps no list of anybody, and writes nothing down but records. Spec section 16.
 */
import type { Millis } from '#protocol/bytes.ts'
import { fastEqual, latin1 } from '#protocol/bytes.ts'
import { ed25519Verify } from '#protocol/crypto/ed25519.ts'
import { x25519PublicKey } from '#protocol/crypto/x25519.ts'
import { isSottoError } from '#protocol/errors.ts'
import { CLOCK_MS, mayBeNow } from '#protocol/tracker/epoch.ts'
import { TrackerLimits } from '#protocol/tracker/limits.ts'
import type { Found, Proof, Refusal, TrackerAnswer, TrackerRequest, Wanted } from '#protocol/tracker/operations.ts'
import { encodeAnswer, encodeFound, encodeShown, readRequest, replacesText } from '#protocol/tracker/operations.ts'
import { openQuery } from '#protocol/tracker/query.ts'
import { isSignedQuestion, readQuestionHead } from '#protocol/tracker/question.ts'
import { isSigned, LEASE_MS, type RecordHead, readHead, recordKey } from '#protocol/tracker/record.ts'
import { isWork } from '#protocol/tracker/work.ts'
import { Buckets } from './buckets.ts'
import type { RecordStore } from './record-store.ts'

export interface TrackerOptions {
  /** X25519; queries are sealed to its public key, which is the tracker's name. */
  readonly secret: Uint8Array
  readonly store: RecordStore
  readonly now: () => Millis
  readonly limits?: Partial<TrackerLimits>
  /** Told about every failure of the store; who asked hears `unavailable`. */
  readonly onFault: (error: unknown) => void
}

/** Records looked at by one call of `sweep`: ten million take eleven hours, at one call a second. */
const SWEEP_SLICE = 256
const HOUR_SECONDS = 3_600

const done = (body: Uint8Array): TrackerAnswer => ({ kind: 'done', body })
const nothing: TrackerAnswer = done(new Uint8Array(0))
const refused = (why: Refusal, seconds = 0): TrackerAnswer => ({ kind: 'refused', why, seconds })

export class Tracker {
  readonly publicKey: Uint8Array
  readonly limits: TrackerLimits
  private readonly options: TrackerOptions
  private readonly store: RecordStore
  private readonly lookups: Buckets
  private readonly writes: Buckets
  private readonly questions: Buckets

  constructor(options: TrackerOptions) {
    this.options = options
    this.store = options.store
    this.publicKey = x25519PublicKey(options.secret)
    const limits = { ...TrackerLimits, ...options.limits }
    this.limits = limits
    this.lookups = new Buckets(limits.lookups, limits.lookupBurst, limits.networks)
    this.writes = new Buckets(limits.writes, limits.writeBurst, limits.networks)
    // Half of them at once and half of them over the hour: never more than all of them within any hour.
    const half = limits.questionsPerHour / 2
    this.questions = new Buckets(half / HOUR_SECONDS, half, limits.questionCounts)
  }

  /**
   * Answers a sealed query from a network; undefined where it is not sealed to this tracker.
   * Never throws: what the store cannot do is `unavailable`.
   */
  async answer(box: Uint8Array, network: string): Promise<Uint8Array | undefined> {
    const query = openQuery(this.options.secret, this.publicKey, box)
    if (query === undefined) return undefined
    const request = readRequest(query.request)
    return query.seal(encodeAnswer(request === undefined ? refused('invalid') : await this.serve(request, network)))
  }

  /** Removes a few records whose time is over. Call it about once a second. */
  async sweep(): Promise<number> {
    return await this.store.sweep(this.options.now(), SWEEP_SLICE)
  }

  private async serve(request: TrackerRequest, network: string): Promise<TrackerAnswer> {
    try {
      switch (request.kind) {
        case 'lookup':
          return this.lookup(request.wanted, network)
        case 'question':
          return this.question(request.key, network)
        case 'publish':
          return await this.publish(request.record, request.proof, network)
        case 'pose':
          return await this.pose(request.question, network)
      }
    } catch (error) {
      this.options.onFault(error)
      return refused(isSottoError(error, 'E_DISK_FULL') ? 'full' : 'unavailable')
    }
  }

  private lookup(wanted: readonly Wanted[], network: string): TrackerAnswer {
    const wait = this.lookups.take(network, wanted.length, this.options.now())
    if (wait > 0) return refused('busy', wait)
    return done(encodeFound(wanted.map((one) => this.find(one))))
  }

  private find({ key, seq }: Wanted): Found {
    const record = this.store.record(key)
    if (record === undefined) return 'none'
    return seq !== 0 && readHead(record)!.seq === seq ? 'known' : record
  }

  private question(key: Uint8Array, network: string): TrackerAnswer {
    const now = this.options.now()
    const load = this.lookups.take(network, 1, now)
    if (load > 0) return refused('busy', load)
    const question = this.store.question(key)
    if (question === undefined) return refused('unknown')
    const wait = this.questions.take(`${network} ${latin1(key)}`, 1, now)
    return wait > 0 ? refused('busy', wait) : done(encodeShown(question))
  }

  private async publish(record: Uint8Array, proof: Proof, network: string): Promise<TrackerAnswer> {
    const now = this.options.now()
    const wait = this.writes.take(network, 1, now)
    if (wait > 0) return refused('busy', wait)
    const head = readHead(record)
    if (head === undefined || !isSigned(record)) return refused('invalid')
    if (!isTimely(head, now)) return refused('late')
    const key = recordKey(head.key)
    // What costs much is done before the change, which holds up all others.
    const proven = this.isProven(key, record, proof)
    return await this.store.change(() => this.put(key, head, record, proof, proven))
  }

  /** Inside a change. */
  private put(key: Uint8Array, head: RecordHead, record: Uint8Array, proof: Proof, proven: boolean): TrackerAnswer {
    const before = this.store.record(key)
    if (before !== undefined) {
      if (fastEqual(before, record)) return nothing
      if (readHead(before)!.seq >= head.seq) return refused('stale')
    } else {
      const replaced = proof.kind === 'replaces' ? recordKey(proof.key) : undefined
      const makesRoom = replaced !== undefined && this.store.record(replaced) !== undefined
      if (!proven || (replaced !== undefined && !makesRoom)) return refused('work')
      if (!makesRoom && !this.store.hasRoom()) return refused('full')
      if (replaced !== undefined) this.store.remove(replaced)
    }
    this.store.putRecord(key, record)
    return nothing
  }

  private isProven(key: Uint8Array, record: Uint8Array, proof: Proof): boolean {
    if (proof.kind === 'work') return isWork(this.publicKey, key, proof.nonce, this.limits.workBits)
    return proof.kind === 'replaces' && ed25519Verify(proof.key, proof.signature, replacesText(record))
  }

  private async pose(question: Uint8Array, network: string): Promise<TrackerAnswer> {
    const wait = this.writes.take(network, 1, this.options.now())
    if (wait > 0) return refused('busy', wait)
    const head = readQuestionHead(question)
    if (head === undefined || !isSignedQuestion(question)) return refused('invalid')
    const key = recordKey(head.key)
    return await this.store.change(() => {
      // It stands beside a record and goes with it, so it needs no work and no lease of its own.
      if (this.store.record(key) === undefined) return refused('unknown')
      const before = this.store.question(key)
      if (before !== undefined && fastEqual(before, question)) return nothing
      if (before !== undefined && readQuestionHead(before)!.seq >= head.seq) return refused('stale')
      if (before === undefined && !this.store.hasRoom()) return refused('full')
      this.store.putQuestion(key, question)
      return nothing
    })
  }
}

function isTimely({ epoch, leaseEnd }: RecordHead, now: Millis): boolean {
  return mayBeNow(epoch, now) && leaseEnd > now && leaseEnd <= now + LEASE_MS + CLOCK_MS
}
