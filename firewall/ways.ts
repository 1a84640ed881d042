/**
 * The ways out that a person has chosen, as data: a proxy for all gateways, a front for one, and what led there before.
 * Pure. No core and no invite says any of it: the launcher reads it from the person (way-commands.ts).
 */
import { isIP } from 'node:net'
import { SottoError } from '#protocol/errors.ts'
import type { DialTarget, ProxyReach, Reach } from './dialers/dialer.ts'
import { WayLimits } from './limits.ts'
import type { WaysInfo } from './permit.ts'
import type { Endpoint, Endpoints } from './policy.ts'

export interface Front {
  readonly reach: Omit<Reach, 'name'>
  /** Name in the `Host` field of requests, where it is not the gateway's own. */
  readonly asks: string | undefined
}

export interface Ways {
  readonly proxy: ProxyReach | undefined
  /** By endpoint. */
  readonly fronts: ReadonlyMap<string, Front>
  /** IP addresses that led to an endpoint, by endpoint, the latest first. */
  readonly remembered: ReadonlyMap<string, readonly string[]>
}

export const noWays: Ways = Object.freeze({ proxy: undefined, fronts: new Map(), remembered: new Map() })

export type WayChange =
  | { readonly kind: 'proxy'; readonly proxy: Omit<ProxyReach, 'id'> | undefined }
  /** `gateway`: its name, host or id. */
  | { readonly kind: 'front'; readonly gateway: string; readonly front: Front | undefined }

/**
 * The ways after a change.
 * @param id for a new proxy
 * @throws SottoError E_USAGE where no gateway, or several, have that name
 */
export function changed(ways: Ways, endpoints: Endpoints, change: WayChange, id: string): Ways {
  if (change.kind === 'proxy') return { ...ways, proxy: change.proxy && { ...change.proxy, id } }
  const endpoint = endpointNamed(endpoints, change.gateway)
  const fronts = new Map(ways.fronts)
  if (change.front === undefined) fronts.delete(endpoint)
  else fronts.set(endpoint, change.front)
  return { ...ways, fronts }
}

/** Without what belongs to endpoints that are on the list no more. */
export function pruned(ways: Ways, endpoints: Endpoints): Ways {
  const kept = <T>(map: ReadonlyMap<string, T>): Map<string, T> => new Map([...map].filter(([id]) => endpoints.has(id)))
  return { ...ways, fronts: kept(ways.fronts), remembered: kept(ways.remembered) }
}

/** Where a connection to the endpoint goes, without the secrets that dialing does not need. */
export function targetOf({ id, name, host, port, addresses, certificate }: Endpoint, ways: Ways): DialTarget {
  const front = ways.fronts.get(id)
  const remembered = ways.remembered.get(id)
  return {
    ...{ id, name, host: front?.asks ?? host, port, addresses, certificate },
    ...(remembered !== undefined && { remembered }),
    ...(front !== undefined && { front: { ...front.reach, name } }),
    ...(ways.proxy !== undefined && { proxy: ways.proxy }),
  }
}

/**
 * After a verified connection: the address that led there, for the day on which the resolver lies. The same ways where
 * there is nothing to learn: it was known, pinned, or not found by a name of the gateway.
 */
export function withRemembered(ways: Ways, endpoint: Endpoint, address: string): Ways {
  const isFound = endpoint.addresses.length === 0 && isIP(endpoint.host) === 0
  const known = ways.remembered.get(endpoint.id) ?? []
  if (!isFound || ways.proxy !== undefined || ways.fronts.has(endpoint.id) || known.includes(address)) return ways
  const next = [address, ...known].slice(0, WayLimits.remembered)
  return { ...ways, remembered: new Map(ways.remembered).set(endpoint.id, next) }
}

/** Without passwords. */
export function waysInfo({ proxy, fronts }: Ways, ipv6Only: boolean): WaysInfo {
  return {
    ipv6Only,
    ...(proxy && {
      proxy: { kind: proxy.kind, host: proxy.host, port: proxy.port, hasCredentials: proxy.credentials !== undefined },
    }),
    fronts: [...fronts].map(([endpoint, { reach, asks }]) => ({
      ...{ endpoint, host: reach.host, port: reach.port, addresses: [...reach.addresses] },
      ...(asks !== undefined && { asks }),
    })),
  }
}

function endpointNamed(endpoints: Endpoints, name: string): string {
  const found = [...endpoints.values()].filter((each) => [each.id, each.host, each.name].includes(name))
  if (found.length === 1) return found[0]!.id
  const what = found.length === 0 ? 'You have joined no gateway of that name.' : 'Several gateways have that name.'
  throw new SottoError('E_USAGE', what, { next: 'Name its host, as sotto status shows it.' })
}
