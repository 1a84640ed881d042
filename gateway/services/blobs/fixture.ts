/** For tests: blobs on real stores beside a mailbox, with a clock that stands until it is moved. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { openStore, type Store } from '#gateway/store/store.ts'
import { PIECE_BYTES } from '#protocol/blobs.ts'
import { xchacha20poly1305 } from '#protocol/crypto/aead.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import { decodeMessage, encodeMessage } from '#protocol/services/codec.ts'
import type { Caller } from '#protocol/services/service.ts'
import { anna, drawKeys, guest, type Keys, refusalOf } from '../mailbox/fixture.ts'
import { MAILBOX_TABLES, Mailbox } from '../mailbox/mailbox.ts'
import { type BlobOptions, Blobs } from './blobs.ts'
import { BLOB_TABLES } from './disk.ts'

export const blobOf = (n: number): Uint8Array => new Uint8Array(24).fill(n)
/** Its octets name the number. */
export const pieceOf = (n: number): Uint8Array => new Uint8Array(PIECE_BYTES).fill(n)
export const storeKey: Uint8Array = new Uint8Array(32).fill(1)

type Choices = Partial<Pick<BlobOptions, 'limits' | 'policy'>> & {
  readonly freeBytes?: () => number
  /** Of the store of blobs. */
  readonly storeBytes?: number
}

export class Fixture {
  now = 1_700_000_000_000
  readonly faults: unknown[] = []
  readonly folder: string
  store!: Store
  files!: Store
  mailbox!: Mailbox
  blobs!: Blobs

  private constructor(folder: string) {
    this.folder = folder
  }

  static async create(t: ExecutionContext, choices: Choices = {}): Promise<Fixture> {
    const folder = mkdtempSync(join(tmpdir(), 'sotto-blobs-'))
    const fixture = new Fixture(folder)
    await fixture.open(choices)
    t.teardown(async () => {
      await fixture.close()
      rmSync(folder, { recursive: true, force: true })
    })
    return fixture
  }

  async open({ freeBytes, storeBytes, ...choices }: Choices = {}): Promise<void> {
    const common = { key: storeKey, create: true }
    this.store = await openStore({ ...common, folder: join(this.folder, 'store'), tables: MAILBOX_TABLES })
    const free = {
      ...(freeBytes && { freeBytes }),
      ...(storeBytes && { limits: { bytes: storeBytes } }),
    }
    this.files = await openStore({ ...common, folder: join(this.folder, 'files'), tables: BLOB_TABLES, ...free })
    const around = { store: this.store, now: () => this.now, random: randomBytes }
    this.mailbox = new Mailbox(around)
    this.blobs = new Blobs({ ...around, blobs: this.files, onFault: (fault) => this.faults.push(fault), ...choices })
  }

  async close(): Promise<void> {
    await this.store.close()
    await this.files.close()
  }

  async restart(choices: Choices = {}): Promise<void> {
    await this.close()
    await this.open(choices)
  }

  async queue(caller: Caller = anna): Promise<Keys> {
    const keys = drawKeys()
    const create = this.mailbox.service.unary['mailbox.create']!
    await create({ ...keys, policy: 'disk', ttl: 3_600 }, caller)
    return keys
  }

  /** As over the wire. */
  async call(method: string, args: unknown, caller: Caller): Promise<unknown> {
    const { unary, bulk } = this.blobs.service
    const handler = unary[`blobs.${method}`] ?? bulk![`blobs.${method}`]!
    return decodeMessage(encodeMessage(await handler(decodeMessage(encodeMessage(args)), caller)))
  }

  async begin(keys: Keys, n: number, pieces: number, noStore = false): Promise<number[]> {
    const { sid, sauth } = keys
    const { map } = (await this.call('begin', { sid, sauth, blob: blobOf(n), pieces, noStore }, guest)) as {
      map: Uint8Array
    }
    return [...map]
  }

  put({ sid, sauth }: Keys, n: number, index: number, piece: Uint8Array = pieceOf(index)): Promise<unknown> {
    return this.call('put', { sid, sauth, blob: blobOf(n), index, piece }, guest)
  }

  async fill(keys: Keys, n: number, pieces: number, noStore = false): Promise<void> {
    await this.begin(keys, n, pieces, noStore)
    for (let index = 0; index < pieces; index++) await this.put(keys, n, index)
  }

  /** The piece, opened. */
  async get({ rid, rauth, seal }: Keys, n: number, index: number, caller: Caller = anna): Promise<Uint8Array> {
    const { box } = (await this.call('get', { rid, rauth, blob: blobOf(n), index }, caller)) as { box: Uint8Array }
    return xchacha20poly1305.open(seal, box.subarray(0, 24), box.subarray(24))!
  }

  getRefusal(keys: Keys, n: number, index: number, caller: Caller = anna): Promise<string> {
    return refusalOf(this.get(keys, n, index, caller))
  }
}
