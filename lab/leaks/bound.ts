/** A process that nothing but the kernel binds: no lockdown, no permissions, node:ffi at hand. Argument: a state folder. */
import { refusedByKernel } from '#firewall/kernel/counters.ts'
import { gateWay } from '#firewall/kernel/gate-way.ts'
import { systemBroker } from '#firewall/system-broker.ts'
import { elsewhere, tryAll } from './attempt.ts'
import { watchHandles } from './attempts/handles.ts'
import { startExchanges } from './exchanges.ts'
import { reaching } from './families.ts'
import { printer } from './lines.ts'

watchHandles()
const folder = process.argv[2]!
const way = gateWay()
const { link } = await way.begin()
const broker = await systemBroker(folder, way)
const [endpoint] = await broker.admitInvite(link!)
const exchanges = await startExchanges(await broker.permit(endpoint!.id), 'kernel')
// What async_hooks has to see is made once: a connection on loopback, which nobody takes, and two questions.
await seen()
let known = refusedByKernel(process.pid) ?? 0
const told = (): number => {
  const before = known
  known = refusedByKernel(process.pid) ?? 0
  return known - before
}
await tryAll(reaching, elsewhere(folder), printer('kernel', told))
await exchanges.stop()
await broker.close()
process.exit(0)

async function seen(): Promise<void> {
  const [{ connect }, { lookup, resolve4 }] = await Promise.all([import('node:net'), import('node:dns/promises')])
  await new Promise((resolve) => connect(1, '127.0.0.1').on('error', resolve))
  await new Promise((resolve) => connect('/nowhere').on('error', resolve))
  await Promise.allSettled([lookup('localhost'), resolve4('localhost')])
}
