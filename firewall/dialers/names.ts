/** From a name to addresses that may be dialed: what is pinned wins, and answers that cannot be true are told. */
import { isIP, isIPv6 } from 'node:net'
import { isLocalName, isPublic } from '../addresses.ts'
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
