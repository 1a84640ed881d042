/**
 * What the gate lets through: machines of the allow-list as it was when the program began, and addresses that the resolver has
 * given for their names, judged here as the broker judges them. Pure. Nothing that the broker says later adds to it.
 */
import { isLocalName, isPublic } from '../addresses.ts'
import type { DialTarget } from '../dialers/dialer.ts'
import { GateLimits } from './gate-messages.ts'

interface Machine {
  readonly host: string
  readonly ports: Set<number>
  /** A proxy, or this machine itself: it may have any address. */
  isNear: boolean
  /** What the resolver has said, the latest last. */
  learned: readonly string[]
}

export class GateList {
  private readonly names = new Map<string, Machine>()
  private readonly places = new Set<string>()

  constructor(targets: readonly DialTarget[]) {
    for (const target of targets) {
      const { host, port, addresses, remembered = [] } = target.proxy ?? target.front ?? target
      const machine = this.names.get(host) ?? { host, ports: new Set<number>(), isNear: isLocalName(host), learned: [] }
      if (target.proxy !== undefined) machine.isNear = true
      machine.ports.add(port)
      this.names.set(host, machine)
      for (const address of [host, ...addresses, ...remembered]) this.places.add(place(address, port))
    }
  }

  mayResolve(host: string): boolean {
    return this.names.has(host)
  }

  /** The resolver's answer for a name that it was right to ask for. */
  learn(host: string, addresses: readonly string[]): void {
    const machine = this.names.get(host)
    if (machine === undefined) return
    const possible = addresses.filter((address) => machine.isNear || isPublic(address))
    machine.learned = [...new Set([...machine.learned, ...possible])].slice(-GateLimits.learned)
  }

  mayConnect(address: string, port: number): boolean {
    if (this.places.has(place(address, port))) return true
    return [...this.names.values()].some(({ ports, learned }) => ports.has(port) && learned.includes(address))
  }
}

const place = (address: string, port: number): string => `${address} ${port}`
