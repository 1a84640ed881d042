/**
 * The gateway that is probed: the real one, with its operator at the other end of the pipe. Prints {gatewayKey} once up.
 *     gateway.ts FOLDER LISTEN DECOY BEHIND [unaware]
 * LISTEN and DECOY are texts of gateway.yaml; BEHIND: milliseconds that its clock is slow at first; unaware: nobody is recognised.
 *     {run: 'invite'}       -> {id, code, secret}    an invite of a cohort of its own, recognised at once
 *     {run: 'revoke', id}   -> {}                    once its sessions have ended
 *     {run: 'pass', ms}     -> {}                    as if so much time had passed
 *     {run: 'set', ms}      -> {}                    the gateway's clock is set ahead, or back where it is negative
 *     {run: 'restart'}      -> {}                    the gateway is stopped, and started anew from its state
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type RunningGateway, startGateway } from '#gateway/gateway.ts'
import { initState, openState } from '#gateway/state.ts'
import { hex } from '#protocol/bytes.ts'
import { deriveCohort } from '#protocol/recognition.ts'
import { compileBuiltins } from '../../camouflage-templates/builtin.ts'

const [folder = '', listen = '', decoy = '', behind = '0', unaware] = process.argv.slice(2)
process.umask(0o077)
const clocks = { wall: Date.now, elapsed: performance.now.bind(performance) }
/** Milliseconds that the machine's clock is ahead, and that have passed beside those that really have. */
let [ahead, passed] = [-Number(behind), 0]
Date.now = () => clocks.wall() + ahead + passed
performance.now = () => clocks.elapsed() + passed

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
const begin = (): Promise<RunningGateway> =>
  startGateway({ state, templates: live, log: (line) => process.stderr.write(`${line}\n`) })
let gateway = await begin()

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

async function restart(): Promise<object> {
  await gateway.stop()
  gateway = await begin()
  return {}
}

/** What a gateway does once a second is done at once: it sees every time that its clock is set to. */
function turn(byAhead: number, byPassed: number): object {
  ahead += byAhead
  passed += byPassed
  gateway.sessions.sweep(Date.now())
  return {}
}

interface Command {
  readonly run: 'invite' | 'revoke' | 'pass' | 'set' | 'restart'
  readonly id: string
  readonly ms: number
}

async function perform({ run, id, ms }: Command): Promise<object> {
  if (run === 'invite') return await invite()
  if (run === 'revoke') return await revoke(id)
  if (run === 'restart') return await restart()
  return run === 'pass' ? turn(0, ms) : turn(ms, 0)
}

async function stop(): Promise<void> {
  await gateway.stop()
  await state.close()
  process.exit()
}

process.once('SIGTERM', () => void stop())
console.log(JSON.stringify({ gatewayKey: hex(state.gatewayKey) }))
for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await perform(JSON.parse(line) as Command)))
}
// Whoever has started us is gone.
await stop()
