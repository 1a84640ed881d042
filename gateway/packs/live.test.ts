/** Packs in a real store, with a running gateway made of its parts: what it accepts, where it points, what it decides. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { hex } from '#protocol/bytes.ts'
import { ed25519PublicKey } from '#protocol/crypto/ed25519.ts'
import { isSottoError } from '#protocol/errors.ts'
import { certifyPackKey, type PackManifest, sealPack } from '#protocol/pack.ts'
import { ServiceFailure } from '#protocol/services/service.ts'
import { PackStage } from '#protocol/session/frames.ts'
import { builtinText, compileBuiltins } from '../../camouflage-templates/builtin.ts'
import { PIECE, packService } from '../services/packs.ts'
import { openStore, type Store } from '../store/store.ts'
import { LivePacks } from './live.ts'
import { Packs } from './packs.ts'
import { PACK_TABLES, PackKeepLimits } from './records.ts'

const rootSeed = new Uint8Array(32).fill(1)
const signing = new Uint8Array(32).fill(2)
const START = 1_700_000_000
const base = compileBuiltins().filter(({ id }) => id === 'support-chat')

function pack(serial: number, change: Partial<PackManifest> = {}, texts = [look(serial)]): Uint8Array {
  const certificate = certifyPackKey(rootSeed, {
    key: ed25519PublicKey(signing),
    from: START - 1_000,
    until: START + 900_000,
  })
  const times = { from: START - 1_000, until: START + 800_000, ttl: 3_600, overlap: 600 }
  const manifest = { serial, floor: serial - 1, ...times, canary: 2_000, ...change }
  return sealPack(signing, { certificate, manifest, templates: texts })
}

const look = (n: number): string =>
  builtinText('support-chat').replace('id: support-chat', `id: look-${n}`).replaceAll('/api/support/v1/', `/api/v${n}/`)

interface Scene {
  readonly store: Store
  readonly packs: Packs
  readonly live: LivePacks
  readonly clock: { now: number }
  /** Ids of the templates accepted now. */
  readonly accepted: () => string[]
  readonly log: string[]
  readonly members: string[]
  /** Looks until nothing more happens. */
  look(): Promise<void>
}

async function scene(t: ExecutionContext): Promise<Scene> {
  const folder = mkdtempSync(join(tmpdir(), 'sotto-live-packs-'))
  const store = await openStore({ folder, key: new Uint8Array(32), tables: PACK_TABLES, create: true })
  t.teardown(async () => {
    await store.close()
    rmSync(folder, { recursive: true })
  })
  const packs = new Packs(store, ed25519PublicKey(rootSeed))
  const clock = { now: START * 1000 }
  const log: string[] = []
  const members = Array.from({ length: 200 }, (_, i) => `member-${i}`)
  let accepted: string[] = []
  const live = new LivePacks({
    ...{ packs, base, now: () => clock.now, repoint: () => {}, connected: () => members },
    accept: (templates) => {
      accepted = templates.map(({ id }) => id)
    },
    log: (line) => void log.push(line),
    fault: (error) => t.fail(String(error)),
  })
  const look = async (): Promise<void> => {
    for (let i = 0; i < 3; i++) {
      live.look()
      // A transaction that is begun now ends after those that the look began.
      await store.transaction(() => {})
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  await look()
  return { store, packs, live, clock, accepted: () => accepted, log, members, look }
}

const rotateNow = { atOnce: true, watchMs: 1_000, now: START * 1000 }

test('without packs nobody is pointed anywhere, and the templates of gateway.yaml are accepted', async (t) => {
  const { live, accepted } = await scene(t)
  t.is(live.pointerFor('member-1'), undefined)
  t.deepEqual(accepted(), ['support-chat'])
})

test('a promoted pack is accepted beside the others, and everybody is pointed to it', async (t) => {
  const { packs, live, accepted, log, look } = await scene(t)
  const { hash } = await packs.add(pack(1), START * 1000)
  await look()
  t.deepEqual(accepted(), ['support-chat'], 'what is kept is not accepted yet')
  await packs.rotate(undefined, rotateNow)
  await look()
  t.deepEqual(accepted(), ['support-chat', 'look-1'])
  const pointer = live.pointerFor('member-1')
  t.deepEqual(pointer, { stage: PackStage.current, ttl: 3_600, hash })
  t.is(live.pointerFor('member-2'), pointer, 'one object for all, until it changes')
  await packs.add(pack(2), START * 1000)
  await packs.rotate(undefined, rotateNow)
  await look()
  t.deepEqual(accepted(), ['support-chat', 'look-2', 'look-1'], 'the pack before is still accepted')
  t.deepEqual(log, ['templates: pack 1', 'templates: pack 2'])
})

test('the same template in two packs is accepted once', async (t) => {
  const { packs, accepted, look } = await scene(t)
  await packs.add(pack(1), START * 1000)
  await packs.rotate(undefined, rotateNow)
  await packs.add(pack(2, {}, [look_(1), look_(2), builtinText('support-chat')]), START * 1000)
  await packs.rotate(undefined, rotateNow)
  await look()
  t.deepEqual(accepted().toSorted(), ['look-1', 'look-2', 'support-chat'])
})
const look_ = look

test('a share of the members tries a pack, the same ones each time; they decide', async (t) => {
  const { packs, live, clock, members, look, accepted } = await scene(t)
  const { hash } = await packs.add(pack(1), START * 1000)
  await packs.rotate('1', { atOnce: false, watchMs: 60_000, now: START * 1000 })
  await look()
  const canaries = (): string[] => members.filter((name) => live.pointerFor(name)?.stage === PackStage.canary)
  const first = canaries()
  t.true(first.length > 20 && first.length < 60, `${first.length} of 200 at a share of 20%`)
  await look()
  t.deepEqual(canaries(), first)
  t.is(live.pointerFor(members.find((name) => !first.includes(name))!)?.stage, PackStage.none)
  for (const name of first) live.report(name, hash, 'applied')
  clock.now += 60_000
  await look()
  t.deepEqual(canaries(), [])
  t.is(live.pointerFor('member-1')?.stage, PackStage.current)
  t.deepEqual(accepted(), ['support-chat', 'look-1'])
  t.deepEqual(
    packs.history().map(({ event, by }) => `${event} ${by}`),
    ['added operator', 'canary operator', 'promoted gateway'],
  )
  const next = await packs.add(pack(2), START * 1000)
  await packs.rotate('2', { atOnce: false, watchMs: 60_000, now: clock.now })
  await look()
  t.notDeepEqual(canaries(), first, 'the next pack is tried by others')
  t.is(hex(live.pointerFor(canaries()[0]!)!.hash), hex(next.hash))
})

test('a canary whose members cannot use it is taken back at once', async (t) => {
  const { packs, live, look, log, members } = await scene(t)
  const { hash } = await packs.add(pack(1), START * 1000)
  await packs.rotate('1', { atOnce: false, watchMs: 3_600_000, now: START * 1000 })
  await look()
  const canaries = members.filter((name) => live.pointerFor(name)?.stage === PackStage.canary)
  for (let n = 0; n < 50; n++) live.report(canaries[0]!, hash, 'failed')
  for (const name of members) if (!canaries.includes(name)) live.report(name, hash, 'failed')
  await look()
  t.truthy(packs.state().canary, 'one member counts once, however often it says so; who is no canary has no word')
  live.report(canaries[1]!, hash, 'failed')
  live.report(canaries[2]!, hash, 'failed')
  await look()
  t.is(packs.state().canary, null)
  t.is(packs.find('1').verdict, 'failed')
  t.deepEqual(log, ['templates: pack 1 is tried', 'templates: pack 1 was taken back'])
  t.true(members.every((name) => live.pointerFor(name)?.stage === PackStage.none))
})

test('the latest word of a member counts', async (t) => {
  const { packs, live, look, clock, members } = await scene(t)
  const { hash } = await packs.add(pack(1), START * 1000)
  await packs.rotate('1', { atOnce: false, watchMs: 60_000, now: START * 1000 })
  await look()
  const canaries = members.filter((name) => live.pointerFor(name)?.stage === PackStage.canary)
  for (const name of canaries.slice(0, 3)) {
    live.report(name, hash, 'applied')
    live.report(name, hash, 'failed')
    live.report(name, hash, 'applied')
  }
  clock.now += 60_000
  await look()
  t.is(packs.find('1').verdict, 'promoted')
  await look()
  t.like(packs.find('1'), { applied: 3, failed: 0 })
})

test('a gateway with nobody in the share lets one who is there try', async (t) => {
  const { packs, live, members, look, clock } = await scene(t)
  members.splice(0, members.length, 'only-one', 'only-two')
  await packs.add(pack(1, { canary: 1 }), START * 1000)
  await packs.rotate('1', { atOnce: false, watchMs: 60_000, now: START * 1000 })
  clock.now += 2_000
  await look()
  const stages = members.map((name) => live.pointerFor(name)?.stage)
  t.deepEqual(stages.toSorted(), [PackStage.none, PackStage.canary])
})

test('what the operator’s process changes counts for the gateway that runs', async (t) => {
  const { store, live, look } = await scene(t)
  const elsewhere = new Packs(store, ed25519PublicKey(rootSeed))
  await elsewhere.add(pack(1), START * 1000)
  await elsewhere.rotate(undefined, rotateNow)
  await look()
  t.is(live.pointerFor('member-1')?.stage, PackStage.current)
  await elsewhere.rollBack(undefined, START * 1000)
  await look()
  t.is(live.pointerFor('member-1')?.stage, PackStage.none)
})

test('a pack with a bad template, a bad signature or an old serial is not even kept', async (t) => {
  const { packs } = await scene(t)
  const codeOf = async (bytes: Uint8Array): Promise<string> =>
    await packs.add(bytes, START * 1000).then(
      () => 'kept',
      (error: unknown) => (isSottoError(error) ? error.code : String(error)),
    )
  t.is(await codeOf(pack(1, {}, ['format: 1\n'])), 'E_TEMPLATE')
  t.is(await codeOf(pack(1, {}, [look(1), look(1)])), 'E_TEMPLATE')
  t.is(await codeOf(pack(1).with(300, 7)), 'E_PACK_SIGNATURE')
  t.is(await codeOf(pack(1, { until: START - 1 })), 'E_PACK_EXPIRED')
  t.is(await codeOf(new Uint8Array(10)), 'E_PACK_FORMAT')
  t.deepEqual(packs.state().packs, [])
  t.deepEqual(packs.history(), [])
  for (const serial of [2, 3]) {
    await packs.add(pack(serial), START * 1000)
    await packs.rotate(String(serial), rotateNow)
  }
  t.is(await codeOf(pack(1)), 'E_PACK_FLOOR')
  t.is(await codeOf(pack(3)), 'kept', 'the same again changes nothing')
  t.is(packs.state().packs.length, 2)
})

test('PackKeepLimits.reports: more members than that are not remembered', async (t) => {
  const { packs, live, clock, look } = await scene(t)
  const { hash } = await packs.add(pack(1), START * 1000)
  await packs.rotate('1', rotateNow)
  await look()
  for (let n = 0; n < PackKeepLimits.reports + 50; n++) live.report(`m${n}`, hash, 'applied')
  live.report('m1', hash, 'failed')
  clock.now += 2_000
  await look()
  t.like(packs.find('1'), { applied: PackKeepLimits.reports - 1, failed: 1 })
})

test('PackKeepLimits.history: the oldest lines go', async (t) => {
  const { packs, clock } = await scene(t)
  await packs.add(pack(1), clock.now)
  await packs.add(pack(2, { floor: 0 }), clock.now)
  await packs.rotate('1', rotateNow)
  await packs.rotate('2', rotateNow)
  const turns = PackKeepLimits.history / 2 + 5
  await Promise.all(
    Array.from({ length: turns }, async () => {
      await packs.rollBack('1', clock.now)
      await packs.rollBack('2', clock.now)
    }),
  )
  const history = packs.history()
  t.is(history.length, PackKeepLimits.history)
  t.is(history[0]?.event, 'rolled-back')
})

// ---- the service ----------------------------------------------------------------------------------------------------------

const caller = { member: 'member-1', role: 'member' } as const

test('a pack is fetched piece by piece; only live ones are given', async (t) => {
  const { packs, live, look } = await scene(t)
  const texts = Array.from({ length: 12 }, (_, i) => look_(i + 1))
  const bytes = pack(1, {}, texts)
  t.true(bytes.length > PIECE, 'it takes several pieces')
  const { hash } = await packs.add(bytes, START * 1000)
  await look()
  const { unary } = packService(live)
  const fetch = (offset: number): { length: number; data: Uint8Array } =>
    unary['packs.fetch']!({ hash, offset }, caller) as { length: number; data: Uint8Array }
  t.throws(() => fetch(0), { instanceOf: ServiceFailure, message: 'unknown' })
  await packs.rotate('1', rotateNow)
  await look()
  const parts: Uint8Array[] = []
  for (let at = 0; at < fetch(0).length; at += parts.at(-1)!.length) parts.push(fetch(at).data)
  t.deepEqual(new Uint8Array(Buffer.concat(parts)), bytes)
  t.is(fetch(bytes.length + 10).data.length, 0)
  t.deepEqual(unary['packs.pointer']!({}, caller), { stage: PackStage.current, ttl: 3_600, hash })
})

test('arguments of the service are exactly what they are said to be', async (t) => {
  const { live } = await scene(t)
  const { unary } = packService(live)
  const hash = new Uint8Array(32)
  const bad: [string, unknown][] = [
    ['packs.pointer', { more: 1 }],
    ['packs.fetch', { hash: new Uint8Array(31), offset: 0 }],
    ['packs.fetch', { hash, offset: -1 }],
    ['packs.fetch', { hash, offset: 0.5 }],
    ['packs.fetch', { hash }],
    ['packs.fetch', null],
    ['packs.report', { hash, outcome: 'fine' }],
    ['packs.report', { hash, outcome: 'failed', reason: 'x' }],
  ]
  for (const [method, args] of bad) {
    t.throws(() => unary[method]!(args, caller), { instanceOf: ServiceFailure, message: 'invalid' }, method)
  }
  t.deepEqual(unary['packs.report']!({ hash, outcome: 'failed' }, caller), {}, 'a pack that is not live: no matter')
})
