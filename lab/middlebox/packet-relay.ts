/**
 * A wire between a network namespace and this machine that treats packets as a bad network does: two TUN devices, each held
 * by a `socat` that turns packets into datagrams, and between them this process, which delays, reorders, loses and doubles
 * them. TCP on both sides is the kernel's own. Needs root, /dev/net/tun and socat.
 */
import type { ChildProcess } from 'node:child_process'
import { execFileSync, spawn } from 'node:child_process'
import type { Socket } from 'node:dgram'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import type { AddressInfo } from 'node:net'

/** Each way. */
export interface PacketRules {
  /** Milliseconds; `jitterMs` more at most, by which packets overtake each other. */
  readonly delayMs?: number
  readonly jitterMs?: number
  /** Share of packets that are lost, that come twice, and that are overtaken by those after them. */
  readonly loss?: number
  readonly doubled?: number
  readonly reordered?: number
  /** Octets a second; what does not fit into a quarter of a second is dropped. */
  readonly bytesPerSecond?: number
}

export interface PacketRelay {
  rules: PacketRules
  /** This machine, seen from inside the namespace through the relay. */
  readonly address: string
  close(): Promise<void>
}

/** Milliseconds by which a reordered packet is late, and of a queue before it drops. */
const OVERTAKEN_MS = 15
const QUEUE_MS = 250
/** Room for the datagram's own head on links of 1500. */
const MTU = 1_400

export function canRelayPackets(): boolean {
  return existsSync('/dev/net/tun') && existsSync('/usr/bin/socat')
}

/**
 * @param namespace name of the network namespace
 * @param outside address of this machine's end of a link into it, and of the inside's
 * @param number makes names and addresses unique on this machine
 */
export async function startPacketRelay(
  namespace: string,
  outside: { readonly here: string; readonly there: string },
  number: number,
  rules: PacketRules,
): Promise<PacketRelay> {
  const [inner, outer] = [`st${process.pid % 100_000}x${number}i`, `st${process.pid % 100_000}x${number}o`]
  const [address, member] = [`10.79.${number}.1`, `10.79.${number}.2`]
  const box = { rules, isOver: false }
  const [toMember, toHere] = [await bound(outside.here), await bound('127.0.0.1')]
  const [memberPort, herePort] = [await freeUdpPort(outside.here), await freeUdpPort('127.0.0.1')]
  const devices = [
    socat(
      ['ip', 'netns', 'exec', namespace],
      inner,
      member,
      `${outside.here}:${portOf(toMember)}`,
      `${outside.there}:${memberPort}`,
    ),
    socat([], outer, address, `127.0.0.1:${portOf(toHere)}`, `127.0.0.1:${herePort}`),
  ]
  connectWays(
    box,
    { socket: toMember, port: memberPort, host: outside.there },
    { socket: toHere, port: herePort, host: '127.0.0.1' },
  )
  const close = async (): Promise<void> => {
    // What is still under way is lost.
    box.isOver = true
    await Promise.all(devices.map(ended))
    toMember.close()
    toHere.close()
  }
  try {
    await up(['ip', '-n', namespace], inner)
    await up(['ip'], outer)
  } catch (error) {
    await close()
    throw error
  }
  return Object.assign(box, { address, close })
}

interface End {
  readonly socket: Socket
  readonly host: string
  readonly port: number
}

function connectWays(box: { readonly rules: PacketRules; readonly isOver: boolean }, one: End, other: End): void {
  const onward = (to: End): ((packet: Buffer) => void) => {
    const pass = (packet: Buffer): void => {
      if (!box.isOver) to.socket.send(packet, to.port, to.host, () => {})
    }
    const way = new Way(() => box.rules, pass)
    return (packet) => way.take(packet)
  }
  one.socket.on('message', onward(other))
  other.socket.on('message', onward(one))
}

/** Packets in one direction. */
class Way {
  private readonly rules: () => PacketRules
  private readonly pass: (packet: Buffer) => void
  /** When the wire is free again. */
  private free = 0

  constructor(rules: () => PacketRules, pass: (packet: Buffer) => void) {
    this.rules = rules
    this.pass = pass
  }

  take(packet: Buffer): void {
    const { loss = 0, doubled = 0 } = this.rules()
    if (Math.random() < loss) return
    this.send(packet)
    if (Math.random() < doubled) this.send(packet)
  }

  private send(packet: Buffer): void {
    const { delayMs = 0, jitterMs = 0, reordered = 0, bytesPerSecond } = this.rules()
    const now = performance.now()
    const late = Math.random() < reordered ? OVERTAKEN_MS : 0
    let at = now + delayMs + Math.random() * jitterMs + late
    if (bytesPerSecond !== undefined) {
      this.free = Math.max(this.free, now) + (packet.length * 1_000) / bytesPerSecond
      if (this.free - now > QUEUE_MS) {
        this.free -= (packet.length * 1_000) / bytesPerSecond
        return
      }
      at += this.free - now
    }
    if (at <= now) this.pass(packet)
    else setTimeout(this.pass, at - now, packet)
  }
}

function socat(prefix: readonly string[], device: string, address: string, to: string, from: string): ChildProcess {
  const tun = `TUN:${address}/24,tun-name=${device},tun-type=tun,iff-no-pi,iff-up`
  const [command, ...args] = [...prefix, 'socat', '-b', '65536', tun, `UDP4-DATAGRAM:${to},bind=${from}`]
  return spawn(command!, args, { stdio: 'ignore' })
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGKILL')
  await once(child, 'exit')
}

/** Waits for the device, and makes its packets fit. */
async function up(ip: readonly string[], device: string): Promise<void> {
  const [command, ...args] = ip
  for (let tries = 0; ; tries++) {
    try {
      execFileSync(command!, [...args, 'link', 'set', device, 'mtu', String(MTU), 'up'], { stdio: 'pipe' })
      return
    } catch (error) {
      if (tries >= 250) throw error
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
}

async function bound(host: string): Promise<Socket> {
  const socket = createSocket({ type: 'udp4', recvBufferSize: 4_194_304, sendBufferSize: 4_194_304 })
  socket.bind(0, host)
  await once(socket, 'listening')
  return socket
}

async function freeUdpPort(host: string): Promise<number> {
  const socket = await bound(host)
  const port = portOf(socket)
  socket.close()
  await once(socket, 'close')
  return port
}

const portOf = (socket: Socket): number => (socket.address() as AddressInfo).port
