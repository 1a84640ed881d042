/** From a name to addresses that may be dialed: what is pinned wins, and answers that cannot be true are told. */
import { BlockList, isIP, isIPv6 } from 'node:net'
import { DialLimits } from '../limits.ts'
import type { Reach } from './dialer.ts'
import { pathError } from './path-error.ts'

/** IP addresses of a name, in the order of preference. */
export type Resolve = (host: string) => Promise<readonly string[]>

export interface NameOptions {
  readonly resolve: Resolve
  readonly ipv6Only?: boolean | undefined
  readonly timeoutMs: number
}

/**
 * Addresses to dial, at least one. Pinned ones are the person's own word and are taken as they are. Otherwise the resolver
 * is asked once, and what it says is dialed: nobody is asked again between the judgement and the connection. Where the
 * resolver fails, or lies, the addresses that led there before are left.
 * @throws SottoError E_PATH_DNS
 */
export async function addressesOf(reach: Reach, options: NameOptions): Promise<readonly string[]> {
  const usable = (addresses: readonly string[]): readonly string[] =>
    options.ipv6Only ? addresses.filter(isIPv6) : addresses
  const noIpv6 = (): Error =>
    pathError('E_PATH_DNS', reach.name, 'it has no address of IPv6, and only such are to be dialed')
  const own = reach.addresses.length > 0 ? reach.addresses : isIP(reach.host) === 0 ? [] : [reach.host]
  if (own.length > 0) {
    if (usable(own).length === 0) throw noIpv6()
    return usable(own)
  }
  const remembered = reach.remembered ?? []
  const answers = await ask(reach, options).catch((error: unknown) => {
    if (usable(remembered).length === 0) throw error
    return []
  })
  const all = usable([...new Set([...answers, ...remembered])]).slice(0, DialLimits.addresses)
  if (all.length === 0) throw noIpv6()
  return all
}

/** Judged answers, at least one. @throws SottoError E_PATH_DNS */
async function ask({ host, name, isNear }: Reach, { resolve, timeoutMs }: NameOptions): Promise<readonly string[]> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(reject, timeoutMs, new Error('the resolver takes too long'))
  const found = await Promise.race([resolve(host), late])
    .catch((cause: unknown) => {
      throw pathError('E_PATH_DNS', name, undefined, cause)
    })
    .finally(() => clearTimeout(timer))
  const addresses = found.filter((address) => isIP(address) !== 0).slice(0, DialLimits.addresses)
  if (addresses.length === 0) throw pathError('E_PATH_DNS', name)
  // A name that is to be near (a proxy's, this machine's) may have any address.
  if (isNear || isLocalName(host)) return addresses
  const possible = addresses.filter(isPublic)
  if (possible.length === 0)
    throw pathError('E_PATH_DNS', name, 'the network answers with an address that no website can have')
  return possible
}

/** RFC 6761 section 6.3. */
function isLocalName(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost')
}

/**
 * True where a machine of the public internet can have the address (IANA's special-purpose registries, RFC 6890). Not so
 * for what a lying resolver or a rebinding site gives out to lead us to this machine or into its network. 198.18.0.0/15 is
 * let through: tunnels on the person's own machine answer with it, and TLS tells who is there.
 */
export function isPublic(address: string): boolean {
  const inside = embedded(address)
  return inside === undefined ? !special.check(address, isIPv6(address) ? 'ipv6' : 'ipv4') : isPublic(inside)
}

const special = new BlockList()
const blocks4 = ['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12']
const blocks4b = ['192.0.0.0/24', '192.0.2.0/24', '192.168.0.0/16', '198.51.100.0/24', '203.0.113.0/24', '224.0.0.0/3']
const blocks6 = [
  '::/96',
  '64:ff9b:1::/48',
  '100::/64',
  '2001:db8::/32',
  '3fff::/20',
  'fc00::/7',
  'fe80::/9',
  'ff00::/8',
]
for (const [family, blocks] of [
  ['ipv4', [...blocks4, ...blocks4b]],
  ['ipv6', blocks6],
] as const) {
  for (const block of blocks) {
    const [net, prefix] = block.split('/')
    special.addSubnet(net!, Number(prefix), family)
  }
}

/** Forms of IPv6 that lead to an address of IPv4: mapped ones, NAT64 (RFC 6052) and 6to4 (RFC 3056). */
function embedded(address: string): string | undefined {
  if (!isIPv6(address)) return undefined
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
