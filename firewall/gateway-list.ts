/**
 * What a signed list of gateways changes. Pure. It adds gateways beside those of an invite with the same root key, for the
 * same membership; a newer list takes away what the older one added. What an invite named, no list touches. Where all gateways
 * of the invite are on the public internet, no list leads into the person's own network.
 */
import { isIP } from 'node:net'
import type { Millis } from '#protocol/bytes.ts'
import { fastEqual, hex } from '#protocol/bytes.ts'
import type { GatewayList, ListedGateway } from '#protocol/gateway-list.ts'
import { isSignedUnder, isValidAt, parseGatewayList } from '#protocol/gateway-list.ts'
import { isLocalName, isPublic } from './addresses.ts'
import type { Kept } from './journal.ts'
import { withEndpoints } from './journal.ts'
import { PolicyLimits } from './limits.ts'
import type { Decision, Endpoint, Refusal } from './policy.ts'

const refuse = (reason: Refusal): { readonly allowed: false; readonly reason: Refusal } => ({ allowed: false, reason })

/** `kept` as the list wants it; the very same where it brings nothing new. */
export function decideList(kept: Kept, bytes: Uint8Array, now: Millis, newId: () => string): Decision<Kept> {
  const list = parseGatewayList(bytes)
  if (list === undefined) return refuse('list-format')
  const root = rootsOf(kept).find((each) => isSignedUnder(each, bytes))
  if (root === undefined) return refuse('list-signature')
  if (!isValidAt(list, now)) return refuse('list-expired')
  const known = kept.lists.find((each) => fastEqual(each.root, root))
  if (known !== undefined && list.version < known.version) return refuse('list-old')
  if (known?.version === list.version) return { allowed: true, value: kept }
  if (list.gateways.some(isNear) && !invitedUnder(kept, root).some(isNear)) return refuse('list-near')
  const endpoints = new Map([...kept.endpoints].filter(([, each]) => !isListed(each, root)))
  for (const endpoint of listed(kept, list, root, newId)) endpoints.set(endpoint.id, endpoint)
  if (endpoints.size > PolicyLimits.endpoints) return refuse('too-many-endpoints')
  const others = kept.lists.filter((each) => !fastEqual(each.root, root)).slice(-(PolicyLimits.lists - 1))
  const changed = withEndpoints(kept, endpoints, 'listed', now)
  return { allowed: true, value: { ...changed, endpoints, lists: [...others, { root, version: list.version }] } }
}

/** Root keys of invites: a list does not vouch for further lists. */
function rootsOf({ endpoints }: Kept): Uint8Array[] {
  const roots = new Map<string, Uint8Array>()
  for (const { source, root } of endpoints.values()) {
    if (source === 'invite' && root !== undefined) roots.set(hex(root), root)
  }
  return [...roots.values()]
}

const isOf = ({ root }: Endpoint, wanted: Uint8Array): boolean => root !== undefined && fastEqual(root, wanted)
const isListed = (endpoint: Endpoint, root: Uint8Array): boolean => endpoint.source === 'list' && isOf(endpoint, root)

const invitedUnder = ({ endpoints }: Kept, root: Uint8Array): Endpoint[] =>
  [...endpoints.values()].filter((each) => each.source === 'invite' && isOf(each, root))

/** It names this machine, or an address that nobody on the public internet has. */
export function isNear({ host, addresses }: Pick<ListedGateway, 'host' | 'addresses'>): boolean {
  return isLocalName(host) || [host, ...addresses].some((each) => isIP(each) !== 0 && !isPublic(each))
}

/** For each membership under the root: the list's gateways that its invite has not named. */
function listed(kept: Kept, list: GatewayList, root: Uint8Array, newId: () => string): Endpoint[] {
  const invited = invitedUnder(kept, root)
  const members = new Map(invited.map((each) => [hex(each.invite), each]))
  const before = [...kept.endpoints.values()].filter((each) => isListed(each, root))
  return [...members.values()].flatMap((member) =>
    list.gateways
      .filter((place) => !invited.some((each) => isSame(each, member, place)))
      .map((place) => {
        const made = endpointOf(member, place, list.until)
        const old = before.find((each) => isSame(each, member, place) && hasWay(each, place))
        return old === undefined ? { ...made, id: newId() } : { ...made, id: old.id }
      }),
  )
}

function endpointOf(member: Endpoint, place: ListedGateway, until: number): Endpoint {
  const { host, port, addresses, key, tls } = place
  return { ...member, source: 'list', host, port, addresses, key, certificate: tls, expires: until }
}

function isSame(endpoint: Endpoint, member: Endpoint, { host, port, key }: ListedGateway): boolean {
  const isPlace = endpoint.host === host && endpoint.port === port && fastEqual(endpoint.key, key)
  return isPlace && fastEqual(endpoint.invite, member.invite)
}

/** Another certificate or other addresses make another endpoint: the change is seen, and can be taken back. */
function hasWay(endpoint: Endpoint, { addresses, tls }: ListedGateway): boolean {
  const isPinned = endpoint.certificate === undefined ? tls === undefined : tls && fastEqual(endpoint.certificate, tls)
  return isPinned === true && endpoint.addresses.join() === addresses.join()
}
