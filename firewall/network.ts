/**
 * What tells one network from another, from facts that need no permission: the default route's interface, the networks on
 * it, and its router with its hardware address where the system shows them. The text stays in the broker.
 */
import { readFileSync } from 'node:fs'
import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os'
import { sep } from 'node:path'

/** Octets of `Broker.network`. */
export const NETWORK_ID_LENGTH = 16

export interface NetworkSources {
  readonly interfaces: () => Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>
  /** Text of a file of the system; empty where there is none. */
  readonly read: (path: string) => string
}

const system: NetworkSources = {
  interfaces: networkInterfaces,
  read: (path) => {
    try {
      return sep === '/' ? readFileSync(path, 'utf8') : ''
    } catch {
      return ''
    }
  },
}

/** The same text on the same network, whatever address this machine has there today. */
export function networkFacts({ interfaces, read }: NetworkSources = system): string {
  const route = defaultRoute(read('/proc/net/route'))
  const all = Object.entries(interfaces()).toSorted(([a], [b]) => (a < b ? -1 : 1))
  const own = all.filter(([name]) => route === undefined || name === route.name)
  const lines = own.flatMap(([name, infos]) => (infos ?? []).flatMap((info) => networkOf(name, info)))
  if (route === undefined) return [...new Set(lines)].join('\n')
  const hardware = hardwareOf(read('/proc/net/arp'), route.router)
  return [...new Set(lines), `router ${route.router} ${hardware}`].join('\n')
}

interface Route {
  readonly name: string
  /** IPv4, dotted. */
  readonly router: string
}

/** Line of the kernel's table: name, destination, gateway in hexadecimal, least octet first. */
function defaultRoute(table: string): Route | undefined {
  for (const line of table.split('\n')) {
    const [name, destination, gateway] = line.split('\t')
    if (name === undefined || destination !== '00000000' || !/^[0-9A-F]{8}$/.test(gateway ?? '')) continue
    const octets = gateway!.match(/../g)!.map((pair) => Number.parseInt(pair, 16))
    return { name, router: octets.reverse().join('.') }
  }
  return undefined
}

/** Routers of many homes have the same address; their hardware addresses differ. */
function hardwareOf(table: string, router: string): string {
  const line = table.split('\n').find((each) => each.split(/\s+/, 1)[0] === router)
  return line?.split(/\s+/)[3] ?? ''
}

/** The part of an address that all machines of the network share; addresses of IPv6 that are made up daily share 64 bits. */
function networkOf(name: string, { internal, family, address, netmask }: NetworkInterfaceInfo): string[] {
  if (internal || address.startsWith('fe80:')) return []
  if (family === 'IPv6') return [`${name} ${address.split(':').slice(0, 4).join(':')}`]
  const mask = netmask.split('.').map(Number)
  return [
    `${name} ${address
      .split('.')
      .map((octet, i) => Number(octet) & mask[i]!)
      .join('.')}/${netmask}`,
  ]
}
