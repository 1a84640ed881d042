/** A core that has turned hostile: tries everything, while its permitted exchanges go on. */

import { inheritedBroker } from '#firewall/core-side.ts'
import { coreFolder } from '#firewall/options.ts'
import { elsewhere, tryAll } from './attempt.ts'
import { watchHandles } from './attempts/handles.ts'
import { peers } from './attempts/peers.ts'
import { startExchanges } from './exchanges.ts'
import { above, below } from './families.ts'
import { printer } from './lines.ts'

watchHandles()
const broker = inheritedBroker((error) => {
  throw error
})
let denials = 0
broker.onEvent(({ reason }) => {
  if (reason === 'core-denied') denials++
})
const permit = await broker.permit((await broker.endpoints())[0]!.id)
const exchanges = await startExchanges(permit, 'core')
// The pipe keeps the order: what was told before this call is answered has come.
const told = async (): Promise<number> => {
  await broker.endpoints()
  const count = denials
  denials = 0
  return count
}
await tryAll(
  { ...above, ...below, peers: peers(broker) },
  elsewhere(coreFolder([], process.env)),
  printer('core', told),
)
await exchanges.stop()
process.exit(0)
