/** The demo's machine room: gateway behind a front, two members who have each other's card. Set up once, then started. */

import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { SottoError } from '#protocol/errors.ts'
import { builtinIds } from '../../camouflage-templates/builtin.ts'
import { makeCertificate } from '../bench/certificate.ts'
import { gatewayFlags } from '../node-flags.ts'
import { ended, gatewayMain, memberMain, run, runJson } from './commands.ts'
import type { Front, Seen } from './front.ts'
import { startFront } from './front.ts'
import { members, nameOfMember, READY } from './members.ts'

export interface SetUpInput {
  /** Folder of everything; made where it is missing. */
  readonly state: string
  readonly port: number
  readonly observe: (seen: Seen) => void
  /** One line of progress. */
  readonly tell: (line: string) => void
}

export interface Running {
  /** Kills the gateway without warning and starts it again. */
  killGateway(): Promise<void>
  stop(): Promise<void>
}

/** All there are; the first one goes into invites. */
const TEMPLATES = [...new Set(['support-chat', ...builtinIds()])]

/** @throws SottoError E_PORT_TAKEN, E_STATE_UNREADABLE, and what the commands throw */
export async function setUp(input: SetUpInput): Promise<Running> {
  const { state, port, tell } = input
  makeFolder(state)
  rememberPort(state, port)
  const { certificate, key } = await frontCertificate(state)
  const socketPath = join(state, 'gateway.sock')
  const front = await startFront({ port, certificate, key, socketPath, observe: input.observe })
  try {
    await makeGateway(state, port, socketPath, tell)
    await makeTracker(state)
    let gateway = await startGateway(state, socketPath)
    for (const member of members) await joinAs(state, member, tell)
    await befriend(state, tell)
    writeFileSync(join(state, READY), '')
    return {
      killGateway: async () => {
        gateway.kill('SIGKILL')
        await ended(gateway)
        gateway = await startGateway(state, socketPath)
      },
      stop: () => stop(gateway, front),
    }
  } catch (error) {
    front.close()
    throw error
  }
}

async function stop(gateway: ChildProcess, front: Front): Promise<void> {
  gateway.kill('SIGTERM')
  await ended(gateway)
  front.close()
}

function makeFolder(state: string): void {
  try {
    mkdirSync(state, { recursive: true, mode: 0o700 })
  } catch (cause) {
    throw new SottoError('E_STATE_UNREADABLE', `the folder ${state} cannot be made`, {
      cause,
      next: 'Name another: --state DIR',
    })
  }
}

/** Members find the gateway at the port of the first start. */
function rememberPort(state: string, port: number): void {
  const file = join(state, 'port')
  if (!existsSync(file)) writeFileSync(file, String(port))
  const before = Number(readFileSync(file, 'utf8'))
  if (before === port) return
  throw new SottoError('E_CONFIG', `this demo was set up with port ${before}, not ${port}`, {
    next: `Start with --port ${before}, or begin anew with another --state DIR.`,
  })
}

const frontFiles = (state: string): { certificate: string; key: string } => ({
  certificate: join(state, 'certificate.pem'),
  key: join(state, 'key.pem'),
})

async function frontCertificate(state: string): Promise<{ certificate: string; key: string }> {
  const files = frontFiles(state)
  if (!existsSync(files.certificate) || !existsSync(files.key)) {
    const made = await makeCertificate()
    writeFileSync(files.key, made.key, { mode: 0o600 })
    writeFileSync(files.certificate, made.certificate)
  }
  return { certificate: readFileSync(files.certificate, 'utf8'), key: readFileSync(files.key, 'utf8') }
}

const gatewayFolder = (state: string): string => join(state, 'gateway')
export const memberFolder = (state: string, member: string): string => join(state, member)

async function makeGateway(
  state: string,
  port: number,
  socketPath: string,
  tell: (line: string) => void,
): Promise<void> {
  if (existsSync(join(gatewayFolder(state), 'gateway.yaml'))) return
  tell('Setting up a gateway and its website ...')
  const where = [
    '--listen',
    `unix:${socketPath}`,
    '--domain',
    'localhost',
    '--port',
    String(port),
    '--address',
    '127.0.0.1',
    // The front's certificate is its own: invites say which one it is.
    '--certificate',
    frontFiles(state).certificate,
  ]
  await run(gatewayMain, [
    'gateway',
    'init',
    '--state',
    gatewayFolder(state),
    '--name',
    'The demo',
    ...where,
    '--template',
    ...TEMPLATES,
  ])
}

/** The gateway is a tracker as well: `sotto friend` finds people. The list of trackers is signed anew with each start. */
async function makeTracker(state: string): Promise<void> {
  const made = await runJson(gatewayMain, ['tracker', 'init', '--gateway', gatewayFolder(state)])
  const { line } = made as { line: string }
  await run(gatewayMain, ['gateway', 'trackers', '--state', gatewayFolder(state), line])
}

async function startGateway(state: string, socketPath: string): Promise<ChildProcess> {
  const args = [...gatewayFlags, gatewayMain, 'gateway', 'run', '--state', gatewayFolder(state)]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  // Whatever ends this program ends the gateway.
  const end = (): void => void child.kill('SIGKILL')
  process.once('exit', end)
  child.once('exit', () => process.off('exit', end))
  let said = ''
  child.stderr.on('data', (chunk) => {
    said += chunk
  })
  while (!(await answers(socketPath))) {
    if (child.exitCode !== null) throw new SottoError('E_STATE_UNREADABLE', `the gateway does not start:\n${said}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  return child
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.once('error', () => resolve(false))
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
  })
}

/** Invites and joins a member, unless they are one already. */
async function joinAs(state: string, member: string, tell: (line: string) => void): Promise<void> {
  const folder = memberFolder(state, member)
  if (existsSync(join(folder, 'core', 'chat'))) return
  tell(`${nameOfMember(member)} joins ...`)
  const made = (await runJson(gatewayMain, [
    'invite',
    'create',
    '--state',
    gatewayFolder(state),
    '--name',
    member,
  ])) as { link: string }[]
  await run(memberMain, ['join', '--state', folder, '--name', nameOfMember(member)], made[0]!.link)
}

/** Each takes in the other's card. */
async function befriend(state: string, tell: (line: string) => void): Promise<void> {
  const [a, b] = members.map((member) => memberFolder(state, member)) as [string, string]
  const known = (await run(memberMain, ['contacts', '--state', a])).trim()
  if (known !== '') return
  tell('They exchange their cards ...')
  const cards: string[] = []
  for (const folder of [a, b]) cards.push((await run(memberMain, ['card', '--state', folder])).trim())
  await run(memberMain, ['contacts', 'add', '--state', a], cards[1]!)
  await run(memberMain, ['contacts', 'add', '--state', b], cards[0]!)
}
