/**
 * Members whose network lets them out through a proxy only, and the proxy is one that people run: Debian's Tinyproxy and
 * Squid (CONNECT), MicroSocks (SOCKS5), with a password where they know one. What has to come out: nothing is lost or heard
 * twice, and without the right password nothing goes at all.
 */
import { accessSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import type { WayChange } from '#firewall/ways.ts'
import { freePort, reachable } from '../scripts/bench/ports.ts'
import { startOther } from '../scripts/bench/processes.ts'
import type { Report } from '../scripts/bench/report.ts'
import type { Place } from './place.ts'
import { openPlace } from './place.ts'
import { startTalk } from './talk.ts'

const credentials = { user: 'anna', password: 'correct-horse' }

interface RealProxy {
  /** Of the program and of its Debian package. */
  readonly name: string
  readonly kind: 'http' | 'socks5'
  readonly knowsPasswords: boolean
  /** Its arguments, in the foreground on a port of the loopback; `folder` is for its configuration. */
  argumentsOf(folder: string, port: number): Promise<readonly string[]>
}

const proxies: readonly RealProxy[] = [
  {
    ...{ name: 'tinyproxy', kind: 'http', knowsPasswords: true },
    argumentsOf: async (folder, port) => {
      const { user, password } = credentials
      const lines = ['Listen 127.0.0.1', `Port ${port}`, 'Timeout 600', 'MaxClients 100', 'Allow 127.0.0.1']
      return ['-d', '-c', await written(folder, [...lines, `BasicAuth ${user} ${password}`])]
    },
  },
  {
    ...{ name: 'microsocks', kind: 'socks5', knowsPasswords: true },
    argumentsOf: async (_, port) => [
      '-i',
      '127.0.0.1',
      '-p',
      String(port),
      '-u',
      credentials.user,
      '-P',
      credentials.password,
    ],
  },
  {
    ...{ name: 'squid', kind: 'http', knowsPasswords: false },
    argumentsOf: async (folder, port) => {
      const lines = [`http_port 127.0.0.1:${port}`, 'http_access allow all', 'cache deny all', 'access_log none']
      const quiet = ['cache_log /dev/null', 'pid_filename none', 'shutdown_lifetime 0 seconds', 'pinger_enable off']
      return ['-N', '-n', `sotto${port}`, '-f', await written(folder, [...lines, ...quiet])]
    },
  },
]

async function written(folder: string, lines: readonly string[]): Promise<string> {
  const path = join(folder, 'configuration')
  await writeFile(path, `${lines.join('\n')}\n`)
  return path
}

/** Milliseconds between two messages of one member, and how long they talk. */
const EVERY_MS = 300
const TALK_MS = 5_000
const PATIENCE_MS = 30_000

interface Outcome {
  readonly name: string
  readonly messages: number
  readonly lost: number
  readonly duplicates: number
  /** Code of the error with a wrong password; missing where the proxy has none. */
  readonly refused?: string
}

/** `npm run -s lab -- proxies`. @throws where a message is lost or doubled, or goes in spite of a wrong password */
export async function proxiesScenario(): Promise<Report> {
  const present = proxies.filter(({ name }) => isInstalled(name))
  const missing = proxies.filter((proxy) => !present.includes(proxy)).map(({ name }) => name)
  if (present.length === 0) throw new Error(`none is installed: ${missing.join(', ')}`)
  const place = await openPlace()
  const outcomes: Outcome[] = []
  try {
    for (const proxy of present) outcomes.push(await talkThrough(place, proxy))
  } finally {
    await place.stop()
  }
  const bad = outcomes.filter(({ lost, duplicates, refused = 'E_PROXY_AUTH' }) => {
    return lost + duplicates > 0 || refused !== 'E_PROXY_AUTH'
  })
  if (bad.length > 0) throw new Error(`not as it should be: ${JSON.stringify(bad)}`)
  const rows = outcomes.map(({ name, messages, lost, duplicates }) => ({
    ...{ what: `messages through ${name}`, value: messages, unit: 'messages' },
    setting: `${lost} lost, ${duplicates} doubled, two members, ${TALK_MS / 1000} s`,
  }))
  return { rows, result: { proxies: outcomes, missing } }
}

async function talkThrough(place: Place, proxy: RealProxy): Promise<Outcome> {
  const folder = await mkdtemp(join(tmpdir(), 'sotto-lab-'))
  const port = await freePort()
  const program = startOther(proxy.name, await proxy.argumentsOf(folder, port), ['ignore', 'ignore', 'ignore'])
  const { name, knowsPasswords } = proxy
  try {
    await reachable(port)
    const right = wayTo(proxy, port, knowsPasswords ? credentials.password : undefined)
    const people = (await place.join(2, right)).slice(-2)
    const talk = await startTalk(people, EVERY_MS)
    await new Promise((resolve) => setTimeout(resolve, TALK_MS))
    const { said, lost, duplicates } = await talk.end(PATIENCE_MS)
    const refused = knowsPasswords ? { refused: await codeOf(place.join(1, wayTo(proxy, port, 'guess'))) } : {}
    return { name, messages: said, lost, duplicates, ...refused }
  } finally {
    await program.end()
    await rm(folder, { recursive: true, force: true })
  }
}

function wayTo({ kind }: RealProxy, port: number, password: string | undefined): WayChange {
  const given = password === undefined ? {} : { credentials: { ...credentials, password } }
  const place = { kind, name: 'the proxy', host: '127.0.0.1', port, addresses: [], certificate: undefined }
  return { kind: 'proxy', proxy: { ...place, ...given } }
}

function codeOf(joining: Promise<unknown>): Promise<string> {
  return joining.then(
    () => 'none',
    (error: { readonly cause?: { readonly code?: string }; readonly code?: string }) =>
      error.cause?.code ?? error.code ?? String(error),
  )
}

function isInstalled(name: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, name))
      return true
    } catch {
      return false
    }
  })
}
