/**
 * The gateway that is probed: the real one, with its operator at the other end of the pipe. Prints {gatewayKey} once up.
 *     gateway.ts FOLDER LISTEN DECOY BEHIND [unaware]
 * LISTEN and DECOY are texts of gateway.yaml; BEHIND: milliseconds that its clock is slow at first; unaware: nobody is recognised.
 *     {run: 'invite'}       -> {id, code, secret}    an invite of a cohort of its own, recognised at once
 *     {run: 'revoke', id}   -> {}                    once its sessions have ended
 *     {run: 'catch-up'}     -> {}                    the gateway's clock jumps to the true time
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { startGateway } from '#gateway/gateway.ts'
import { initState, openState } from '#gateway/state.ts'
import { hex } from '#protocol/bytes.ts'
import { deriveCohort } from '#protocol/recognition.ts'
import { compileBuiltins } from '../../camouflage-templates/builtin.ts'

const [folder = '', listen = '', decoy = '', behind = '0', unaware] = process.argv.slice(2)
process.umask(0o077)
const { now } = Date
Date.now = () => now() - Number(behind)

const templates = compileBuiltins('node')
const config = `name: Lab
domain: localhost
listen: ${listen}
decoy: ${decoy}
templates: [${templates.map(({ id }) => id).join(', ')}]
`
const path = join(folder, 'state')
await mkdir(folder, { recursive: true })
await initState(path, config)
const state = await openState(path)
const live = unaware === undefined ? templates : []
const gateway = await startGateway({ state, templates: live, log: (line) => process.stderr.write(`${line}\n`) })

function setCohorts(): void {
  const cohorts = state.members.cohorts(Date.now())
  gateway.sessions.setCohorts(cohorts.map(({ id, secret }) => ({ id, keys: deriveCohort(secret) })))
}

async function invite(): Promise<object> {
  const wanted = { name: 'lab', uses: 1, days: 1, role: 'member' } as const
  const [made] = await state.members.createInvites(1, wanted, Date.now())
  setCohorts()
  return { id: made!.info.id, code: hex(made!.code), secret: hex(made!.cohort.secret) }
}

/** Milliseconds; the gateway notices a change of its members by itself, within a second where the machine is not busy. */
const NOTICED_MS = 20_000

async function revoke(id: string): Promise<object> {
  const before = gateway.sessions.count
  await state.members.revoke(id)
  setCohorts()
  for (let waited = 0; gateway.sessions.count === before; waited += 20) {
    if (waited > NOTICED_MS) throw new Error(`no session has ended after a revocation (${before} are there)`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return {}
}

async function stop(): Promise<void> {
  await gateway.stop()
  await state.close()
  process.exit()
}

process.once('SIGTERM', () => void stop())
console.log(JSON.stringify({ gatewayKey: hex(state.gatewayKey) }))
for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line) as { run: 'invite' | 'revoke' | 'catch-up'; id: string }
  if (command.run === 'invite') console.log(JSON.stringify(await invite()))
  else if (command.run === 'revoke') console.log(JSON.stringify(await revoke(command.id)))
  else {
    Date.now = now
    console.log('{}')
  }
}
// Whoever has started us is gone.
await stop()
