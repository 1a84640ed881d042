/**
 * A process with real folders is killed (SIGKILL) while it says and changes, receives and reads, sends and fetches a file, and updates
 * its keys. The points at which that can be are counted in a first run, before and after every call that leaves something outside
 * the process (fixtures/fault-points.ts); the long mode takes every one of them, else some over the whole are taken. `crash.test.ts`
 * has every step of the store in memory.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { BlobGateway } from '#client/files/fixtures/blobs.ts'
import { FilesPerson, octetsOf, sourceOf } from '#client/files/fixtures/people.ts'
import { FILE_TABLES } from '#client/files/transfer.ts'
import { openStore } from '#client/store/open-store.ts'
import type { Store } from '#client/store/store.ts'
import { concat, fromHex, hex, latin1, utf8 } from '#protocol/bytes.ts'
import { xchacha20poly1305 } from '#protocol/crypto/aead.ts'
import type { Task } from './fixtures/doomed.ts'
import { CHANGING, READING } from './fixtures/fault-points.ts'
import { acquainted, Person, World } from './fixtures/world.ts'
import { CHAT_TABLES } from './records.ts'

const MINUTE = 60_000
const DOOMED = fileURLToPath(new URL('fixtures/doomed.ts', import.meta.url))
/** Points tried where the long mode does not take all. */
const TRIED = 10
const isLong = process.env.SOTTO_LONG === '1'
/** Messages said before, so that with greetings, receipts and news of files an exchange of ML-KEM is due (`ChatLimits`, after 50). */
const SAID = 46
/** In three pieces, and in two. */
const [SENT, FETCHED] = [octetsOf(70_000, 3), octetsOf(40_000, 4)]
const GATEWAY = utf8('gateway')

type Hexed = Readonly<Record<string, string>>
interface Line {
  readonly key?: string
  readonly message?: string
  readonly heals?: boolean
  readonly put?: Hexed
  readonly begin?: Hexed & { readonly count: number }
  readonly piece?: Hexed & { readonly index: number }
  readonly removed?: Hexed
  readonly points?: number
  readonly saved?: string
}

class Scene {
  readonly world = new World(21)
  readonly folder: string = mkdtempSync(join(tmpdir(), 'sotto-kill-'))
  readonly alice: FilesPerson
  readonly bob: FilesPerson
  readonly blobs: BlobGateway
  private store: Store | undefined

  constructor() {
    const { world, folder } = this
    this.blobs = new BlobGateway(world.gateway)
    const gateways = new Map([[latin1(GATEWAY), this.blobs]])
    const alice = new Person(world, 'Alice', undefined, () => this.open())
    this.alice = new FilesPerson(world, 'Alice', gateways, folder, alice)
    this.bob = new FilesPerson(world, 'Bob', gateways, folder)
  }

  /** Alice's own folder, closed first where this program has it open. */
  private open(): Store {
    this.store?.close()
    const tables = [...CHAT_TABLES, ...FILE_TABLES]
    this.store = openStore({ folder: join(this.folder, 'chat'), tables, random: this.world.chance.bytes })
    return this.store
  }

  async begin(): Promise<void> {
    const { world } = this
    const [alice, bob] = [this.alice.person, this.bob.person]
    await acquainted(world, alice, bob)
    for (const text of ['hello', 'to be edited', 'to be withdrawn']) alice.chat.send(bob.id, text)
    await world.pass(MINUTE)
    for (let i = 0; i < SAID; i++) bob.chat.send(alice.id, `${i}`)
    await world.pass(5 * MINUTE)
    await this.bob.files.send(alice.id, sourceOf(FETCHED, 'in.bin'))
    await world.pass(MINUTE)
    alice.mailbox.disconnect()
    this.alice.blobs.disconnect()
    this.alice.files.close()
    alice.store.die()
    this.store!.close()
    bob.chat.send(alice.id, 'to one who is about to die')
    bob.chat.react(alice.id, this.idOf('hello'), '👍')
    await world.pass(MINUTE)
  }

  private idOf(text: string): string {
    const { alice, bob } = this
    return bob.person.chat.history(alice.id, { limit: 99 }).find((each) => each.text === text)!.id
  }

  /** Runs the other process; 0: to its end. What left it has arrived at the gateway. */
  run(point: number): Line[] {
    const { world, alice, bob, folder, blobs } = this
    const arrives = bob.person.records.contact(fromHex(alice.id)!)!.addresses.flatMap(({ sid }) => {
      const queue = world.gateway.queueOf(sid)!
      return queue.waiting.map(({ id, body }) => {
        const nonce = world.chance.bytes(24)
        const box = concat(nonce, xchacha20poly1305.seal(queue.seal, nonce, body))
        return { rid: hex(queue.rid), id: hex(id), box: hex(box) }
      })
    })
    const pieces = [...[...blobs.blobs.values()][0]!.pieces].sort(([a], [b]) => a - b).map(([, piece]) => hex(piece))
    const places = { vault: alice.vaultFolder, saved: join(folder, 'saved') }
    const what = { gateway: hex(GATEWAY), arrives, pieces, content: hex(SENT) }
    const task: Task = { to: bob.id, now: world.time.now, ...places, ...what }
    const argv = ['--no-warnings', DOOMED, join(folder, 'chat'), `${point}`]
    const { stdout, signal, stderr, status } = spawnSync(process.execPath, argv, {
      ...{ input: JSON.stringify(task), encoding: 'utf8', env: { ...process.env, NODE_OPTIONS: '' } },
      maxBuffer: 2 ** 26,
    })
    if (point > 0 ? signal !== 'SIGKILL' : status !== 0) throw new Error(`${point}: ${signal} ${status} ${stderr}`)
    const lines = stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Line)
    for (const line of lines) this.arrived(line)
    return lines
  }

  private arrived({ key, message, put, begin, piece, removed }: Line): void {
    const { world, blobs } = this
    const of = (octets: string | undefined): Uint8Array => fromHex(octets!)!
    if (key !== undefined) world.noteSealed(key, message!)
    if (put !== undefined) {
      const { sid, sauth, id, body } = put
      world.gateway.put({ gateway: GATEWAY, sid: of(sid), sauth: of(sauth), id: of(id), body: of(body) })
    }
    const place = (hexed: Hexed) => ({ gateway: GATEWAY, sid: of(hexed.sid), sauth: of(hexed.sauth) })
    if (begin !== undefined) blobs.begin(place(begin), of(begin.blob), begin.count, false)
    if (piece !== undefined) blobs.put(place(piece), of(piece.blob), piece.index, of(piece.octets))
    if (removed !== undefined) {
      const own = { gateway: GATEWAY, rid: of(removed.rid), rauth: of(removed.rauth), seal: new Uint8Array(0) }
      blobs.remove(own, of(removed.blob))
    }
  }

  /** Alice's program is started again, and everything goes on. */
  async goOn(): Promise<void> {
    const { world, alice, bob } = this
    alice.restart()
    alice.person.chat.connected()
    await world.pass(30 * MINUTE)
    bob.person.chat.send(alice.id, 'and afterwards')
    alice.person.chat.send(bob.id, 'so am I')
    await world.pass(30 * MINUTE)
  }

  end(): void {
    this.store?.close()
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** What one of them sees of what was said, as the other one has to see it. */
function seenBy(person: FilesPerson, other: FilesPerson): object[] {
  return person.person.chat
    .history(other.id, { limit: 999 })
    .map(({ id, from, text, file, edited, withdrawn, myReaction, theirReaction }) => ({
      ...{ id, by: from === 'me' ? person.id : other.id, text, file, edited, withdrawn },
      ...{ [person.id]: myReaction, [other.id]: theirReaction },
    }))
    .sort((one, two) => (one.id < two.id ? -1 : 1))
}

test('killed at any point: nothing is lost or comes twice, both see the same, and no key seals twice', async (t) => {
  t.timeout(isLong ? 7_200_000 : 600_000)
  const first = new Scene()
  t.teardown(() => first.end())
  await first.begin()
  const ran = first.run(0)
  const points = ran.at(-1)?.points ?? 0
  t.true(points > 200, `${points} points`)
  t.deepEqual(readFileSync(ran.at(-1)!.saved!), FETCHED)
  t.true(
    ran.some(({ heals }) => heals),
    'a step of the healing is among what was sealed',
  )
  const every = Math.max(1, Math.ceil(points / TRIED))
  const chosen = Array.from({ length: points }, (_, i) => i + 1).filter((point) => isLong || point % every === 1)
  const kept = new Map<string, number>()
  for (const point of chosen) {
    const scene = new Scene()
    const { world, alice, bob, blobs } = scene
    await scene.begin()
    scene.run(point)
    await scene.goOn()
    const at = `point ${point}`
    const hers = alice.person.chat.history(bob.id, { limit: 999 })
    t.deepEqual(seenBy(bob, alice), seenBy(alice, bob), at)
    const told = bob.person.told(alice.person)
    t.is(new Set(told).size, told.length, `${at}: told of once`)
    t.deepEqual(
      alice.person.texts(bob.person),
      [...Array.from({ length: SAID }, (_, i) => `${i}`), 'in.bin', 'to one who is about to die', 'and afterwards'],
      at,
    )
    for (const each of hers) kept.set(each.text, (kept.get(each.text) ?? 0) + 1)
    if (alice.person.chat.updates === 1) kept.set('keys', (kept.get('keys') ?? 0) + 1)
    await checkFiles(scene, at, t.deepEqual)
    t.deepEqual([...alice.person.records.outbox(), ...bob.person.records.outbox()], [], at)
    const problems = [...alice.person.problems(), ...bob.person.problems()]
    t.deepEqual([...world.broken, ...world.gateway.broken, ...problems], [], at)
    t.is(blobs.blobs.size, 0, `${at}: nothing is left at the gateway`)
    scene.end()
  }
  // The keys are updated at the very end.
  for (const what of ['from one who is about to die', 'edited', 'out.bin', ...(isLong ? ['keys'] : [])])
    t.true(
      (kept.get(what) ?? 0) > 0 && kept.get(what)! < chosen.length,
      `${what}: ${kept.get(what)} of ${chosen.length}`,
    )
})

/** What was on its way arrives whole, and what is no file of anybody's is not left behind. */
async function checkFiles(
  { world, alice, bob }: Scene,
  at: string,
  equal: (a: unknown, b: unknown, at: string) => void,
): Promise<void> {
  for (const [person, other, content] of [
    [bob, alice, SENT],
    [alice, bob, FETCHED],
  ] as const) {
    for (const { id, message } of person.files.list().filter(({ way }) => way === 'in')) {
      person.files.fetch(other.id, message!)
      await world.pass(10 * MINUTE)
      equal(await person.content(id), content, at)
    }
    const known = person.files.list().filter(({ way }) => way === 'in')
    equal(readdirSync(person.vaultFolder).sort(), known.map(({ id }) => id).sort(), at)
  }
}

test('the points are all there are: stores and vaults change files by no other call', (t) => {
  const known = new Set<string>([...CHANGING, ...READING])
  const used = new Set<string>()
  const root = fileURLToPath(new URL('../..', import.meta.url))
  for (const folder of ['client/chat', 'client/files', 'client/store']) {
    for (const name of readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })) {
      if (!name.endsWith('.ts') || name.endsWith('.test.ts') || name.includes('fixtures/')) continue
      const text = readFileSync(join(root, folder, name), 'utf8')
      for (const [, names] of text.matchAll(/import \{([^}]*)\} from 'node:fs'/g))
        for (const each of names!.split(',')) if (!/^\s*(type .*)?$/.test(each)) used.add(each.trim())
      t.notRegex(text, /from 'node:fs\/promises'|from 'node:child_process'|import fs from/, name)
    }
  }
  t.deepEqual(
    [...used].filter((name) => !known.has(name)),
    [],
  )
  t.deepEqual(
    CHANGING.filter((name) => !used.has(name)),
    [],
    'and none that nobody calls',
  )
})
