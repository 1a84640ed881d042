import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { openStore, type Store } from '#gateway/store/store.ts'
import { utf8 } from '#protocol/bytes.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import type { Caller } from '#protocol/services/service.ts'
import { CARD_BOX_BYTES, openCard, sealCard } from '#protocol/tracker/card-box.ts'
import { anna, drawKeys, guest, type Keys, refusalOf } from '../mailbox/fixture.ts'
import { MAILBOX_TABLES, Mailbox } from '../mailbox/mailbox.ts'
import { CARD_TABLES, Cards } from './cards.ts'

class Fixture {
  readonly folder: string
  readonly store: Store
  readonly cards: Cards
  readonly mailbox: Mailbox
  readonly disk: { full: boolean }

  private constructor(folder: string, store: Store, disk: { full: boolean }) {
    this.folder = folder
    this.disk = disk
    this.store = store
    this.cards = new Cards({ store })
    this.mailbox = new Mailbox({ store, now: () => 1_700_000_000_000, random: randomBytes })
  }

  static async create(t: ExecutionContext): Promise<Fixture> {
    const folder = mkdtempSync(join(tmpdir(), 'sotto-cards-'))
    const tables = [...MAILBOX_TABLES, ...CARD_TABLES]
    const disk = { full: false }
    const freeBytes = (): number => (disk.full ? 0 : Number.MAX_SAFE_INTEGER)
    const store = await openStore({ folder, key: new Uint8Array(32), tables, create: true, freeBytes })
    t.teardown(async () => {
      await store.close()
      rmSync(folder, { recursive: true, force: true })
    })
    return new Fixture(folder, store, disk)
  }

  async queue(): Promise<Keys> {
    const keys = drawKeys()
    await this.call('mailbox.create', { ...keys, policy: 'disk', ttl: 3_600 })
    return keys
  }

  async call(method: string, args: unknown, caller: Caller = anna): Promise<unknown> {
    const service = method.startsWith('cards') ? this.cards.service : this.mailbox.service
    return await service.unary[method]!(args, caller)
  }

  publish({ rid, rauth }: Pick<Keys, 'rid' | 'rauth'>, box: Uint8Array, caller?: Caller): Promise<unknown> {
    return this.call('cards.publish', { rid, rauth, box }, caller)
  }

  fetch({ sid, sauth }: Pick<Keys, 'sid' | 'sauth'>, caller: Caller = guest): Promise<unknown> {
    return this.call('cards.fetch', { sid, sauth }, caller)
  }
}

test('a card lies beside its queue for who may write there, and the last one replaces the one before', async (t) => {
  const fixture = await Fixture.create(t)
  const keys = await fixture.queue()
  t.is(await refusalOf(fixture.fetch(keys)), 'none')
  const root = randomBytes(32)
  const card = utf8('a card with a planted name')
  await fixture.publish(keys, randomBytes(100))
  await fixture.publish(keys, sealCard(root, card, randomBytes))
  const { box } = (await fixture.fetch(keys)) as { box: Uint8Array }
  t.deepEqual(openCard(root, box), card)
  t.is(openCard(randomBytes(32), box), undefined)
  t.is(openCard(root, box.slice(0, 10)), undefined)
  t.is(readFileSync(join(fixture.folder, 'data.mdb')).indexOf('planted'), -1)
})

test('nobody else lays a card there, and nobody else takes one', async (t) => {
  const fixture = await Fixture.create(t)
  const [keys, other] = [await fixture.queue(), await fixture.queue()]
  const box = randomBytes(100)
  t.is(await refusalOf(fixture.publish({ rid: keys.rid, rauth: other.rauth }, box)), 'unknown')
  t.is(await refusalOf(fixture.publish(keys, box, guest)), 'forbidden')
  t.is(await refusalOf(fixture.publish(keys, new Uint8Array(CARD_BOX_BYTES + 1))), 'invalid', 'CARD_BOX_BYTES')
  t.is(await refusalOf(fixture.call('cards.publish', { ...keys, box })), 'invalid')
  await fixture.publish(keys, box)
  t.is(await refusalOf(fixture.fetch({ sid: keys.sid, sauth: other.sauth })), 'unknown')
  t.is(await refusalOf(fixture.fetch({ sid: keys.rid, sauth: keys.rauth })), 'unknown')
})

test('a card goes with its queue', async (t) => {
  const fixture = await Fixture.create(t)
  const [kept, gone] = [await fixture.queue(), await fixture.queue()]
  for (const keys of [kept, gone]) await fixture.publish(keys, randomBytes(100))
  t.is(await fixture.cards.sweep(), 0)
  await fixture.call('mailbox.delete', { rid: gone.rid, rauth: gone.rauth })
  t.is(await fixture.cards.sweep(), 1)
  t.is(await refusalOf(fixture.fetch(gone)), 'unknown')
  t.truthy(await fixture.fetch(kept))
})

test('a full disk: refused, and what was there is there', async (t) => {
  const fixture = await Fixture.create(t)
  const keys = await fixture.queue()
  const box = randomBytes(100)
  await fixture.publish(keys, box)
  fixture.disk.full = true
  t.is(await refusalOf(fixture.publish(keys, randomBytes(100))), 'unavailable')
  t.deepEqual(await fixture.fetch(keys), { box })
})
