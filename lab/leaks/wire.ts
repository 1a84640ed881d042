/**
 * A network namespace with a wire that leads nowhere, and a capture of everything that leaves on it or passes its loopback.
 * Needs root, ip and tcpdump.
 */
import type { ChildProcess } from 'node:child_process'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'

export interface Packet {
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly device: string
  readonly from: string
  readonly to: string
  readonly text: string
}

export interface Wire {
  /** Command line that runs a program inside. */
  readonly enter: readonly string[]
  /** Everything seen so far, but for what the kernel sends by itself to keep the link. */
  readonly packets: readonly Packet[]
  /** A packet goes by that is sent on purpose: what was sent before it has been seen. */
  settle(): Promise<void>
  close(): void
}

/** Why this machine cannot; undefined where it can. */
export function whyNoWire(): string | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'network namespaces need Linux and root'
  const missing = ['ip', 'tcpdump', 'unshare'].filter(
    (tool) => !['/usr/sbin', '/usr/bin', '/sbin', '/bin'].some((folder) => existsSync(`${folder}/${tool}`)),
  )
  if (missing.length > 0) return `not installed: ${missing.join(', ')}`
  try {
    run('ip', 'netns', 'add', `sotto-try-${process.pid}`)
    run('ip', 'netns', 'del', `sotto-try-${process.pid}`)
  } catch {
    return 'the kernel makes no network namespace'
  }
  return undefined
}

const run = (command: string, ...args: readonly string[]): void => void execFileSync(command, args, { stdio: 'pipe' })

/** Names and addresses that the kernel sends by itself: neighbours, routers, groups. */
const ofTheLink = /ICMP6, (neighbor|router|multicast listener)|HBH ICMP6|ff02::16/
/** The mark by which `settle` knows its own packet. */
const MARK_PORT = 7

let made = 0

export async function openWire(): Promise<Wire> {
  const [near, far] = ['near', 'far'].map((end) => `sotto-leaks-${process.pid}-${made}-${end}`) as [string, string]
  made++
  const resolver = `/etc/netns/${near}`
  const close = (): void => {
    capture?.kill()
    for (const name of [near, far]) {
      try {
        run('ip', 'netns', 'del', name)
      } catch {
        // It was never made.
      }
    }
    rmSync(resolver, { recursive: true, force: true })
  }
  let capture: ChildProcess | undefined
  try {
    for (const name of [near, far]) run('ip', 'netns', 'add', name)
    run('ip', 'link', 'add', 'wire', 'netns', near, 'type', 'veth', 'peer', 'name', 'wire', 'netns', far)
    for (const [name, end] of [
      [near, 2],
      [far, 1],
    ] as const) {
      const ip = (...args: readonly string[]): void => run('ip', '-n', name, ...args)
      ip('addr', 'add', `10.78.0.${end}/24`, 'dev', 'wire')
      ip('addr', 'add', `fd00:78::${end}/64`, 'dev', 'wire', 'nodad')
      ip('link', 'set', 'wire', 'up')
      ip('link', 'set', 'lo', 'up')
    }
    run('ip', '-n', near, 'route', 'add', 'default', 'via', '10.78.0.1')
    run('ip', '-n', near, '-6', 'route', 'add', 'default', 'via', 'fd00:78::1')
    // A resolver that is elsewhere, too: each question is a packet.
    mkdirSync(resolver, { recursive: true })
    writeFileSync(`${resolver}/resolv.conf`, 'nameserver 198.51.100.53\noptions timeout:1 attempts:1\n')
    const enter = ['ip', 'netns', 'exec', near]
    const packets: Packet[] = []
    const marks: (() => void)[] = []
    capture = await startCapture(enter, (packet) => {
      if (packet.to === `10.78.0.1.${MARK_PORT}`) marks.shift()?.()
      else packets.push(packet)
    })
    const settle = (): Promise<void> =>
      new Promise((resolve) => {
        marks.push(resolve)
        run(enter[0]!, ...enter.slice(1), 'bash', '-c', `echo > /dev/udp/10.78.0.1/${MARK_PORT}`)
      })
    return { enter, packets, settle, close }
  } catch (error) {
    close()
    throw error
  }
}

async function startCapture(enter: readonly string[], seen: (packet: Packet) => void): Promise<ChildProcess> {
  const [command, ...args] = [...enter, 'tcpdump', '-i', 'any', '-nn', '-l', '-tt', '-q', '--immediate-mode', 'not arp']
  const capture = spawn(command!, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  createInterface({ input: capture.stdout! }).on('line', (line) => {
    const [, at, device, from, to] = /^([\d.]+) (\S+)\s+Out IP6? (\S+) > (\S+?):/.exec(line) ?? []
    if (at === undefined || ofTheLink.test(line)) return
    seen({ at: Number(at) * 1000, device: device!, from: from!, to: to!, text: line })
  })
  await once(createInterface({ input: capture.stderr! }), 'line')
  return capture
}
