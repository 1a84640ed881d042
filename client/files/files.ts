/**
 * Files that people send each other. What is sent is sealed first, under a fresh key and piece by piece, and kept so until a
 * gateway of the contact's has all of it; then they are told, by a message that holds the key. What they send is fetched
 * when the person asks for it, kept sealed, and opened when it is saved. Everything goes on where it was cut off.
 */
import type { Chat } from '#client/chat/chat.ts'
import type { ChatEvent, ContactId, MessageId } from '#client/chat/events.ts'
import { FILE_KEY_LENGTH } from '#client/chat/files/note.ts'
import { Pieces } from '#client/chat/files/pieces.ts'
import type { Clockwork } from '#client/clockwork.ts'
import type { Store } from '#client/store/store.ts'
import { BLOB_ID_LENGTH } from '#protocol/blobs.ts'
import { empty, fromHex, hex, type Millis } from '#protocol/bytes.ts'
import { type ErrorCode, SottoError } from '#protocol/errors.ts'
import { carryIn, carryOut, contentOf, missingOf } from './carry.ts'
import { choosePlace } from './places.ts'
import type { BlobPort } from './ports.ts'
import type { Source } from './source.ts'
import { type Transfer, TransferRecords, type TransferView, viewOf } from './transfer.ts'
import { damaged, gone, troubleOf } from './trouble.ts'
import type { Vault } from './vault.ts'

/** Files that move at once. */
const AT_ONCE = 2
/** Milliseconds until something is tried again, doubled each time up to the second number. */
const RETRY_MS = 2_000
const RETRY_MAX_MS = 900_000
/** Milliseconds after which nothing of a blob can be left at a gateway: 22 days. */
const LEASE_MS = 1_900_800_000
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

export interface FilesParts {
  readonly chat: Chat
  readonly blobs: BlobPort
  /** Opened with `FILE_TABLES`. */
  readonly store: Store
  readonly vault: Vault
  readonly clockwork: Clockwork
}

export class Files {
  private readonly parts: FilesParts
  private readonly records: TransferRecords
  private readonly courses = new Map<string, Course>()
  private readonly listeners = new Set<(view: TransferView) => void>()
  private readonly waiting = new Set<() => void>()
  private readonly unlisten: () => void
  private cancelWake = (): void => {}
  private closed = false

  constructor(parts: FilesParts) {
    this.parts = parts
    this.records = new TransferRecords(parts.store)
    parts.vault.keepOnly(
      this.records
        .all()
        .filter(isInVault)
        .map(({ id }) => id),
    )
    for (const transfer of this.records.all()) this.reconcile(transfer)
    this.unlisten = parts.chat.onEvent((event) => this.onEvent(event))
  }

  // ---- what the person does -------------------------------------------------------------------------------------------

  list(): TransferView[] {
    return this.records
      .all()
      .filter(({ state }) => state !== 'removing')
      .map((transfer) => this.view(transfer))
  }

  /**
   * Seals a file and keeps it; it leaves as soon as that can be done.
   * @throws SottoError E_CHAT_CONTACT, E_CHAT_BLOCKED, E_CHAT_OUTBOX_FULL, E_CARD_EXPIRED, E_FILE, E_DISK_FULL; nothing was kept then
   */
  async send(
    contact: ContactId,
    source: Source,
    { noStore = false }: { readonly noStore?: boolean } = {},
  ): Promise<TransferView> {
    const { chat, vault, clockwork } = this.parts
    chat.placesFor(contact)
    const { random } = clockwork
    const { name, size, picture } = source
    const [id, key, blob] = [random(16), random(FILE_KEY_LENGTH), random(BLOB_ID_LENGTH)]
    await vault.lay(id, sealed(source, new Pieces(key, size)))
    if (this.closed) throw new SottoError('E_TUNNEL_STOPPED', 'Sotto was stopped before the file was sealed.')
    const what = { id, contact, message: '', name, size, key, blob, began: clockwork.now() }
    const shown = picture === undefined ? {} : { picture }
    const transfer: Transfer = { ...what, ...shown, way: 'out', state: 'moving', laid: false, noStore }
    this.store(transfer)
    this.run()
    return this.view(transfer)
  }

  /** Begins to fetch the file of a message, or goes on. @throws SottoError E_FILE_UNKNOWN, E_FILE_GONE, E_DISK_FULL */
  fetch(contact: ContactId, message: MessageId): TransferView {
    const transfer = this.ofMessage(message) ?? this.offered(contact, message)
    if (transfer?.way !== 'in' || transfer.state === 'removing') throw unknown()
    if (transfer.own === undefined) throw gone(transfer.name)
    if (transfer.state === 'moving' || transfer.state === 'done') return this.view(transfer)
    const { code: _, ...rest } = transfer
    const moving: Transfer = { ...rest, state: 'moving' }
    this.courses.delete(hex(moving.id))
    this.store(moving)
    this.run()
    return this.view(moving)
  }

  /** Stops it, and removes what is kept of it here and at the gateway. @throws SottoError E_FILE_UNKNOWN, E_DISK_FULL */
  cancel(id: string): void {
    const transfer = this.named(id)
    // What they have been told of is theirs to fetch; only the message can take it back.
    if (transfer.way === 'out' && transfer.state === 'done') this.records.delete(transfer)
    else this.drop(transfer, true)
  }

  /**
   * Hands what is in a file that is here to `put`, which says where it went.
   * @throws SottoError E_FILE_UNKNOWN, E_FILE_UNFINISHED, E_FILE_DAMAGED; what `put` throws
   */
  async save(id: string, put: (name: string, content: AsyncIterable<Uint8Array>) => Promise<string>): Promise<string> {
    const transfer = this.named(id)
    if (transfer.way !== 'in' || transfer.state !== 'done')
      throw new SottoError('E_FILE_UNFINISHED', `${transfer.name} is not here yet.`)
    if ((await missingOf(transfer, this.parts.vault)).length > 0) throw damaged(transfer.name)
    return await put(transfer.name, contentOf(transfer, this.parts.vault))
  }

  /** Hears of everything that changes; returns how to stop. */
  onChange(listener: (view: TransferView) => void): () => void {
    this.listeners.add(listener)
    return () => void this.listeners.delete(listener)
  }

  /** Resolves once nothing moves any more, or after so many milliseconds. */
  async settled(timeoutMs: number): Promise<void> {
    const { clockwork } = this.parts
    const deadline = clockwork.now() + timeoutMs
    while (!this.closed && this.toDo().length > 0 && clockwork.now() < deadline) {
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          this.waiting.delete(wake)
          cancel()
          resolve()
        }
        const cancel = clockwork.after(Math.max(0, deadline - clockwork.now()), wake)
        this.waiting.add(wake)
      })
    }
  }

  /** A gateway is reached: whatever waits is tried now. */
  connected(): void {
    for (const course of this.courses.values()) course.due = 0
    this.run()
  }

  /** Nothing is begun any more. The store stays open: it is its owner's. */
  close(): void {
    this.closed = true
    this.unlisten()
    this.cancelWake()
    this.woken()
  }

  // ---- what the chat tells --------------------------------------------------------------------------------------------

  private onEvent(event: ChatEvent): void {
    try {
      this.note(event)
    } catch {
      // The disk is full. What is missed now is found when it is asked for, or at the next start.
    }
  }

  private note(event: ChatEvent): void {
    if (event.type === 'message') {
      const { from, file, contact, id } = event.message
      if (from === 'them' && file !== undefined && this.ofMessage(id) === undefined) this.offered(contact, id)
    } else if (event.type === 'changed') this.reconcileAll(({ message }) => message === event.message.id)
    else if (event.type === 'gone') this.reconcileAll(({ message }) => message === event.message)
    else if (event.type === 'removed') this.reconcileAll(({ contact }) => contact === event.contact)
  }

  private reconcileAll(which: (transfer: Transfer) => boolean): void {
    for (const transfer of this.records.all().filter(which)) this.reconcile(transfer)
  }

  /** A transfer lives as long as its message, or the contact that it is for. */
  private reconcile(transfer: Transfer): void {
    if (transfer.state === 'removing') return
    const { chat, clockwork } = this.parts
    const isKnown = chat.contacts().some(({ id }) => id === transfer.contact)
    const of = isKnown && transfer.message !== '' ? chat.fileOf(transfer.contact, transfer.message) : undefined
    const isOver = transfer.state !== 'done' && transfer.way === 'in' && transfer.began + LEASE_MS <= clockwork.now()
    const isTold = transfer.way === 'out' && transfer.state === 'done'
    if (!isKnown || of === 'withdrawn') this.drop(transfer, true)
    // It disappeared here first: they may not have read it yet, and take it away when they have.
    else if (transfer.message !== '' && of === undefined) this.drop(transfer, !isTold)
    else if (isTold && transfer.began + LEASE_MS <= clockwork.now()) this.records.delete(transfer)
    else if (isOver && transfer.state === 'moving') this.fail(transfer, 'E_FILE_GONE')
  }

  /** Notes a file of theirs. undefined where the message is none. */
  private offered(contact: ContactId, message: MessageId): Transfer | undefined {
    const of = this.parts.chat.fileOf(contact, message)
    if (of === undefined || of === 'withdrawn' || of.mine) return undefined
    const { key, blob, name, size } = of.note
    const { random, now } = this.parts.clockwork
    const { gateway, rid, rauth, seal } = of.queue ?? {}
    const own = gateway && rid && rauth && seal && { gateway, rid, rauth, seal }
    const what = { id: random(16), contact, message, name, size, key, blob, began: now() }
    const transfer: Transfer = { ...what, ...(own && { own }), way: 'in', state: 'offered', laid: own !== undefined }
    this.store(transfer)
    return transfer
  }

  // ---- what is kept ----------------------------------------------------------------------------------------------------

  /** Removes what is here, and where `withBlob` what may be at a gateway. */
  private drop(transfer: Transfer, withBlob: boolean): void {
    this.parts.vault.remove(transfer.id)
    this.courses.delete(hex(transfer.id))
    if (!withBlob || !transfer.laid) {
      this.records.delete(transfer)
      return this.woken()
    }
    const { picture: _, code: __, ...rest } = transfer
    // Without the key nobody can open what may be left of it.
    this.store({ ...rest, name: '', key: empty, message: '', state: 'removing' })
    this.run()
  }

  private store(transfer: Transfer): void {
    this.records.put(transfer)
    this.tell(transfer)
  }

  private fail(transfer: Transfer, code: ErrorCode): void {
    this.store({ ...transfer, state: 'failed', code })
  }

  private tell(transfer: Transfer): void {
    if (transfer.state !== 'removing') {
      const view = this.view(transfer)
      for (const listener of this.listeners) listener(view)
    }
    this.woken()
  }

  private woken(): void {
    for (const wake of [...this.waiting]) wake()
  }

  private view(transfer: Transfer): TransferView {
    const { arrived = 0, waits } = this.courses.get(hex(transfer.id)) ?? {}
    return viewOf(transfer, arrived, waits)
  }

  private ofMessage(message: MessageId): Transfer | undefined {
    return this.records.all().find((transfer) => transfer.message === message)
  }

  /** @throws SottoError E_FILE_UNKNOWN */
  private named(id: string): Transfer {
    const bytes = fromHex(id)
    const transfer = bytes && this.records.get(bytes)
    if (transfer === undefined || transfer.state === 'removing') throw unknown()
    return transfer
  }

  // ---- what moves ------------------------------------------------------------------------------------------------------

  private toDo(): Transfer[] {
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
  private run(): void {
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
      else if (remedy === 'elsewhere' && place !== undefined) this.moveOn(transfer)
      this.tell(transfer)
    } catch {
      // The disk is full: it is tried again as it was.
    }
  }

  /** The next time at another place, if there is one; under another id, so that no two gateways see the same. */
  private moveOn(transfer: Transfer): void {
    const place = choosePlace(this.parts, transfer, transfer.place)
    if (place === undefined) return
    this.store({ ...transfer, place, blob: this.parts.clockwork.random(BLOB_ID_LENGTH), laid: false })
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
    this.parts.chat.sendFile(contact, note, { noStore }, (message) => {
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
    this.store({ ...transfer, state: 'done', laid: this.parts.chat.showsWhatIsSeen(transfer.contact) })
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
      this.woken()
    } else if (current?.state === 'done') this.store({ ...current, laid: false })
  }

  private carrying(transfer: Transfer, course: Course): Parameters<typeof carryOut>[2] {
    const { blobs, vault } = this.parts
    const pieces = new Pieces(transfer.key, transfer.size).count
    const stepOf = (count: number): number => Math.floor((count * STEPS) / pieces)
    const stillWanted = (): void => this.stillWanted(transfer)
    const arrived = (count: number): void => {
      stillWanted()
      const isNews = course.waits !== undefined || stepOf(count) !== stepOf(course.arrived)
      course.arrived = count
      course.failures = 0
      course.waits = undefined
      if (isNews) this.tell(transfer)
    }
    return { blobs, vault, stillWanted, arrived }
  }

  /** @throws Stopped */
  private stillWanted({ id }: Transfer): void {
    if (this.closed || this.records.get(id)?.state !== 'moving') throw new Stopped()
  }
}

/** Where something of it is kept: not once ours has been laid, nor before theirs is asked for. */
const isInVault = ({ way, state }: Transfer): boolean =>
  state === 'moving' || state === 'failed' || (state === 'done' && way === 'in')

const unknown = (): SottoError => new SottoError('E_FILE_UNKNOWN', 'There is no such file.')

const isUnknown = (error: unknown): boolean =>
  error instanceof Error && 'reason' in error && (error.reason === 'unknown' || error.reason === 'unknown-method')

function* sealed(source: Source, pieces: Pieces): Generator<Uint8Array> {
  let at = 0
  for (let index = 0; index < pieces.count; index++) {
    const length = pieces.lengthOf(index)
    yield pieces.seal(index, source.read(at, length))
    at += length
  }
}
