/**
 * Files that people send each other. What is sent is sealed first, under a fresh key and piece by piece, and kept so until a
 * gateway of the contact's has all of it; then they are told, by a message that holds the key. What they send is fetched
 * when the person asks for it, kept sealed, and opened when it is saved. Everything goes on where it was cut off.
 */
import type { Chat } from '#client/chat/chat.ts'
import type { ChatEvent, ContactId, MessageId } from '#client/chat/events.ts'
import { FileLimits } from '#client/chat/files/limits.ts'
import { FILE_KEY_LENGTH } from '#client/chat/files/note.ts'
import { Pieces } from '#client/chat/files/pieces.ts'
import type { Clockwork } from '#client/clockwork.ts'
import type { Store } from '#client/store/store.ts'
import { BLOB_ID_LENGTH } from '#protocol/blobs.ts'
import { empty, fastEqual, fromHex } from '#protocol/bytes.ts'
import { type ErrorCode, SottoError } from '#protocol/errors.ts'
import { contentOf, missingOf } from './carry.ts'
import { LEASE_MS, Mover } from './mover.ts'
import type { BlobPort } from './ports.ts'
import type { Source } from './source.ts'
import { type Transfer, TransferRecords, type TransferView } from './transfer.ts'
import { damaged, gone } from './trouble.ts'
import type { Vault } from './vault.ts'

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
  private readonly mover: Mover
  private readonly listeners = new Set<(view: TransferView) => void>()
  private readonly waiting = new Set<() => void>()
  private readonly unlisten: () => void
  private closed = false

  constructor(parts: FilesParts) {
    this.parts = parts
    this.records = new TransferRecords(parts.store)
    this.mover = new Mover(parts, this.records, (transfer) => this.tell(transfer))
    parts.vault.keepOnly(
      this.records
        .all()
        .filter(isInVault)
        .map(({ id }) => id),
    )
    for (const transfer of this.records.all()) this.reconcile(transfer)
    this.unlisten = parts.chat.onEvent((event) => this.onEvent(event))
    parts.chat.files.keepQueuesWith((rid) => this.records.all().some((each) => isStillBeside(rid, each)))
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
   * @throws SottoError E_CHAT_CONTACT, E_CHAT_BLOCKED, E_CHAT_OUTBOX_FULL, E_CARD_EXPIRED, E_FILE, E_FILE_SIZE, E_DISK_FULL; nothing was
   * kept then
   */
  async send(
    contact: ContactId,
    source: Source,
    { noStore = false }: { readonly noStore?: boolean } = {},
  ): Promise<TransferView> {
    const { chat, vault, clockwork } = this.parts
    chat.files.placesFor(contact)
    const { random } = clockwork
    const { name, size, picture } = source
    if (noStore && size > FileLimits.directBytes) throw tooLongForMemory(name)
    const [id, key, blob] = [random(16), random(FILE_KEY_LENGTH), random(BLOB_ID_LENGTH)]
    await vault.lay(id, sealed(source, new Pieces(key, size)))
    if (this.closed) throw new SottoError('E_TUNNEL_STOPPED', 'Sotto was stopped before the file was sealed.')
    const what = { id, contact, message: '', name, size, key, blob, began: clockwork.now() }
    const shown = picture === undefined ? {} : { picture }
    const transfer: Transfer = { ...what, ...shown, way: 'out', state: 'moving', laid: false, noStore }
    this.store(transfer)
    this.mover.run()
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
    this.mover.forget(moving)
    this.store(moving)
    this.mover.run()
    return this.view(moving)
  }

  /**
   * Stops it, and removes what is kept of it here and at the gateway.
   * @throws SottoError E_FILE_UNKNOWN, E_DISK_FULL; E_CHAT_CHANGE for one that they have been told of: its message takes it back
   */
  cancel(id: string): void {
    const transfer = this.named(id)
    if (transfer.way === 'out' && transfer.state === 'done')
      throw new SottoError('E_CHAT_CHANGE', `${transfer.name} was sent, and they know of it.`, {
        next: 'To take it back, withdraw the message: /withdraw in sotto chat',
      })
    this.drop(transfer, true)
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
    while (!this.closed && this.mover.toDo().length > 0 && clockwork.now() < deadline) {
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
    this.mover.hurry()
  }

  /** Nothing is begun any more. The store stays open: it is its owner's. */
  close(): void {
    this.closed = true
    this.unlisten()
    this.mover.close()
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
    const of = isKnown && transfer.message !== '' ? chat.files.of(transfer.contact, transfer.message) : undefined
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
    const of = this.parts.chat.files.of(contact, message)
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
    this.mover.forget(transfer)
    if (!withBlob || !transfer.laid || !this.mayShow(transfer)) {
      this.records.delete(transfer)
      return this.woken()
    }
    const { picture: _, code: __, ...rest } = transfer
    // Without the key nobody can open what may be left of it.
    this.store({ ...rest, name: '', key: empty, message: '', state: 'removing' })
    this.mover.run()
  }

  /** Whether its sender may find out that it is not at the gateway any more. Where the contact is gone, its queues are as well. */
  private mayShow({ way, contact }: Transfer): boolean {
    const { chat } = this.parts
    const isKnown = chat.contacts().some(({ id }) => id === contact)
    return way === 'out' || !isKnown || chat.files.showsWhatIsSeen(contact)
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
    return this.mover.view(transfer)
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
}

/** Where something of it is kept: not once ours has been laid, nor before theirs is asked for. */
const isInVault = ({ way, state }: Transfer): boolean =>
  state === 'moving' || state === 'failed' || (state === 'done' && way === 'in')

/** It was not fetched yet, or not all of it. */
const isStillBeside = (rid: Uint8Array, { way, state, own }: Transfer): boolean =>
  way === 'in' && state !== 'done' && state !== 'removing' && own !== undefined && fastEqual(own.rid, rid)

/** Before anything is sealed: it would wait for ever for room that no gateway has. */
function tooLongForMemory(name: string): SottoError {
  const most = Math.floor(FileLimits.directBytes / 1024 ** 2)
  return new SottoError(
    'E_FILE_SIZE',
    `Where no gateway may store it, a file may have ${most} MiB; ${name} has more.`,
    {
      kept: 'Nothing was sent.',
      next: 'Send it without --direct, or in parts.',
    },
  )
}

const unknown = (): SottoError => new SottoError('E_FILE_UNKNOWN', 'There is no such file.')

function* sealed(source: Source, pieces: Pieces): Generator<Uint8Array> {
  let at = 0
  for (let index = 0; index < pieces.count; index++) {
    const length = pieces.lengthOf(index)
    yield pieces.seal(index, source.read(at, length))
    at += length
  }
}
