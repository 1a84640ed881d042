import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { randomBytes } from '#protocol/crypto/random.ts'
import { delaysOf } from './gateway-order.ts'
import { NETWORK_TABLES, NetworkMemory } from './network-memory.ts'
import { openStore } from './store/open-store.ts'
import type { WayRecord } from './way-record.ts'

const HOME = Uint8Array.of(1, 1)
const CAFE = Uint8Array.of(2, 2)
const NOW = 1_700_000_000_000
const WEEK = 604_800_000

const way: WayRecord = {
  rttMs: 84,
  hold: { factor: 1_250, limitMs: 9_000 },
  fit: { ups: [['send', 4_096]], smallAnswers: true, rate: 12_000 },
  findings: [['E_NET_SIZE', NOW - 5]],
}

interface World {
  network: Uint8Array
  memoryOf(endpoint: string): NetworkMemory
}

function world(t: ExecutionContext): World {
  const folder = mkdtempSync(join(tmpdir(), 'sotto-network-'))
  const store = openStore({ folder, tables: NETWORK_TABLES, random: randomBytes })
  t.teardown(async () => {
    store.close()
    await rm(folder, { recursive: true, force: true })
  })
  const here: World = {
    network: HOME,
    memoryOf: (endpoint) => new NetworkMemory(store, endpoint, async () => here.network),
  }
  return here
}

test('what the way does is known again on the same network, and on no other', async (t) => {
  const here = world(t)
  const memory = here.memoryOf('a')
  t.is(await memory.way(NOW), undefined)
  await memory.keepWay(way, NOW)
  t.deepEqual(await memory.way(NOW + 1), way)
  here.network = CAFE
  t.is(await memory.way(NOW + 1), undefined)
  t.is(await here.memoryOf('b').reachedAt(NOW), undefined)
  here.network = HOME
  t.is(await memory.reachedAt(NOW), NOW)
  t.is(await here.memoryOf('b').way(NOW), undefined, 'another gateway is another way')
})

test('it grows old, also where the clock was wrong', async (t) => {
  const memory = world(t).memoryOf('a')
  await memory.keepWay(way, NOW)
  t.deepEqual(await memory.way(NOW + 1.9 * WEEK), way)
  t.is(await memory.way(NOW + 2 * WEEK), undefined)
  t.is(await memory.way(NOW - 2 * WEEK), undefined)
})

test('sixteen networks are remembered, with all that belongs to each', async (t) => {
  const here = world(t)
  const memory = here.memoryOf('a')
  for (let i = 0; i < 17; i++) {
    here.network = Uint8Array.of(9, i)
    await memory.remember('look')
    await memory.keepWay(way, NOW)
  }
  here.network = Uint8Array.of(9, 0)
  t.deepEqual([await memory.worked(), await memory.way(NOW)], [[], undefined])
  here.network = Uint8Array.of(9, 1)
  t.deepEqual([await memory.worked(), await memory.way(NOW)], [['look'], way])
})

test('what nobody of this version wrote is left alone', async (t) => {
  const memory = world(t).memoryOf('a')
  const odd = [null, 7, {}, { ...way, hold: {} }, { ...way, fit: { ups: 'no' } }, { ...way, findings: undefined }]
  for (const each of odd) {
    await memory.keepWay(each as WayRecord, NOW)
    t.is(await memory.way(NOW), undefined)
  }
  await memory.keepWay({ ...way, findings: [['E_GONE' as 'E_NET_SIZE', 1], ...way.findings] }, NOW)
  t.deepEqual((await memory.way(NOW))?.findings, way.findings)
})

test('the gateway that was reached last on this network is called first, the others one after another', async (t) => {
  const here = world(t)
  const memories = ['a', 'b', 'c'].map((name) => here.memoryOf(name))
  t.deepEqual(await delaysOf(memories, NOW), [0, 1_000, 2_000])
  await memories[2]!.keepWay(way, NOW - 10)
  await memories[1]!.keepWay(way, NOW - 5)
  t.deepEqual(await delaysOf(memories, NOW), [2_000, 0, 1_000])
  here.network = CAFE
  t.deepEqual(await delaysOf(memories, NOW), [0, 1_000, 2_000])
  const nameless = new NetworkMemory({} as never, 'a', () => Promise.reject(new Error('no name')))
  t.deepEqual(await delaysOf([nameless, memories[1]!], NOW), [0, 1_000])
})
