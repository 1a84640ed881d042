/** The keeper against a gateway made of a map: what is pointed to, what is fetched, what carries. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { CompiledTemplate } from '#engine/compile.ts'
import { compileTemplate } from '#engine/compile.ts'
import { loadTemplate } from '#engine/load.ts'
import { hex } from '#protocol/bytes.ts'
import { ed25519PublicKey } from '#protocol/crypto/ed25519.ts'
import { sha256 } from '#protocol/crypto/hash.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import { certifyPackKey, type PackManifest, sealPack } from '#protocol/pack.ts'
import type { PackPointer } from '#protocol/session/frames.ts'
import { VirtualTime } from '#test/helpers/virtual-time.ts'
import type { Clockwork } from '../clockwork.ts'
import { NETWORK_TABLES, NetworkMemory } from '../network-memory.ts'
import { openStore } from '../store/open-store.ts'
import type { Store } from '../store/store.ts'
import type { PackTunnel } from './keeper.ts'
import { PackKeeper } from './keeper.ts'
import { Looks } from './looks.ts'
import { PACK_TABLES, PackShelf } from './memory.ts'

const rootSeed = randomBytes(32)
const root = ed25519PublicKey(rootSeed)
const signing = randomBytes(32)
const START = 1_700_000_000
const file = join(import.meta.dirname, '../../camouflage-templates/templates/support-chat/template.yaml')
const yaml = readFileSync(file, 'utf8')
const template = (n: number, family = 'node'): string =>
  yaml
    .replace('id: support-chat', `id: look-${n}`)
    .replace('family: node', `family: ${family}`)
    .replaceAll('/api/support/v1/', `/api/v${n}/`)
const certificate = certifyPackKey(rootSeed, {
  key: ed25519PublicKey(signing),
  from: START - 1_000,
  until: START + 900_000,
})

function pack(serial: number, texts: readonly string[], change: Partial<PackManifest> = {}): Uint8Array {
  const times = { from: START - 1_000, until: START + 800_000, ttl: 3_600, overlap: 600 }
  const manifest = { serial, floor: serial - 1, ...times, canary: 1_000, ...change }
  return sealPack(signing, { certificate, manifest, templates: texts })
}

const bootstrap = compileTemplate(loadTemplate(yaml, file))

/** The other side: what the gateway has, what the network lets through, and what it was told. */
class World implements PackTunnel {
  readonly time = new VirtualTime(START * 1000)
  readonly bodies = new Map<string, Uint8Array>()
  readonly reports: string[] = []
  readonly tried: string[] = []
  readonly blocked = new Set<string>()
  busy = false
  pointer: PackPointer = { stage: 0, ttl: 3_600, hash: new Uint8Array(0) }
  network: Uint8Array = new Uint8Array(16)
  fetches = 0
  piece = 1_000
  calls = 0
  look: CompiledTemplate = bootstrap

  async call(method: string, args: unknown): Promise<unknown> {
    this.calls++
    const { hash, offset, outcome } = args as { hash: Uint8Array; offset: number; outcome: string }
    if (method === 'packs.pointer') return this.pointer
    if (method === 'packs.report') return void this.reports.push(`${this.serials.get(hex(hash))} ${outcome}`)
    this.fetches++
    const body = this.bodies.get(hex(hash))
    if (body === undefined) throw new Error('unknown')
    return { length: body.length, data: body.subarray(offset, offset + this.piece) }
  }

  readonly serials = new Map<string, number>()

  async trial(look: CompiledTemplate): Promise<'carried' | 'failed' | 'busy'> {
    this.tried.push(look.id)
    if (this.busy) return 'busy'
    return this.blocked.has(look.id) || this.blocked.has('everything') ? 'failed' : 'carried'
  }

  use(look: CompiledTemplate): void {
    this.look = look
  }

  /** Puts a pack into the gateway; `served` is what it really gives. */
  offer(serial: number, bytes: Uint8Array, served = bytes): Uint8Array {
    const hash = sha256(bytes)
    this.bodies.set(hex(hash), served)
    this.serials.set(hex(hash), serial)
    return hash
  }
}

interface Setting {
  readonly world: World
  readonly store: Store
  open(): { keeper: PackKeeper; looks: Looks; memory: NetworkMemory }
}

function setting(t: ExecutionContext): Setting {
  const folder = mkdtempSync(join(tmpdir(), 'sotto-keeper-'))
  const store = openStore({ folder, tables: [...PACK_TABLES, ...NETWORK_TABLES], random: randomBytes })
  t.teardown(() => {
    store.close()
    rmSync(folder, { recursive: true })
  })
  const world = new World()
  const clockwork: Clockwork = {
    now: () => world.time.now,
    random: randomBytes,
    after: world.time.after,
    soon: (run) => void world.time.after(0, run),
  }
  const open = (): { keeper: PackKeeper; looks: Looks; memory: NetworkMemory } => {
    const memory = new NetworkMemory(store, 'e', async () => world.network)
    const looks = new Looks({ bootstrap, memory })
    const shelf = new PackShelf(store, 'e')
    const keeper = new PackKeeper({ root, fits: ({ family }) => family === 'node', looks, memory, shelf, clockwork })
    keeper.attach(world)
    return { keeper, looks, memory }
  }
  return { world, store, open }
}

const settle = async (): Promise<void> => {
  for (let i = 0; i < 30; i++) await new Promise((resolve) => setImmediate(resolve))
}
const point = async (keeper: PackKeeper, stage: 0 | 1 | 2, hash: Uint8Array = new Uint8Array(0)): Promise<void> => {
  keeper.pointed({ stage, ttl: 3_600, hash })
  await settle()
}

test('a pack is fetched once, tried, used, reported and kept', async (t) => {
  const { world, open } = setting(t)
  const { keeper } = open()
  const hash = world.offer(1, pack(1, [template(1)]))
  await point(keeper, 1, hash)
  t.is(world.look.id, 'look-1')
  t.deepEqual(world.reports, ['1 applied'])
  t.like(keeper.inUse, { serial: 1, template: 'look-1' })
  const { fetches } = world
  await point(keeper, 2, hash)
  await point(keeper, 2, hash)
  t.is(world.fetches, fetches, 'the hash is the same: nothing to fetch')
  t.deepEqual(world.reports, ['1 applied'])
  keeper.close()
  const again = open()
  t.like(again.keeper.inUse, { serial: 1 })
  t.deepEqual(
    (await again.looks.candidates()).map(({ id }) => id),
    ['look-1', 'support-chat'],
    'after a restart it begins with the pack, and has the invite’s template behind it',
  )
  again.keeper.close()
})

test('of several templates the first that carries is used', async (t) => {
  const { world, open } = setting(t)
  const { keeper } = open()
  world.blocked.add('look-1')
  await point(keeper, 2, world.offer(1, pack(1, [template(1), template(2), template(3)])))
  t.is(world.look.id, 'look-2')
  t.deepEqual(world.tried, ['look-1', 'look-2'])
  t.deepEqual(world.reports, ['1 applied'])
  keeper.close()
})

test('a canary that carries nothing is reported once, and changes nothing', async (t) => {
  const { world, open } = setting(t)
  const { keeper, looks } = open()
  const good = world.offer(1, pack(1, [template(1)]))
  await point(keeper, 2, good)
  world.blocked.add('look-2')
  const bad = world.offer(2, pack(2, [template(2)]))
  await point(keeper, 1, bad)
  await point(keeper, 1, bad)
  t.is(world.look.id, 'look-1')
  t.like(keeper.inUse, { serial: 1, template: 'look-1' })
  t.deepEqual(world.reports, ['1 applied', '2 failed'])
  t.deepEqual(
    (await looks.candidates()).map(({ id }) => id),
    ['look-1', 'support-chat'],
  )
  keeper.close()
})

test('where nothing carries at all, the pack is not blamed, and is tried again', async (t) => {
  const { world, open } = setting(t)
  const { keeper } = open()
  world.blocked.add('everything')
  await point(keeper, 1, world.offer(1, pack(1, [template(1)])))
  t.deepEqual(world.reports, [])
  world.blocked.clear()
  await world.time.run(() => world.reports.length > 0, 60_000)
  t.deepEqual(world.reports, ['1 applied'])
  keeper.close()
})

test('a tunnel that cannot try now is asked again later', async (t) => {
  const { world, open } = setting(t)
  const { keeper } = open()
  world.busy = true
  await point(keeper, 1, world.offer(1, pack(1, [template(1)])))
  t.is(world.look, bootstrap)
  world.busy = false
  await world.time.run(() => world.look !== bootstrap, 60_000)
  t.is(world.look.id, 'look-1')
  keeper.close()
})

const genuine = pack(2, [template(2)])
const other = randomBytes(32)
const foreign = certifyPackKey(other, { key: ed25519PublicKey(signing), from: START - 1_000, until: START + 900_000 })
const refused: Record<string, { readonly bytes: Uint8Array; readonly served?: Uint8Array }> = {
  'cut off': { bytes: genuine, served: genuine.subarray(0, -1) },
  'altered on the way': { bytes: genuine, served: genuine.with(400, 0) },
  'another pack than named': { bytes: genuine, served: pack(3, [template(3)]) },
  'altered by the gateway': { bytes: genuine.with(400, 0) },
  'of another root': {
    bytes: sealPack(signing, {
      certificate: foreign,
      manifest: {
        ...{ serial: 2, floor: 1, from: START - 1_000, until: START + 9_000 },
        ...{ ttl: 60, overlap: 0, canary: 1 },
      },
      templates: [template(2)],
    }),
  },
  expired: { bytes: pack(2, [template(2)], { until: START - 1 }) },
  'not valid yet': { bytes: pack(2, [template(2)], { from: START + 100 }) },
  'no template in it': { bytes: pack(2, ['hello: world\n']) },
  'two templates of one id': { bytes: pack(2, [template(2), template(2)]) },
  'for another client': { bytes: pack(2, [template(2, 'chromium')]) },
  'not a pack': { bytes: randomBytes(5_000) },
}

for (const [name, { bytes, served }] of Object.entries(refused)) {
  test(`a bad pack changes nothing but is reported: ${name}`, async (t) => {
    const { world, open } = setting(t)
    const { keeper } = open()
    await point(keeper, 2, world.offer(1, pack(1, [template(1)])))
    await point(keeper, 2, world.offer(2, bytes, served))
    t.is(world.look.id, 'look-1')
    t.like(keeper.inUse, { serial: 1, template: 'look-1' })
    t.deepEqual(world.reports, ['1 applied', '2 failed'])
    keeper.close()
    const again = open()
    t.like(again.keeper.inUse, { serial: 1 })
    again.keeper.close()
  })
}

test('a kept pack that has expired, or was damaged, is left out at the next start; the last good one stands in', async (t) => {
  const { world, store, open } = setting(t)
  const { keeper } = open()
  await point(keeper, 2, world.offer(1, pack(1, [template(1)])))
  await point(keeper, 1, world.offer(2, pack(2, [template(2)], { until: START + 1_000 })))
  t.like(keeper.inUse, { serial: 2 })
  keeper.close()
  world.time.now += 2_000_000
  const expired = open()
  t.like(expired.keeper.inUse, { serial: 1 })
  t.deepEqual(
    (await expired.looks.candidates()).map(({ id }) => id),
    ['look-1', 'support-chat'],
  )
  expired.keeper.close()
  const shelf = new PackShelf(store, 'e')
  shelf.save({ ...shelf.load(), applied: randomBytes(3_000), good: randomBytes(3_000) })
  const damaged = open()
  t.is(damaged.keeper.inUse, undefined)
  t.deepEqual(
    (await damaged.looks.candidates()).map(({ id }) => id),
    ['support-chat'],
  )
  await point(damaged.keeper, 2, world.offer(1, pack(1, [template(1)])))
  t.like(damaged.keeper.inUse, { serial: 1 }, 'and it comes again')
  damaged.keeper.close()
})

test('a gateway that gives a pack octet by octet is not waited for', async (t) => {
  const { world, open } = setting(t)
  const { keeper } = open()
  world.piece = 1
  const hash = world.offer(1, pack(1, [template(1)]))
  keeper.pointed({ stage: 2, ttl: 3_600, hash })
  for (let i = 0; i < 20; i++) await settle()
  t.deepEqual(world.reports, ['1 failed'])
  t.true(world.fetches <= 64)
  keeper.close()
})

test('below the floor nothing comes back; a step back within it does', async (t) => {
  const { world, open } = setting(t)
  const { keeper } = open()
  const hashes = [1, 2, 3].map((n) => world.offer(n, pack(n, [template(n)])))
  for (const hash of hashes) await point(keeper, 2, hash)
  t.like(keeper.inUse, { serial: 3 })
  await point(keeper, 2, hashes[1])
  t.like(keeper.inUse, { serial: 2, template: 'look-2' })
  await point(keeper, 2, hashes[0])
  t.like(keeper.inUse, { serial: 2, template: 'look-2' }, 'the floor of pack 3 stands')
  await point(keeper, 0)
  t.like(keeper.inUse, { serial: 2 }, 'nor the templates before there were packs')
  keeper.close()
  const again = open()
  await point(again.keeper, 2, hashes[0])
  t.like(again.keeper.inUse, { serial: 2 }, 'and after a restart')
  again.keeper.close()
})

test('a pack that has expired makes way for the invite’s template, whatever its floor', async (t) => {
  const { world, open } = setting(t)
  const { keeper } = open()
  await point(keeper, 2, world.offer(1, pack(1, [template(1)], { floor: 1, until: START + 1_000 })))
  await point(keeper, 0)
  t.is(world.look.id, 'look-1')
  world.time.now += 1_000_000
  await point(keeper, 0)
  t.is(world.look, bootstrap)
  t.is(keeper.inUse, undefined)
  keeper.close()
})

test('a canary’s floor counts only once it is everybody’s', async (t) => {
  const { world, open } = setting(t)
  const { keeper } = open()
  const [first, second] = [1, 2].map((n) => world.offer(n, pack(n, [template(n)], { floor: n })))
  await point(keeper, 2, first)
  await point(keeper, 1, second)
  t.like(keeper.inUse, { serial: 2 })
  await point(keeper, 2, first)
  t.like(keeper.inUse, { serial: 1 }, 'the canary was taken back')
  await point(keeper, 2, second)
  await point(keeper, 2, first)
  t.like(keeper.inUse, { serial: 2 })
  keeper.close()
})

test('the first pack can be taken back to the invite’s template', async (t) => {
  const { world, open } = setting(t)
  const { keeper } = open()
  await point(keeper, 2, world.offer(1, pack(1, [template(1)])))
  await point(keeper, 0)
  t.is(world.look, bootstrap)
  t.is(keeper.inUse, undefined)
  keeper.close()
})

test('a pack that stops carrying is left for the last good one, and reported', async (t) => {
  const { world, open } = setting(t)
  const { keeper, looks } = open()
  await point(keeper, 2, world.offer(1, pack(1, [template(1)])))
  await point(keeper, 1, world.offer(2, pack(2, [template(2)])))
  t.is(world.look.id, 'look-2')
  // The tunnel had to change by itself.
  world.blocked.add('look-2')
  world.look = (await looks.candidates()).find(({ id }) => id === 'look-1')!
  keeper.changed()
  await settle()
  t.deepEqual(world.reports, ['1 applied', '2 applied', '2 failed'])
  t.like(keeper.inUse, { serial: 1, template: 'look-1' })
  keeper.close()
})

test('a pack that carries when it is tried and not when it is used is left in the end', async (t) => {
  const { world, open } = setting(t)
  const { keeper, looks } = open()
  await point(keeper, 2, world.offer(1, pack(1, [template(1)])))
  await point(keeper, 1, world.offer(2, pack(2, [template(2)])))
  for (let n = 0; n < 3; n++) {
    t.is(world.look.id, 'look-2')
    world.look = (await looks.candidates()).find(({ id }) => id === 'look-1')!
    keeper.changed()
    await settle()
  }
  t.is(world.look.id, 'look-1')
  t.is(world.reports.at(-1), '2 failed')
  keeper.close()
})

test('what failed here is tried again on another network, and after the ttl', async (t) => {
  const { world, open } = setting(t)
  const { keeper } = open()
  world.blocked.add('look-1')
  const hash = world.offer(1, pack(1, [template(1)]))
  await point(keeper, 1, hash)
  world.blocked.clear()
  await point(keeper, 1, hash)
  t.is(world.look, bootstrap)
  world.network = new Uint8Array(16).fill(7)
  await point(keeper, 1, hash)
  t.is(world.look.id, 'look-1')
  keeper.close()

  const later = setting(t)
  const second = later.open()
  later.world.blocked.add('look-1')
  const same = later.world.offer(1, pack(1, [template(1)]))
  await point(second.keeper, 1, same)
  later.world.blocked.clear()
  later.world.pointer = { stage: 1, ttl: 3_600, hash: same }
  await later.world.time.run(() => later.world.look !== bootstrap, 4_000_000)
  t.is(later.world.look.id, 'look-1')
  second.keeper.close()
})

test('a gateway that names a short time is not asked all the time', async (t) => {
  const { world, open } = setting(t)
  const { keeper } = open()
  keeper.pointed({ stage: 0, ttl: 0, hash: new Uint8Array(0) })
  await world.time.run(() => false, 600_000)
  t.true(world.calls <= 12, `${world.calls} questions in ten minutes`)
  t.true(world.calls > 0)
  keeper.close()
})

test('what worked on this network comes first, on every network its own', async (t) => {
  const { world, open } = setting(t)
  const { keeper, looks, memory } = open()
  const ids = async (): Promise<string[]> => (await looks.candidates()).map(({ id }) => id)
  await point(keeper, 2, world.offer(1, pack(1, [template(1), template(2)])))
  t.deepEqual(await ids(), ['look-1', 'look-2', 'support-chat'])
  world.network = new Uint8Array(16).fill(1)
  await looks.worked((await looks.candidates())[1]!)
  t.deepEqual(await ids(), ['look-2', 'look-1', 'support-chat'])
  world.network = new Uint8Array(16)
  t.deepEqual(await ids(), ['look-1', 'look-2', 'support-chat'])
  for (let n = 2; n < 40; n++) {
    world.network = new Uint8Array(16).fill(n)
    await memory.remember('x')
  }
  world.network = new Uint8Array(16).fill(1)
  t.deepEqual(await memory.worked(), [], 'networks long not seen are forgotten')
  keeper.close()
})

test('who has chosen a template keeps it', async (t) => {
  const { world, open } = setting(t)
  const { keeper, looks } = open()
  looks.pin(bootstrap)
  await point(keeper, 2, world.offer(1, pack(1, [template(1)])))
  t.is(world.look, bootstrap)
  t.deepEqual(
    (await looks.candidates()).map(({ id }) => id),
    ['support-chat'],
  )
  keeper.close()
})
