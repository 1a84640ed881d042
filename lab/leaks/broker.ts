/** A broker in which something has turned hostile after the lockdown. Argument: the state folder. LINK: an invite. */
import { lockDown } from '#firewall/lockdown.ts'

const leave = lockDown()
const { systemBroker } = await import('#firewall/system-broker.ts')
const { elsewhere, tryAll } = await import('./attempt.ts')
const { watchHandles } = await import('./attempts/handles.ts')
const { startExchanges } = await import('./exchanges.ts')
const { above, below } = await import('./families.ts')
const { printer } = await import('./lines.ts')
const folder = process.argv[2]!
watchHandles()
const broker = await systemBroker(folder, leave.way)
leave.onAttempt((attempt) => broker.attempted('closed-road', attempt))
let events = 0
broker.onEvent(({ reason }) => {
  if (reason === 'closed-road') events++
})
const told = (): number => {
  const count = events
  events = 0
  return count
}
const [endpoint] = await broker.admitInvite(process.env.LINK!)
const exchanges = await startExchanges(await broker.permit(endpoint!.id), 'broker')
await tryAll(process.env.BELOW === undefined ? above : below, elsewhere(folder), printer('broker', told))
await exchanges.stop()
await broker.close()
process.exit(0)
