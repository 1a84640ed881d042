/**
 * Two namespaces of the network, one for members and visitors, one for the site, and between them a wire with delay and
 * jitter that keeps what passes (wire.py). Packets have at most 1,500 octets. Needs root and /dev/net/tun.
 */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import type { Owner } from '#test/helpers/command.ts'
import { startLines } from './lines.ts'

/** Of the site's server: nginx, behind which gateway and application stand. */
export const SERVER = '10.90.0.1'
/** Where members and visitors are. */
const CLIENT = '10.90.1.1'

/**
 * Where somebody watches, who sees the same packets at other times: at the client's own device, where nothing hides when it spoke;
 * behind its access line, where its provider is.
 */
export const TAPS = ['device', 'line'] as const
export type Tap = (typeof TAPS)[number]

/** Delays in milliseconds, one way. */
export interface Wire {
  /** Of the trunk, and what comes on top on average. */
  readonly delayMs: number
  readonly jitterMs: number
  /** Between device and router: log-normal, its median and the sigma of its logarithm. */
  readonly airMs: number
  readonly airSigma: number
  /** Of the access line of each connection, megabits a second. */
  readonly upMbit: number
  readonly downMbit: number
}

export interface Network {
  /** Namespace of members and visitors, and of the site. */
  readonly clients: string
  readonly server: string
  /** Packets are kept from now on, in `tapeOf` this name; those before are whole. Without a name, nothing is kept. */
  keep(name: string | undefined): Promise<void>
}

/** File with what was seen at one place. */
export const tapeOf = (name: string, tap: Tap): string => `${name}.${tap}`

/** Debian's, whatever else this machine calls python3: scikit-learn is its package. */
export const PYTHON = '/usr/bin/python3'

const ip = (...args: readonly string[]): void => void execFileSync('ip', args, { stdio: 'pipe' })

/** A command and its arguments as they run in a namespace. */
export function inside(namespace: string, command: string, args: readonly string[]): [string, string[]] {
  return ['ip', ['netns', 'exec', namespace, command, ...args]]
}

let made = 0

export async function openNetwork(owner: Owner, wanted: Wire): Promise<Network> {
  const name = `sotto-lab-${process.pid}-w${made}`
  const device = `sw${process.pid % 100_000}x${made++}`
  const [clients, server] = [`${name}-c`, `${name}-s`]
  for (const namespace of [clients, server]) {
    ip('netns', 'add', namespace)
    owner.teardown(() => ip('netns', 'del', namespace))
    ip('-n', namespace, 'link', 'set', 'lo', 'up')
  }
  const script = join(import.meta.dirname, 'wire.py')
  const { delayMs, jitterMs, airMs, airSigma, upMbit, downMbit } = wanted
  const numbers = [delayMs, jitterMs, airMs, airSigma, upMbit, downMbit].map(String)
  const wire = startLines(PYTHON, [script, `${device}c`, `${device}s`, ...numbers])
  owner.teardown(() => wire.end())
  await wire.line()
  connect(clients, `${device}c`, `${CLIENT}/24`, '10.90.0.0/24')
  connect(server, `${device}s`, `${SERVER}/24`, '10.90.1.0/24')
  return {
    ...{ clients, server },
    keep: async (name) => {
      wire.say(name ?? '')
      await wire.line()
    },
  }
}

function connect(namespace: string, device: string, address: string, other: string): void {
  ip('link', 'set', device, 'netns', namespace)
  ip('-n', namespace, 'addr', 'add', address, 'dev', device)
  ip('-n', namespace, 'link', 'set', device, 'mtu', '1500', 'up')
  ip('-n', namespace, 'route', 'add', other, 'dev', device)
}
