/** Connections are cut as soon as they name the website: that is said, and every other look is tried. */
import test from 'ava'
import type { WayRecord } from '#client/way-record.ts'
import type { CompiledTemplate } from '#engine/compile.ts'
import { plainTemplate } from './helpers/plain-template.ts'
import { SimulatedNetwork } from './helpers/simulated-network.ts'

/** Looks of two families, the first of them twice. */
const looks = (['node', 'node', 'chromium'] as const).map((family, i): CompiledTemplate => {
  const shape = { ...plainTemplate.shape('send'), family }
  return { ...plainTemplate, ...{ id: `${family} ${i}`, bindingId: `${family} ${i}`, family, shape: () => shape } }
})

test('where it is how TLS looks, another family carries, and none of the same family is tried before', async (t) => {
  const network = new SimulatedNetwork(5, [])
  network.cutFamilies.add('node')
  const tunnel = network.open({ template: looks[0]!, others: () => looks.slice(1) })
  t.teardown(() => network.close(tunnel))
  await network.time.run(() => tunnel.status.state.kind === 'ready', 60_000)
  const { state, template, tried } = tunnel.status
  t.is(state.kind, 'ready')
  t.is(template, 'chromium 2')
  t.deepEqual(
    tried.map((each) => [each.template, each.code]),
    [
      ['node 0', 'E_PATH_HELLO'],
      ['node 0', 'E_PATH_HELLO'],
    ],
  )
})

test('where it is the name, E_NET_NAME says so for as long as it is so', async (t) => {
  const network = new SimulatedNetwork(5, [])
  for (const { family } of looks) network.cutFamilies.add(family)
  const tunnel = network.open({ template: looks[0]!, others: () => looks.slice(1) })
  t.teardown(() => network.close(tunnel))
  const names = (): boolean => tunnel.status.findings.some(({ code }) => code === 'E_NET_NAME')
  await network.time.run(names, 60_000)
  t.true(names())
  t.deepEqual(new Set(tunnel.status.tried.map(({ template }) => template)), new Set(['node 0', 'chromium 2']))
  network.cutFamilies.clear()
  await network.time.run(() => tunnel.status.state.kind === 'ready', 60_000)
  t.is(tunnel.status.state.kind, 'ready')
  t.false(names())
})

test('what is known of this network from before: the family that is cut there is not tried first', async (t) => {
  const network = new SimulatedNetwork(5, [])
  network.cutFamilies.add('node')
  const kept: WayRecord[] = []
  const before: WayRecord = {
    ...{ rttMs: 100, hold: { factor: 1_000 }, fit: { ups: [], smallAnswers: false }, findings: [] },
    edge: { cut: ['node'] },
  }
  const memory = { recall: async () => before, keep: async (way: WayRecord) => void kept.push(way) }
  const tunnel = network.open({ template: looks[0]!, others: () => looks.slice(1), memory })
  await network.time.run(() => tunnel.status.state.kind === 'ready', 60_000)
  t.is(tunnel.status.template, 'chromium 2')
  t.deepEqual(tunnel.status.tried, [])
  await network.close(tunnel)
  t.deepEqual(kept.at(-1)?.edge?.cut, ['node'])
})
