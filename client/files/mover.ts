/** What drives transfers: which are to be carried on now, what becomes of each, and when it is tried again. */
import { Pieces } from '#client/chat/files/pieces.ts'
import { BLOB_ID_LENGTH } from '#protocol/blobs.ts'
import { empty, hex, type Millis } from '#protocol/bytes.ts'
import { type ErrorCode, SottoError } from '#protocol/errors.ts'
import { type CarryParts, carryIn, carryOut } from './carry.ts'
import type { FilesParts } from './files.ts'
import { choosePlace } from './places.ts'
import { type Transfer, type TransferRecords, type TransferView, viewOf } from './transfer.ts'
import { troubleOf } from './trouble.ts'

/** Files that move at once. */
const AT_ONCE = 2
/** Milliseconds until something is tried again, doubled each time up to the second number. */
const RETRY_MS = 2_000
const RETRY_MAX_MS = 900_000
/** Milliseconds after which nothing of a blob can be left at a gateway: 22 days. */
export const LEASE_MS = 1_900_800_000
/** Failures without a piece between them after which another gateway is tried, where the file begins anew. */
const PATIENCE = 3
/** Parts of a file after which views hear of it. */
const STEPS = 20

/** What is known of a transfer while the program runs. */
interface Course {
  arrived: number
  failures: number
  due: Millis
  waits: ErrorCode | undefined
  running: boolean
}

/** Thrown inside a transfer that is not wanted any more. */
class Stopped extends Error {}

export class Mover {
  private readonly parts: FilesParts
  private readonly records: TransferRecords
  private readonly tell: (transfer: Transfer) => void
  private readonly courses = new Map<string, Course>()
  private cancelWake = (): void => {}
  private closed = false

  /** `tell` hears of everything that changes. */
  constructor(parts: FilesParts, records: TransferRecords, tell: (transfer: Transfer) => void) {
    this.parts = parts
    this.records = records
    this.tell = tell
  }

  view(transfer: Transfer): TransferView {
    const { arrived = 0, waits } = this.courses.get(hex(transfer.id)) ?? {}
    return viewOf(transfer, arrived, waits)
  }

  /** What was tried before counts no more. What is under way ends first: the gateway is to forget no less than it then has. */
  forget({ id }: Transfer): void {
    const course = this.courses.get(hex(id))
    if (course?.running) Object.assign(course, { arrived: 0, failures: 0, due: 0, waits: undefined })
    else this.courses.delete(hex(id))
  }

  /** Whatever waits is tried now. */
  hurry(): void {
    for (const course of this.courses.values()) course.due = 0
    this.run()
  }

  close(): void {
    this.closed = true
    this.cancelWake()
  }

  /** What is not at its end yet. */
  toDo(): Transfer[] {
    return this.records
      .all()
      .filter(
        ({ state, way, laid }) =>
          state === 'moving' || state === 'removing' || (state === 'done' && way === 'in' && laid),
      )
  }

  private courseOf({ id }: Transfer): Course {
    const known = this.courses.get(hex(id))
    if (known !== undefined) return known
    const course = { arrived: 0, failures: 0, due: 0, waits: undefined, running: false }
    this.courses.set(hex(id), course)
    return course
  }

  /** Begins what is due, as far as there is room, and asks to be called again. */
  run(): void {
    if (this.closed) return
    const now = this.parts.clockwork.now()
    const todo = this.toDo().map((transfer) => ({ transfer, course: this.courseOf(transfer) }))
    let running = todo.filter(({ course }) => course.running).length
    for (const { transfer, course } of todo) {
      if (course.running || course.due > now || running >= AT_ONCE) continue
      running++
      course.running = true
      void this.work(transfer, course).finally(() => {
        course.running = false
        if (this.records.get(transfer.id) === undefined) this.forget(transfer)
        this.run()
      })
    }
    const next = Math.min(...todo.filter(({ course }) => !course.running).map(({ course }) => course.due))
    this.cancelWake()
    if (Number.isFinite(next) && next > now) this.cancelWake = this.parts.clockwork.after(next - now, () => this.run())
  }

  /** Never rejects. */
  private async work(transfer: Transfer, course: Course): Promise<void> {
    try {
      if (transfer.state === 'moving')
        await (transfer.way === 'out' ? this.out(transfer, course) : this.in(transfer, course))
      else await this.erase(transfer)
      course.failures = 0
    } catch (error) {
      if (error instanceof Stopped || this.closed) return
      this.recover(transfer.id, course, error)
    }
  }

  private recover(id: Uint8Array, course: Course, error: unknown): void {
    const transfer = this.records.get(id)
    if (transfer === undefined) return
    const { remedy, code } = troubleOf(error, transfer.way)
    course.due = this.parts.clockwork.now() + Math.min(RETRY_MAX_MS, RETRY_MS * 2 ** course.failures++)
    course.waits = code
    try {
      if (transfer.state !== 'moving') return
      if (remedy === 'fail') return this.fail(transfer, code ?? 'E_INTERNAL')
      const { place, ...rest } = transfer
      if (remedy === 'anew') this.store({ ...rest, blob: this.parts.clockwork.random(BLOB_ID_LENGTH), laid: false })
      else if (place !== undefined && (remedy === 'elsewhere' || course.failures >= PATIENCE)) this.moveOn(transfer)
      this.tell(transfer)
    } catch {
      // The disk is full: it is tried again as it was.
    }
  }

  /**
   * The next time at another place, if there is one; under another id, so that no two gateways see the same. What was begun
   * here is taken back: it would take the contact's room for days.
   */
  private moveOn(transfer: Transfer): void {
    const place = choosePlace(this.parts, transfer, transfer.place)
    if (place === undefined) return
    const { random } = this.parts.clockwork
    const { picture: _, ...rest } = transfer
    const begun: Transfer = { ...rest, id: random(16), name: '', key: empty, state: 'removing' }
    const next: Transfer = { ...transfer, place, blob: random(BLOB_ID_LENGTH), laid: false }
    this.records.put(begun, next)
    this.tell(next)
  }

  private async out(transfer: Transfer, course: Course): Promise<void> {
    const place = transfer.place ?? choosePlace(this.parts, transfer, undefined)
    if (place === undefined) throw new SottoError('E_CARD_EXPIRED', 'Their fresh card has not arrived yet.')
    const settled: Transfer = { ...transfer, place, laid: true }
    if (!transfer.laid) this.store(settled)
    await carryOut(settled, place, this.carrying(settled, course))
    this.stillWanted(settled)
    this.announce(settled)
  }

  /** The message, and the note that it is sent, are one change of the store. */
  private announce(transfer: Transfer): void {
    const { contact, key, blob, size, name, picture, place, noStore = false } = transfer
    const note = { key, blob, size, name, sid: place!.sid, ...(picture && { picture }) }
    const { picture: _, ...rest } = transfer
    let done: Transfer = { ...rest, state: 'done' }
    this.parts.chat.files.send(contact, note, { noStore }, (message) => {
      done = { ...done, message }
      this.records.putWithin(done)
    })
    this.records.remember(done)
    this.parts.vault.remove(transfer.id)
    this.tell(done)
  }

  private async in(transfer: Transfer, course: Course): Promise<void> {
    await carryIn(transfer, transfer.own!, this.carrying(transfer, course))
    this.stillWanted(transfer)
    // The gateway forgets it, which its sender could find out: not where they shall not know what was seen.
    this.store({ ...transfer, state: 'done', laid: this.parts.chat.files.showsWhatIsSeen(transfer.contact) })
  }

  /** The gateway forgets what is here now, or wanted no more. */
  private async erase(transfer: Transfer): Promise<void> {
    const place = transfer.place ?? transfer.own
    if (place !== undefined && transfer.began + LEASE_MS > this.parts.clockwork.now()) {
      await this.parts.blobs.remove(place, transfer.blob).catch((error: unknown) => {
        if (!isUnknown(error)) throw error
      })
    }
    const current = this.records.get(transfer.id)
    if (current?.state === 'removing') {
      this.records.delete(current)
      this.tell(current)
    } else if (current?.state === 'done') this.store({ ...current, laid: false })
  }

  private carrying(transfer: Transfer, course: Course): CarryParts {
    const { blobs, vault } = this.parts
    const pieces = new Pieces(transfer.key, transfer.size).count
    const stepOf = (count: number): number => Math.floor((count * STEPS) / pieces)
    const stillWanted = (): void => this.stillWanted(transfer)
    const arrived = (count: number): void => {
      stillWanted()
      const before = course.arrived
      course.arrived = count
      const hasMoved = count > before
      const isNews = (hasMoved && course.waits !== undefined) || stepOf(count) !== stepOf(before)
      // A gateway that answers, and takes or gives no piece, is not asked more and more often.
      if (hasMoved) Object.assign(course, { failures: 0, waits: undefined })
      if (isNews) this.tell(transfer)
    }
    return { blobs, vault, stillWanted, arrived }
  }

  /** @throws Stopped */
  private stillWanted({ id }: Transfer): void {
    if (this.closed || this.records.get(id)?.state !== 'moving') throw new Stopped()
  }

  private store(transfer: Transfer): void {
    this.records.put(transfer)
    this.tell(transfer)
  }

  private fail(transfer: Transfer, code: ErrorCode): void {
    this.store({ ...transfer, state: 'failed', code })
  }
}

const isUnknown = (error: unknown): boolean =>
  error instanceof Error && 'reason' in error && (error.reason === 'unknown' || error.reason === 'unknown-method')
