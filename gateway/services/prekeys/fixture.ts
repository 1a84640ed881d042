/** For tests: shelves on a real store, beside the mailbox whose queues they belong to. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { openStore, type Store } from '#gateway/store/store.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import { decodeMessage, encodeMessage } from '#protocol/services/codec.ts'
import type { Caller } from '#protocol/services/service.ts'
import { anna, drawKeys, guest, type Keys, refusalOf } from '../mailbox/fixture.ts'
import { MAILBOX_TABLES, Mailbox } from '../mailbox/mailbox.ts'
import { PREKEY_TABLES, type PrekeyOptions, Prekeys } from './prekeys.ts'

export const TABLES: readonly string[] = [...MAILBOX_TABLES, ...PREKEY_TABLES]

/** Keys `from` to `to`; the octets name the number. */
export function numbered(from: number, to: number): { id: number; key: Uint8Array }[] {
  return Array.from({ length: to - from + 1 }, (_, i) => ({ id: from + i, key: new Uint8Array(40).fill(from + i) }))
}

export const requestOf = (n: number): Uint8Array => new Uint8Array(16).fill(n)

export interface Fetched {
  readonly head: Uint8Array
  readonly dh: Uint8Array
  readonly kem: Uint8Array
}

export class Fixture {
  now = 1_700_000_000_000
  readonly folder: string
  store!: Store
  mailbox!: Mailbox
  prekeys!: Prekeys

  private constructor(folder: string) {
    this.folder = folder
  }

  static async create(t: ExecutionContext, limits: PrekeyOptions['limits'] = {}): Promise<Fixture> {
    const folder = mkdtempSync(join(tmpdir(), 'sotto-prekeys-'))
    const fixture = new Fixture(folder)
    await fixture.open(limits)
    t.teardown(async () => {
      await fixture.store.close()
      rmSync(folder, { recursive: true, force: true })
    })
    return fixture
  }

  async open(limits: PrekeyOptions['limits'] = {}): Promise<void> {
    const key = new Uint8Array(32).fill(1)
    this.store = await openStore({ folder: join(this.folder, 'store'), key, tables: TABLES, create: true })
    const now = (): number => this.now
    this.mailbox = new Mailbox({ store: this.store, now, random: randomBytes })
    this.prekeys = new Prekeys({ store: this.store, now, limits: limits ?? {} })
  }

  /** As over the wire. */
  async call(method: string, args: unknown, caller: Caller = anna): Promise<unknown> {
    const { unary } = method.startsWith('mailbox.') ? this.mailbox.service : this.prekeys.service
    const result = await unary[method]!(decodeMessage(encodeMessage(args)), caller)
    return decodeMessage(encodeMessage(result))
  }

  refusal(method: string, args: unknown, caller: Caller = anna): Promise<string> {
    return refusalOf(this.call(method, args, caller))
  }

  async queue(caller: Caller = anna): Promise<Keys> {
    const keys = drawKeys()
    await this.call('mailbox.create', { ...keys, policy: 'disk', ttl: 3_600 }, caller)
    return keys
  }

  publish({ rid, rauth }: Keys, more: object = {}): Promise<unknown> {
    return this.call('prekeys.publish', { rid, rauth, ...shelf(), ...more })
  }

  fetch({ sid, sauth }: Keys, request: number, caller: Caller = guest): Promise<Fetched> {
    return this.call('prekeys.fetch', { sid, sauth, request: requestOf(request) }, caller) as Promise<Fetched>
  }
}

export const shelf = (): object => ({ head: new Uint8Array(2_000).fill(9), dh: [], kem: [], clear: false })
