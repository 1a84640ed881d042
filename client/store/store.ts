/**
 * What the client's state is kept in: tables of sealed values under hidden keys, changed in transactions.
 *
 * Everything is synchronous on purpose: no other code of the process can run between reading a ratchet and storing its
 * next state.
 */

/** Where a row stands in an ordered list. */
export interface Place {
  /** Which list, any octets. */
  readonly group: Uint8Array
  /** Safe integer; need not be unique. It stands readable on disk, so it must say nothing but an order. */
  readonly position: number
}

export interface Row {
  readonly position: number
  readonly value: Uint8Array
}

export interface ListOptions {
  /** Only positions below this one. */
  readonly below?: number
  /** Only positions above this one. */
  readonly above?: number
  readonly order: 'ascending' | 'descending'
  readonly limit: number
}

export interface Store {
  /**
   * Runs `work`; when this returns, all that it changed survives a loss of power. When it throws, nothing was changed.
   * @throws SottoError E_DISK_FULL, E_STATE_UNREADABLE; whatever `work` throws; RangeError inside another transaction
   */
  transaction<T>(work: () => T): T
  /** True inside a transaction. */
  readonly isWriting: boolean
  /** @throws SottoError E_STATE_UNREADABLE where the stored octets are not what was put */
  get(table: string, key: Uint8Array): Uint8Array | undefined
  /** Replaces what was there, its place included. Inside a transaction only. */
  put(table: string, key: Uint8Array, value: Uint8Array, place?: Place): void
  /** Inside a transaction only. */
  delete(table: string, key: Uint8Array): void
  /** Inside a transaction only. */
  deleteGroup(table: string, group: Uint8Array): void
  /** Position of a row that has one. */
  position(table: string, key: Uint8Array): number | undefined
  list(table: string, group: Uint8Array, options: ListOptions): Row[]
  /** Adds `by` to every position of the group above `above`, to make room. Inside a transaction only. */
  shift(table: string, group: Uint8Array, above: number, by: number): void
  /** Makes replaced values disappear from the files. Call it now and then, after changes. */
  tidy(): void
  close(): void
}
