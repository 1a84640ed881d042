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

export interface Wire {
  /** One way, milliseconds, and what comes on top on average. */
  readonly delayMs: number
  readonly jitterMs: number
  /** Of the access line of each connection, megabits a second. */
  readonly upMbit: number
  readonly downMbit: number
  /** Where somebody watches: behind the access line, or at the client's own device. */
  readonly tap: 'isp' | 'home'
}

export interface Network {
  /** Namespace of members and visitors, and of the site. */
  readonly clients: string
  readonly server: string
  /** Packets are kept in this file from now on; the one before is whole. Without a name, nothing is kept. */
  keep(file: string | undefined): Promise<void>
}

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
  const { delayMs, jitterMs, upMbit, downMbit, tap } = wanted
  const numbers = [delayMs, jitterMs, upMbit, downMbit].map(String)
  const wire = startLines(PYTHON, [script, `${device}c`, `${device}s`, ...numbers, tap])
  owner.teardown(() => wire.end())
  await wire.line()
  connect(clients, `${device}c`, `${CLIENT}/24`, '10.90.0.0/24')
  connect(server, `${device}s`, `${SERVER}/24`, '10.90.1.0/24')
  return {
    ...{ clients, server },
    keep: async (file) => {
      wire.say(file ?? '')
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
