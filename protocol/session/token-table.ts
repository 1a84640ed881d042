/**
 * The tokens that a gateway expects. Spec section 3.2.
 *
 * Most of what an idle session costs is here, so a token is kept once, as the string that it is looked up by.
 */

import { fromLatin1, latin1 } from '../bytes.ts'
import { Limits } from '../constants.ts'
import type { Epoch } from './epoch.ts'
import type { GatewaySession } from './gateway-session.ts'

/** What a token leads to. */
export interface Expected {
  readonly session: GatewaySession
  readonly epoch: Epoch
  readonly number: number
  readonly token: Uint8Array
}

/** All tokens that a gateway expects now, of all sessions, as `latin1` strings. */
export class TokenTable {
  private readonly windows = new Map<string, TokenWindow>()

  get size(): number {
    return this.windows.size
  }

  find(key: string): Expected | undefined {
    return this.windows.get(key)?.expected(key)
  }

  /** For windows. */
  add(key: string, window: TokenWindow): void {
    this.windows.set(key, window)
  }

  /** For windows. */
  remove(key: string): void {
    this.windows.delete(key)
  }
}

/** Tokens of one epoch of one session that may still come. */
export class TokenWindow {
  readonly epoch: Epoch
  private readonly session: GatewaySession
  private readonly table: TokenTable
  /** Tokens of `base`, `base + 1` ...; undefined where they are not expected any more. */
  private keys: (string | undefined)[] = []
  private base: number
  /** Set once a newer epoch is in use: no number from here on comes under this one. */
  private end: number = Number.POSITIVE_INFINITY

  /** Expects numbers above `highest`. */
  constructor(epoch: Epoch, session: GatewaySession, table: TokenTable, highest: number) {
    this.epoch = epoch
    this.session = session
    this.table = table
    this.base = highest + 1
    this.advance(highest)
  }

  /** True where nothing of this epoch may come any more. */
  get isEmpty(): boolean {
    return this.keys.length === 0
  }

  expected(key: string): Expected {
    const { session, epoch } = this
    return { session, epoch, number: this.base + this.keys.indexOf(key), token: fromLatin1(key) }
  }

  /** Expects the numbers up to `Limits.tagWindow` beyond `highest`, and none that is far behind. */
  advance(highest: number): void {
    const stop = Math.min(highest + Limits.tagWindow + 1, this.end)
    while (this.base + this.keys.length < stop) this.expect(this.base + this.keys.length)
    while (!this.isEmpty && this.base <= highest - Limits.tokensBehind) this.forget(this.base)
  }

  private expect(number: number): void {
    const key = latin1(this.epoch.token(number))
    this.keys.push(key)
    this.table.add(key, this)
  }

  forget(number: number): void {
    const key = this.keys[number - this.base]
    if (key === undefined) return
    this.table.remove(key)
    this.keys[number - this.base] = undefined
    let gone = 0
    while (gone < this.keys.length && this.keys[gone] === undefined) gone++
    if (gone === 0) return
    this.keys = this.keys.slice(gone)
    this.base += gone
  }

  /** A newer epoch was used for `number`: the client uses this one for lower numbers at most. */
  endAt(number: number): void {
    this.end = Math.min(this.end, number)
    for (let last = this.base + this.keys.length - 1; last >= this.end && !this.isEmpty; last--) this.forget(last)
  }

  close(): void {
    for (const key of this.keys) if (key !== undefined) this.table.remove(key)
    this.keys = []
  }
}
