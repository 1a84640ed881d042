/** For tests: a mailbox on a real store, with a clock that stands until it is moved, and people who use it. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { openStore, type Store, type StoreOptions } from '#gateway/store/store.ts'
import { hex } from '#protocol/bytes.ts'
import { xchacha20poly1305 } from '#protocol/crypto/aead.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import { decodeMessage, encodeMessage } from '#protocol/services/codec.ts'
import { type Caller, ServiceFailure } from '#protocol/services/service.ts'
import { MAILBOX_TABLES, Mailbox, type MailboxOptions } from './mailbox.ts'
import type { Delivery } from './subscription.ts'

export const anna: Caller = { member: 'anna', role: 'member' }
export const guest: Caller = { member: 'guest', role: 'guest' }

export interface Keys {
  readonly rid: Uint8Array
  readonly sid: Uint8Array
  readonly rauth: Uint8Array
  readonly sauth: Uint8Array
  readonly seal: Uint8Array
}

export function drawKeys(): Keys {
  const [rid, sid] = [randomBytes(24), randomBytes(24)]
  return { rid, sid, rauth: randomBytes(32), sauth: randomBytes(32), seal: randomBytes(32) }
}

export const idOf = (n: number): Uint8Array => new Uint8Array(16).fill(n)
export const bodyOf = (n: number, length = 100): Uint8Array => new Uint8Array(length).fill(n)

/** What one reader got, opened. */
export interface Reader {
  readonly got: Delivery[]
  readonly ids: () => number[]
  /** Resolves when `count` messages have come. */
  readonly until: (count: number) => Promise<void>
  readonly stop: () => Promise<void>
  readonly ended: Promise<void>
}

export class Fixture {
  now = 1_700_000_000_000
  readonly faults: unknown[] = []
  readonly folder: string
  store!: Store
  mailbox!: Mailbox

  private constructor(folder: string) {
    this.folder = folder
  }

  static async create(
    t: ExecutionContext,
    options: Partial<MailboxOptions> & { store?: never } = {},
  ): Promise<Fixture> {
    const folder = mkdtempSync(join(tmpdir(), 'sotto-mailbox-'))
    const fixture = new Fixture(folder)
    await fixture.open(options)
    t.teardown(async () => {
      await fixture.store.close()
      rmSync(folder, { recursive: true, force: true })
    })
    return fixture
  }

  async open(options: Partial<Omit<MailboxOptions, 'store'>> = {}, store: Partial<StoreOptions> = {}): Promise<void> {
    const folder = join(this.folder, 'store')
    const key = new Uint8Array(32).fill(1)
    this.store = await openStore({ folder, key, tables: MAILBOX_TABLES, create: true, ...store })
    const around = { now: () => this.now, random: randomBytes, onFault: (fault: unknown) => this.faults.push(fault) }
    this.mailbox = new Mailbox({ store: this.store, ...around, ...options })
  }

  async restart(options: Partial<Omit<MailboxOptions, 'store'>> = {}): Promise<void> {
    await this.store.close()
    await this.open(options)
  }

  /** As over the wire: arguments and result are encoded and decoded. */
  async call(method: string, args: unknown, caller: Caller = anna): Promise<unknown> {
    const result = await this.mailbox.service.unary[`mailbox.${method}`]!(decodeMessage(encodeMessage(args)), caller)
    return decodeMessage(encodeMessage(result))
  }

  /** The word a call is refused with; `accepted` otherwise. */
  async refusal(method: string, args: unknown, caller: Caller = anna): Promise<string> {
    return await refusalOf(this.call(method, args, caller))
  }

  async queue(
    policy: 'none' | 'ram' | 'disk' = 'disk',
    ttl = 3_600,
    caller: Caller = anna,
    more: { readonly quiet?: boolean } = {},
  ): Promise<Keys> {
    const keys = drawKeys()
    await this.call('create', { ...keys, policy, ttl, ...more }, caller)
    return keys
  }

  put(keys: Keys, n: number, more: object = {}): Promise<unknown> {
    return this.call('put', { sid: keys.sid, sauth: keys.sauth, id: idOf(n), body: bodyOf(n), ...more }, guest)
  }

  putRefusal(keys: Keys, n: number, more: object = {}): Promise<string> {
    return refusalOf(this.put(keys, n, more))
  }

  ack(keys: Keys, ...ids: number[]): Promise<unknown> {
    return this.call('ack', { rid: keys.rid, rauth: keys.rauth, ids: ids.map(idOf) })
  }

  /** `room`: called before each message is taken; it is taken when the promise resolves. */
  read(queues: readonly Keys[], room: () => Promise<void> = async () => undefined): Reader {
    const controller = new AbortController()
    const got: Delivery[] = []
    const waiters: { count: number; resolve: () => void }[] = []
    const push = async (message: unknown): Promise<void> => {
      await room()
      got.push(decodeMessage(encodeMessage(message)) as Delivery)
      for (const { count, resolve } of waiters) if (got.length >= count) resolve()
    }
    const args = { queues: queues.map(({ rid, rauth }) => ({ rid, rauth })) }
    const subscribe = this.mailbox.service.subscribe['mailbox.subscribe']!
    const ended = subscribe(decodeMessage(encodeMessage(args)), anna, push, controller.signal)
    const until = (count: number): Promise<void> =>
      new Promise((resolve) => {
        if (got.length >= count) resolve()
        else waiters.push({ count, resolve })
      })
    const stop = async (): Promise<void> => {
      controller.abort()
      await ended
    }
    return { got, ids: () => got.map(({ id }) => id[0]!), until, stop, ended }
  }

  /** What a new reader gets of what waits now. */
  async waiting(queues: readonly Keys[], count: number): Promise<Reader> {
    const reader = this.read(queues)
    await reader.until(count)
    // One turn more, in which a message too many would come.
    await new Promise((resolve) => setImmediate(resolve))
    await reader.stop()
    return reader
  }
}

export async function refusalOf(call: Promise<unknown>): Promise<string> {
  try {
    await call
    return 'accepted'
  } catch (error) {
    if (error instanceof ServiceFailure) return error.reason
    throw error
  }
}

export function openBox(keys: Keys, { box }: Delivery): string {
  return hex(xchacha20poly1305.open(keys.seal, box.subarray(0, 24), box.subarray(24)) ?? new Uint8Array(0))
}
