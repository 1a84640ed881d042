/** Which IP addresses and names lead into this machine or the person's own network, and which to the public internet. Pure. */
import { BlockList, isIPv6 } from 'node:net'

/** RFC 6761 section 6.3. */
export function isLocalName(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost')
}

/**
 * True where a machine of the public internet can have the address (IANA's special-purpose registries, RFC 6890). Not so
 * for what a lying resolver or a rebinding site gives out to lead us to this machine or into its network. 198.18.0.0/15 is
 * let through: tunnels on the person's own machine answer with it, and TLS tells who is there.
 */
export function isPublic(address: string): boolean {
  if (!isIPv6(address)) return !special.check(address, 'ipv4')
  const inside = embedded(address)
  if (inside !== undefined) return isPublic(inside)
  return given.check(address, 'ipv6') && !special.check(address, 'ipv6')
}

const special = new BlockList()
const blocks4 = ['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12']
const blocks4b = ['192.0.0.0/24', '192.0.2.0/24', '192.168.0.0/16', '198.51.100.0/24', '203.0.113.0/24', '224.0.0.0/3']
const blocks6 = ['2001::/23', '2001:db8::/32', '3fff::/20']
for (const [family, blocks] of [
  ['ipv4', [...blocks4, ...blocks4b]],
  ['ipv6', blocks6],
] as const) {
  for (const block of blocks) {
    const [net, prefix] = block.split('/')
    special.addSubnet(net!, Number(prefix), family)
  }
}
/** All that is given out of IPv6 lies here (RFC 4291 section 2.4, IANA's registry of the address space). */
const given = new BlockList()
given.addSubnet('2000::', 3, 'ipv6')

/** Forms of IPv6 that lead to an address of IPv4: mapped ones, NAT64 (RFC 6052) and 6to4 (RFC 3056). */
function embedded(address: string): string | undefined {
  const groups = groupsOf(address)
  const tail = { '::ffff': 6, nat64: 6, '6to4': 1 } as const
  const is = (...start: number[]): boolean => start.every((group, at) => groups[at] === group)
  const at = is(0, 0, 0, 0, 0, 0xffff)
    ? tail['::ffff']
    : is(0x64, 0xff9b, 0, 0, 0, 0)
      ? tail.nat64
      : is(0x2002)
        ? tail['6to4']
        : undefined
  if (at === undefined) return undefined
  const [high, low] = [groups[at]!, groups[at + 1]!]
  return [high >> 8, high & 255, low >> 8, low & 255].join('.')
}

/** The eight groups of a valid address; a zone behind `%` is no part of it. */
function groupsOf(address: string): number[] {
  const text = new URL(`http://[${address.split('%', 1)[0]}]`).hostname.slice(1, -1)
  const [head = '', tail] = text.split('::')
  const parse = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16))
  const [before, after] = [parse(head), parse(tail ?? '')]
  return [...before, ...new Array<number>(8 - before.length - after.length).fill(0), ...after]
}
