/** A member of the product in a scenario: in this process, or as the program that people run. */
import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { cardLink, parseCard } from '#client/chat/card-text.ts'
import { realClockwork } from '#client/clockwork.ts'
import type { EdgeReport } from '#client/edge.ts'
import { Member } from '#client/member.ts'
import type { CompiledTemplate } from '#engine/compile.ts'
import { tlsConnector } from '#firewall/dialers/tls-connector.ts'
import { undiciDialer } from '#firewall/dialers/undici.ts'
import { openBroker } from '#firewall/library.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import { memberMain } from '../../scripts/demo/commands.ts'
import { Journey } from './journey.ts'

export interface LabMember {
  readonly journey: Journey
  onText: (text: string) => void
  /** What it knows of the edge; of a member in this process. */
  edge?(): EdgeReport
  /** Whether the straight way to the other one is there now. */
  isStraight?(): boolean
  card(): Promise<string>
  /** Adds whose card this is, and accepts whoever asks. */
  add(card: string): void
  /** Resolves once there is somebody to write to. */
  readonly met: Promise<void>
  send(text: string): void
  /** Stops the program, or lets it go on. */
  sleep(asleep: boolean): void
  close(): Promise<void>
}

export interface MemberPlace {
  readonly folder: string
  readonly name: string
  readonly link: string
  readonly clockShiftMs?: number | undefined
  /** What the resolver of the network says of every name. */
  readonly resolves?: readonly string[] | undefined
  /** Instead of the templates of the product. */
  readonly templates?: readonly CompiledTemplate[] | undefined
  /** Namespace of the network that the program runs in. */
  readonly namespace?: string | undefined
  /** Options of the program, for every command. */
  readonly flags?: readonly string[]
}

/** Firewall and chat in this process. Returns once the gateway is reached. */
export async function libraryMember(place: MemberPlace): Promise<LabMember> {
  const now = (): number => Date.now() + (place.clockShiftMs ?? 0)
  const folder = join(place.folder, place.name)
  await mkdir(join(folder, 'core'), { recursive: true, mode: 0o700 })
  const dialer = undiciDialer({ connector: tlsConnector({ resolve: async () => place.resolves ?? [] }) })
  const broker = await openBroker({ folder: join(folder, 'firewall'), dialers: [dialer], now, random: randomBytes })
  await broker.admitInvite(place.link)
  const member = await Member.open({
    folder: join(folder, 'core'),
    broker,
    clockwork: { ...realClockwork, now },
    template: undefined,
    online: true,
    newName: place.name,
    ...(place.templates === undefined ? {} : { templates: place.templates }),
  })
  const journey = new Journey()
  const lab: LabMember = {
    journey,
    onText: () => {},
    card: async () => cardLink(await member.chat.myCard()),
    add: (card) => void member.chat.addContact(parseCard(card)),
    met: Promise.resolve(),
    edge: () => member.status()[0]!.edge,
    send: (text) => {
      const [contact] = member.chat.contacts()
      member.chat.send(contact!.id, text)
    },
    sleep: () => {
      throw new Error('only a process can sleep')
    },
    close: async () => {
      await member.close()
      await broker.close()
    },
  }
  member.onStatus((status) =>
    journey.see(
      status.state,
      status.template,
      status.findings.map(({ code }) => code),
    ),
  )
  member.chat.onEvent((event) => {
    if (event.type === 'message' && event.message.from === 'them') lab.onText(event.message.text)
    if (event.type === 'contact' && event.contact.status === 'request') member.chat.accept(event.contact.id)
  })
  return lab
}

/** The program itself: broker, and core without network. */
export async function processMember(place: MemberPlace): Promise<LabMember> {
  const state = join(place.folder, place.name)
  await runOnce(place, state, ['join', '--name', place.name], place.link)
  const card = JSON.parse(await runOnce(place, state, ['card', '--json'])) as { card: string }
  const child = launch(place, [memberMain, ...(place.flags ?? []), 'chat', '--json', '--state', state])
  const journey = new Journey()
  let contact: string | undefined
  const met = Promise.withResolvers<void>()
  const say = (value: object): void => void child.stdin.write(`${JSON.stringify(value)}\n`)
  const lab: LabMember = {
    journey,
    onText: () => {},
    card: async () => card.card,
    add: (other) => say({ add: other }),
    met: met.promise,
    send: (text) => say({ to: contact, text }),
    sleep: (asleep) => {
      for (const pid of familyOf(child.pid!)) process.kill(pid, asleep ? 'SIGSTOP' : 'SIGCONT')
    },
    close: () => ended(child),
  }
  createInterface({ input: child.stdout }).on('line', (line) => {
    const event = JSON.parse(line)
    if (event.type === 'message' && event.message.from === 'them') lab.onText(event.message.text)
    if (event.type === 'contact') {
      contact = event.contact.id
      if (event.contact.status === 'request') say({ accept: contact })
      else met.resolve()
    }
    if (event.type === 'status')
      journey.see(
        event.state,
        event.template,
        (event.findings ?? []).map(({ code }: { code: string }) => code),
      )
    if (event.type === 'error') journey.named.add(event.error.code)
  })
  return lab
}

/** The launcher and its core. */
function familyOf(pid: number): number[] {
  const children = `/proc/${pid}/task/${pid}/children`
  const ids = existsSync(children) ? readFileSync(children, 'utf8').trim().split(' ').filter(Boolean).map(Number) : []
  return [pid, ...ids.flatMap(familyOf)]
}

function launch({ namespace }: MemberPlace, args: readonly string[]): ChildProcessWithoutNullStreams {
  const argv = [process.execPath, ...args]
  const [command, ...rest] = namespace === undefined ? argv : ['ip', 'netns', 'exec', namespace, ...argv]
  const child = spawn(command!, rest, { stdio: ['pipe', 'pipe', 'pipe'] })
  child.stdin.on('error', () => {})
  return child
}

function runOnce(place: MemberPlace, state: string, args: readonly string[], input = ''): Promise<string> {
  const child = launch(place, [memberMain, ...(place.flags ?? []), ...args, '--state', state])
  let out = ''
  let err = ''
  child.stdout.on('data', (text: Buffer) => {
    out += text
  })
  child.stderr.on('data', (text: Buffer) => {
    err += text
  })
  child.stdin.end(input)
  return new Promise((resolve, reject) => {
    child.once('close', (status) => (status === 0 ? resolve(out) : reject(new Error(err))))
  })
}

/** Ends by itself at the end of its input; what does not is killed. */
function ended(child: ChildProcessWithoutNullStreams): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve()
    const late = setTimeout(() => child.kill('SIGKILL'), 8_000)
    child.once('close', () => {
      clearTimeout(late)
      resolve()
    })
    child.stdin.end()
  })
}
