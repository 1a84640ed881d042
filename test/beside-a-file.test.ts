/** A message beside a file: it goes alone, so that it takes as long as it would without the file. */
import test from 'ava'
import type { Tunnel } from '#client/tunnel.ts'
import { openStream } from '#protocol/services/rpc.ts'
import { Priority } from '#protocol/session/stream.ts'
import { bulkService, drain, pour } from '../scripts/bench/bulk-service.ts'
import { SimulatedNetwork } from './helpers/simulated-network.ts'

const FILE = 12_000_000
/** Octets of a body that takes no time beside one of a file. */
const SMALL = 768

async function opened(t: { teardown(run: () => Promise<void>): void }): Promise<[SimulatedNetwork, Tunnel]> {
  const network = new SimulatedNetwork(5, [bulkService])
  const tunnel = network.open()
  t.teardown(() => network.close(tunnel))
  await network.time.run(() => tunnel.status.state.kind === 'ready', 60_000)
  return [network, tunnel]
}

for (const way of ['up', 'down'] as const) {
  test(`while a file goes ${way}, a message goes in a request of its own`, async (t) => {
    const [network, tunnel] = await opened(t)
    const { time } = network
    const { mux } = await tunnel.session()
    let arrived = 0
    const stream = openStream(mux, way === 'up' ? 'bench.sink' : 'bench.source', { octets: FILE }, Priority.bulk)
    drain(stream, (octets) => {
      arrived = octets
    })
    if (way === 'up') pour(stream, FILE)
    // The first one opens a connection for itself and those after it.
    const first = tunnel.call('bench.echo', 'first')
    await time.run(() => false, 1_500)
    await first
    t.is(arrived, 0, 'the file is under way')
    const requests: number[] = []
    network.onRequest = (octets) => void requests.push(octets)
    let answered = false
    const began = time.now
    const call = tunnel.call('bench.echo', { text: 'x'.repeat(300) }).then(() => {
      answered = true
    })
    await time.run(() => answered, 10_000)
    await call
    t.true(time.now - began <= 3 * network.rttMs + 20, `${time.now - began} ms`)
    t.true(
      requests.some((octets) => octets > 300 && octets <= SMALL),
      String(requests),
    )
    await time.run(() => arrived > 0, 600_000)
    t.true(arrived >= (way === 'up' ? 1 : FILE), 'the file arrives all the same')
  })
}

test('while a file goes up its pieces have every place but one, and no poll waits', async (t) => {
  const [network, tunnel] = await opened(t)
  const { time } = network
  const { mux } = await tunnel.session()
  let pieces = 0
  let most = 0
  let small = 0
  network.onRequest = (octets) => {
    if (octets <= SMALL) small++
    else most = Math.max(most, ++pieces)
  }
  network.onOver = (octets) => void (octets > SMALL && pieces--)
  const stream = openStream(mux, 'bench.sink', { octets: FILE }, Priority.bulk)
  pour(stream, FILE)
  // Connections stand, and the poll from before has come back.
  await time.run(() => false, 1_500)
  small = 0
  most = 0
  await time.run(() => false, 500)
  t.true(stream.held > 0, 'the file is under way')
  t.is(small, 0)
  t.is(most, 2)
  await time.run(() => stream.sending.isDone, 600_000)
  t.true(stream.sending.isDone)
})
