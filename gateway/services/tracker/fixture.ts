/** For tests: a tracker on a real store, with a clock that stands until it is moved, and people who use it. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { ed25519PublicKey } from '#protocol/crypto/ed25519.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import type { Contents } from '#protocol/tracker/contents.ts'
import { encodeContents, readContents } from '#protocol/tracker/contents.ts'
import { epochOf, type Place, placeKey, placeSigner } from '#protocol/tracker/epoch.ts'
import { TrackerLimits } from '#protocol/tracker/limits.ts'
import { type Guard, lockContents } from '#protocol/tracker/lock.ts'
import type { Proof, TrackerAnswer, TrackerRequest } from '#protocol/tracker/operations.ts'
import { readFound, replacesText } from '#protocol/tracker/operations.ts'
import { sealQuery } from '#protocol/tracker/query.ts'
import { type Question, signQuestion } from '#protocol/tracker/question.ts'
import type { Author, RecordHead } from '#protocol/tracker/record.ts'
import { openRecord, recordKey, signRecord } from '#protocol/tracker/record.ts'
import { seekWork } from '#protocol/tracker/work.ts'
import { RecordStore, type RecordStoreOptions } from './record-store.ts'
import { Tracker } from './tracker.ts'

export const HOUR = 3_600_000
export const DAY = 86_400_000
/** Enough to be refused without, and found at once. */
const WORK_BITS = 6

export const someContents: Contents = {
  bundle: new Uint8Array(32).fill(1),
  document: new Uint8Array(32).fill(2),
  profile: new Uint8Array(16).fill(3),
  queues: [{ gateway: 'gateway.example:443', sid: new Uint8Array(24).fill(5), sauth: new Uint8Array(32).fill(6) }],
  endpoints: [{ host: '192.0.2.7', port: 443, key: new Uint8Array(32).fill(7) }],
}

export class Person {
  readonly seed: Uint8Array
  readonly root: Uint8Array

  constructor(seed: Uint8Array = randomBytes(32)) {
    this.seed = seed
    this.root = ed25519PublicKey(seed)
  }

  author(place: Place): Author {
    return { root: this.root, place, signer: placeSigner(this.seed, place) }
  }
}

type Head = Partial<Pick<RecordHead, 'state' | 'seq' | 'leaseEnd'>> & { readonly epoch?: number }

export class Fixture {
  now = 1_800_000_000_000
  readonly faults: unknown[] = []
  readonly folder: string
  readonly secret: Uint8Array = randomBytes(32)
  limits: Partial<TrackerLimits> = { workBits: WORK_BITS }
  store!: RecordStore
  tracker!: Tracker

  private constructor(folder: string) {
    this.folder = folder
  }

  static async create(t: ExecutionContext, limits: Partial<TrackerLimits> = {}): Promise<Fixture> {
    const fixture = new Fixture(mkdtempSync(join(tmpdir(), 'sotto-tracker-')))
    fixture.limits = { ...fixture.limits, ...limits }
    await fixture.open()
    t.teardown(async () => {
      await fixture.store.close()
      rmSync(fixture.folder, { recursive: true, force: true })
    })
    return fixture
  }

  get file(): string {
    return join(this.folder, 'records.mdb')
  }

  async open(options: Partial<RecordStoreOptions> = {}): Promise<void> {
    const { limits, secret, file } = this
    this.store = await RecordStore.open({ file, limits, ...options })
    const onFault = (fault: unknown): void => void this.faults.push(fault)
    this.tracker = new Tracker({ secret, store: this.store, now: () => this.now, limits, onFault })
  }

  async restart(options: Partial<RecordStoreOptions> = {}): Promise<void> {
    await this.store.close()
    await this.open(options)
  }

  place(root: Uint8Array, epoch: number = epochOf(root, this.now)): Place {
    return { tracker: this.tracker.publicKey, epoch }
  }

  /** As over the wire. */
  async ask(request: TrackerRequest, network = '192.0.2'): Promise<TrackerAnswer> {
    const query = sealQuery(this.tracker.publicKey, request, randomBytes(32))!
    const answer = await this.tracker.answer(query.box, network)
    return query.open(answer!)!
  }

  /** The word a request is refused with; `done` otherwise. */
  async outcome(request: TrackerRequest, network?: string): Promise<string> {
    const answer = await this.ask(request, network)
    return answer.kind === 'done' ? 'done' : answer.why
  }

  record(person: Person, head: Head = {}, contents: Contents = someContents): Uint8Array {
    const place = this.place(person.root, head.epoch)
    const { state = 'online', seq = 1, leaseEnd = this.now + DAY } = head
    return signRecord(person.author(place), { state, seq, leaseEnd }, encodeContents(contents), randomBytes)
  }

  /** As `record`, with contents behind the lock of a question. */
  guarded(person: Person, guard: Guard, contents: Contents): Uint8Array {
    const locked = lockContents(guard.contactKey, contents, randomBytes)
    const head = { state: 'online', seq: 1, leaseEnd: this.now + DAY } as const
    return signRecord(person.author(this.place(person.root)), head, locked, randomBytes)
  }

  question(person: Person, question: Question, seq = 1): Uint8Array {
    return signQuestion(person.author(this.place(person.root)), seq, question, randomBytes)
  }

  work(record: Uint8Array): Proof {
    const key = recordKey(record.slice(14, 46))
    const nonce = seekWork(this.tracker.publicKey, key, 0, 1_000_000, this.limits.workBits ?? TrackerLimits.workBits)!
    return { kind: 'work', nonce }
  }

  replaces(person: Person, epoch: number, record: Uint8Array): Proof {
    const { publicKey, sign } = person.author(this.place(person.root, epoch)).signer
    return { kind: 'replaces', key: publicKey, signature: sign(replacesText(record)) }
  }

  async publish(record: Uint8Array, proof: Proof = this.work(record)): Promise<string> {
    return await this.outcome({ kind: 'publish', record, proof })
  }

  keyOf(root: Uint8Array, epoch?: number): Uint8Array {
    return recordKey(placeKey(root, this.place(root, epoch))!)
  }

  /** What somebody who knows the root key finds. */
  async find(root: Uint8Array, epoch?: number): Promise<{ head: RecordHead; contents: Contents } | undefined> {
    const place = this.place(root, epoch)
    const key = placeKey(root, place)!
    const answer = await this.ask({ kind: 'lookup', wanted: [{ key: recordKey(key), seq: 0 }] })
    const [found] = answer.kind === 'done' ? readFound(answer.body, 1)! : []
    if (!(found instanceof Uint8Array)) return undefined
    const opened = openRecord(found, { root, place, key })
    return opened && { head: opened.head, contents: readContents(opened.contents)! }
  }
}
