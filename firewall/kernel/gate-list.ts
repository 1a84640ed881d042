/**
 * What the gate lets through: machines of the allow-list as it was when the program began, and addresses that the resolver has
 * given for their names. Pure. Nothing that the broker says later adds to it.
 */
import type { DialTarget } from '../dialers/dialer.ts'

interface Machine {
  readonly host: string
  readonly ports: Set<number>
}

export class GateList {
  private readonly names = new Map<string, Machine>()
  private readonly places = new Set<string>()

  constructor(targets: readonly DialTarget[]) {
    for (const target of targets) {
      const { host, port, addresses, remembered = [] } = target.proxy ?? target.front ?? target
      const machine = this.names.get(host) ?? { host, ports: new Set<number>() }
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
    for (const port of this.names.get(host)?.ports ?? []) {
      for (const address of addresses) this.places.add(place(address, port))
    }
  }

  mayConnect(address: string, port: number): boolean {
    return this.places.has(place(address, port))
  }
}

const place = (address: string, port: number): string => `${address} ${port}`
