/** A gateway that takes one look alone, on a network that swallows it now and then: it is tried again before all others were. */
import test from 'ava'
import type { CompiledTemplate } from '#engine/compile.ts'
import { plainOf, plainTemplate } from './helpers/plain-template.ts'
import { SimulatedNetwork } from './helpers/simulated-network.ts'

/** Looks that the gateway does not take. */
const others = Array.from({ length: 12 }, (_, i): CompiledTemplate => plainOf(`other ${i}`).template)

/** Swallows this many first contacts, and no page. */
function swallowing(network: SimulatedNetwork, contacts: number): void {
  let left = contacts
  network.onRequest = (octets) => {
    network.weather = octets > 0 && left-- > 0 ? 'silent' : 'works'
  }
}

test('swallowed twice, and then let through: one other look is tried in between, and nobody is told of a refusal', async (t) => {
  const network = new SimulatedNetwork(5, [])
  swallowing(network, 2)
  const told: (string | undefined)[] = []
  const tunnel = network.open({ template: plainTemplate, others: () => others })
  tunnel.onChange(({ state }) => told.push('code' in state ? state.code : undefined))
  t.teardown(() => network.close(tunnel))
  await network.time.run(() => tunnel.status.state.kind === 'ready', 60_000)
  const { state, template, tried } = tunnel.status
  t.is(state.kind, 'ready')
  t.is(template, plainTemplate.id)
  t.deepEqual(
    tried.map((each) => [each.template, each.code]),
    [
      [plainTemplate.id, 'E_PATH_TIMEOUT'],
      [plainTemplate.id, 'E_PATH_TIMEOUT'],
      ['other 0', 'E_NOT_RECOGNISED'],
    ],
  )
  t.false(told.includes('E_NOT_RECOGNISED'))
})

test('as long as it is swallowed, the others have their turn as well', async (t) => {
  const network = new SimulatedNetwork(5, [])
  const asked = new Set<string>()
  network.onRequest = (octets) => {
    network.weather = octets > 0 ? 'silent' : 'works'
  }
  const tunnel = network.open({ template: plainTemplate, others: () => others })
  t.teardown(() => network.close(tunnel))
  const isAll = (): boolean => {
    for (const each of tunnel.status.tried) asked.add(each.template)
    return asked.size === others.length + 1
  }
  await network.time.run(isAll, 3_600_000)
  t.is(asked.size, others.length + 1)
  t.true(tunnel.status.tried.some((each) => each.template === plainTemplate.id))
})
