/** A gateway in a process of its own, on TLS with a certificate of its own, and members who have each other's card. */
import { appendFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort } from '../../scripts/bench/ports.ts'
import { gatewayMain } from '../../scripts/demo/commands.ts'
import type { Owner } from './command.ts'
import { Command, member, operator, temporaryFolder } from './command.ts'

export interface GatewayProcess {
  /** Its state folder. */
  readonly state: string
  readonly port: number
  start(): Promise<void>
  /** Ends it by a signal, SIGTERM where nothing is said, and waits for its end. */
  stop(signal?: NodeJS.Signals): Promise<void>
  /** Everything all its runs have printed. */
  log(): string
}

export interface Made {
  readonly id: string
  readonly link: string
}

/** Set up, and not yet started. */
export async function makeGateway(
  t: Owner,
  place?: readonly string[],
  templates: readonly string[] = ['beacon', 'support-chat', 'gallery'],
): Promise<GatewayProcess> {
  const state = join(await temporaryFolder(t), 'gateway')
  const port = await freePort()
  const where = place ?? ['--listen', `https://127.0.0.1:${port}`, '--self-signed', '--port', String(port)]
  const common = ['--name', 'Test', '--domain', 'localhost', '--address', '127.0.0.1', ...where]
  const look = ['--template', ...templates]
  const made = await operator(t, ['gateway', 'init', '--state', state, ...common, ...look])
  if (made.status !== 0) throw new Error(made.err)
  const runs: Command[] = []
  return {
    state,
    port,
    start: async () => {
      const run = new Command(t, [gatewayMain, 'gateway', 'run', '--state', state], { server: true })
      runs.push(run)
      await run.until(({ err }) => (/ is up/.test(err) ? true : undefined), 'being up')
    },
    stop: async (signal = 'SIGTERM') => {
      runs.at(-1)?.child.kill(signal)
      await runs.at(-1)?.ended
    },
    log: () => runs.map(({ out, err }) => out + err).join(''),
  }
}

export async function startedGateway(
  t: Owner,
  place?: readonly string[],
  templates?: readonly string[],
): Promise<GatewayProcess> {
  const gateway = await makeGateway(t, place, templates)
  await gateway.start()
  return gateway
}

/** Adds lines to the configuration, which count from the next start. */
export function configure({ state }: GatewayProcess, lines: string): Promise<void> {
  return appendFile(join(state, 'gateway.yaml'), lines)
}

export async function invite(t: Owner, { state }: GatewayProcess): Promise<Made> {
  const { out, err, status } = await operator(t, ['invite', 'create', '--state', state, '--json'])
  if (status !== 0) throw new Error(err)
  return (JSON.parse(out) as Made[])[0]!
}

/** Joins with an invite of their own; `change` may alter the link. Returns the state folder. */
export async function joined(
  t: Owner,
  gateway: GatewayProcess,
  name: string,
  change: (link: string) => string = (link) => link,
): Promise<string> {
  const state = join(await temporaryFolder(t), name)
  const { link } = await invite(t, gateway)
  await succeed(member(t, state, ['join', '--name', name], change(link)))
  return state
}

/** What a command printed, which must have gone well. */
export async function succeed(run: ReturnType<typeof member>): Promise<string> {
  const { status, out, err } = await run
  if (status !== 0) throw new Error(`exit status ${status}\n${err}`)
  return out
}

/** Two members who have taken in each other's card. */
export async function pairOf(
  t: Owner,
  gateway: GatewayProcess,
  names: readonly [string, string],
  change?: (link: string) => string,
): Promise<readonly [string, string]> {
  const [a, b] = await Promise.all([joined(t, gateway, names[0], change), joined(t, gateway, names[1], change)])
  const [cardOfA, cardOfB] = await Promise.all([succeed(member(t, a, ['card'])), succeed(member(t, b, ['card']))])
  await Promise.all([
    succeed(member(t, a, ['contacts', 'add'], cardOfB)),
    succeed(member(t, b, ['contacts', 'add'], cardOfA)),
  ])
  return [a, b]
}
