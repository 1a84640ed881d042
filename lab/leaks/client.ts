/**
 * A client whose gateway is hostile, or whose environment is: asks for every path of PATHS once, and says what came back.
 * Argument: a state folder. LINK: an invite.
 */
import { lockDown } from '#firewall/lockdown.ts'

const leave = lockDown()
const { systemBroker } = await import('#firewall/system-broker.ts')
const broker = await systemBroker(process.argv[2]!, leave.way)
const [endpoint] = await broker.admitInvite(process.env.LINK!)
const permit = await broker.permit(endpoint!.id)
for (const target of JSON.parse(process.env.PATHS!) as string[]) {
  const from = Date.now()
  const answer = await permit
    .exchange({ method: 'GET', target, headers: [], body: undefined }, { timeoutMs: 20_000, family: 'node' })
    .then(
      ({ status }) => String(status),
      ({ code }: { code: string }) => code,
    )
  console.log(JSON.stringify({ target, answer, from, to: Date.now() }))
}
await broker.close()
process.exit(0)
