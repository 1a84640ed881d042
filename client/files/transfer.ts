/** A file on its way, or here: what is kept of it, and what views see. */
import type { ContactId, MessageId } from '#client/chat/events.ts'
import type { Picture } from '#client/chat/files/note.ts'
import { piecesOf } from '#client/chat/files/pieces.ts'
import type { Store } from '#client/store/store.ts'
import { hex, type Millis, utf8 } from '#protocol/bytes.ts'
import type { ErrorCode } from '#protocol/errors.ts'
import { decodeMessage, encodeMessage } from '#protocol/services/codec.ts'
import type { OwnPlace, Place } from './ports.ts'

/** Tables that the store must be opened with. */
export const FILE_TABLES: readonly string[] = ['files']

/**
 * offered: theirs, nobody has asked for it. moving: under way, or waiting to be. done: ours is told of, theirs is here.
 * removing: nothing is left here, and the gateway is to forget it.
 */
export type TransferState = 'offered' | 'moving' | 'done' | 'failed' | 'removing'

/** Replaced as a whole, never changed in place. */
export interface Transfer {
  /** 16 octets, random; names its file in the vault. */
  readonly id: Uint8Array
  readonly way: 'out' | 'in'
  readonly contact: ContactId
  /** Of ours: empty until they are told. */
  readonly message: MessageId
  readonly name: string
  readonly size: number
  readonly key: Uint8Array
  readonly blob: Uint8Array
  readonly state: TransferState
  readonly began: Millis
  /** Of ours: where it is laid, once that is settled. */
  readonly place?: Place
  /** Of theirs. */
  readonly own?: OwnPlace
  /** The gateway may have something of it. */
  readonly laid: boolean
  readonly picture?: Picture
  readonly noStore?: boolean
  /** Why it failed. */
  readonly code?: ErrorCode
}

export interface TransferView {
  /** 32 letters of hexadecimal. */
  readonly id: string
  readonly way: Transfer['way']
  readonly contact: ContactId
  /** Of ours: missing until they are told. */
  readonly message?: MessageId
  readonly name: string
  /** Octets. */
  readonly size: number
  readonly state: Exclude<TransferState, 'removing'>
  /** Pieces that have arrived where they go, of so many. */
  readonly arrived: number
  readonly pieces: number
  /** Why it failed, or waits. */
  readonly code?: ErrorCode
}

export function viewOf(transfer: Transfer, arrived: number, waits: ErrorCode | undefined): TransferView {
  const { id, way, contact, message, name, size, state } = transfer
  const pieces = piecesOf(size)
  const code = transfer.code ?? (state === 'moving' ? waits : undefined)
  return {
    ...{ id: hex(id), way, contact, name, size, pieces },
    ...(message === '' ? {} : { message }),
    state: state === 'removing' ? 'failed' : state,
    arrived: state === 'done' ? pieces : arrived,
    ...(code === undefined ? {} : { code }),
  }
}

const ALL = utf8('all')

/** The table; writing is for transactions alone. */
export class TransferRecords {
  private readonly store: Store
  private readonly known = new Map<string, Transfer>()

  constructor(store: Store) {
    this.store = store
    const rows = store.list('files', ALL, { order: 'ascending', limit: Number.MAX_SAFE_INTEGER })
    for (const { value } of rows) this.remember(decodeMessage(value) as Transfer)
  }

  all(): Transfer[] {
    return [...this.known.values()]
  }

  get(id: Uint8Array): Transfer | undefined {
    return this.known.get(hex(id))
  }

  /** All in one transaction of their own. */
  put(...transfers: readonly Transfer[]): void {
    this.store.transaction(() => {
      for (const transfer of transfers) this.putWithin(transfer)
    })
    for (const transfer of transfers) this.remember(transfer)
  }

  /** Inside a transaction; `remember` it once that has been committed. */
  putWithin(transfer: Transfer): void {
    const last = this.store.list('files', ALL, { order: 'descending', limit: 1 })[0]?.position ?? 0
    const position = this.store.position('files', transfer.id) ?? last + 1
    this.store.put('files', transfer.id, encodeMessage(transfer), { group: ALL, position })
  }

  remember(transfer: Transfer): void {
    this.known.set(hex(transfer.id), transfer)
  }

  delete({ id }: Transfer): void {
    this.store.transaction(() => this.store.delete('files', id))
    this.known.delete(hex(id))
  }
}
