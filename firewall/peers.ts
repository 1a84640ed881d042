/**
 * Nodes of contacts. Pure. The core says what its contacts offer, all of it each time; the person lets one in, by hand. From
 * then on a newer offer under the same key moves the endpoint, and an offer that is no more takes it away. No offer leads
 * into the person's own network, unless an invite of theirs does.
 */
import type { Millis } from '#protocol/bytes.ts'
import { fastEqual, hex, utf8 } from '#protocol/bytes.ts'
import { sha256 } from '#protocol/crypto/hash.ts'
import type { PeerOffer } from '#protocol/peer-offer.ts'
import { parsePeerOffer } from '#protocol/peer-offer.ts'
import { isNear } from './gateway-list.ts'
import type { Kept } from './journal.ts'
import { withEndpoints, withMoved } from './journal.ts'
import { PolicyLimits } from './limits.ts'
import type { OfferedPeer } from './permit.ts'
import type { Credential, Decision, Endpoint, Refusal } from './policy.ts'

/** What a new membership needs. */
export interface FreshPeer {
  credential(): Credential
  newId(): string
}

/** What a person decides about. */
export interface Offered {
  /** As the core calls the contact. */
  readonly name: string
  readonly host: string
  readonly port: number
  /** Hexadecimal: the key that signs for it. */
  readonly root: string
  /** The person has let it in. */
  readonly isAllowed: boolean
}

/** `kept` as the offers want it, and why some of them are not taken. The very same where nothing is new. */
export function decideOffers(
  kept: Kept,
  offers: readonly OfferedPeer[],
  now: Millis,
  fresh: FreshPeer,
): { readonly kept: Kept; readonly refused: readonly Refusal[] } {
  const refused: Refusal[] = []
  const taken = new Map<string, { readonly offered: OfferedPeer; readonly offer: PeerOffer }>()
  for (const offered of offers.slice(0, PolicyLimits.peers)) {
    const offer = parsePeerOffer(offered.offer)
    if (offer === undefined) refused.push('peer-format')
    else if (isTooNear(kept, offer)) refused.push('peer-near')
    else taken.set(hex(offer.root), { offered, offer })
  }
  if (offers.length > PolicyLimits.peers) refused.push('too-many-peers')
  const gone = new Set<string>()
  let moved = kept
  for (const endpoint of kept.endpoints.values()) {
    if (endpoint.kind !== 'peer') continue
    const found = endpoint.peer && taken.get(hex(endpoint.peer.root))
    if (found === undefined) gone.add(endpoint.id)
    else if (found.offer.version < endpoint.peer!.version) refused.push('peer-old')
    else if (found.offer.version > endpoint.peer!.version)
      moved = withMoved(moved, endpoint.id, endpointOf(found.offered.name, found.offer, fresh, endpoint))
  }
  const next = [...taken.values()].map(({ offered }) => offered)
  const left = new Map([...moved.endpoints].filter(([id]) => !gone.has(id)))
  const changed = withEndpoints(moved, left, 'forgotten', now)
  return { kept: sameOffers(kept.offers, next) ? changed : { ...changed, offers: next }, refused }
}

/** The person lets in what is offered under this key (hexadecimal). */
export function allowOffer(kept: Kept, root: string, now: Millis, fresh: FreshPeer): Decision<Kept> {
  const found = kept.offers.find(({ offer }) => hex(parsePeerOffer(offer)!.root) === root)
  if (found === undefined) return { allowed: false, reason: 'unknown-endpoint' }
  if (isPeerOf(kept, root)) return { allowed: true, value: kept }
  const endpoint = endpointOf(found.name, parsePeerOffer(found.offer)!, fresh)
  if (endpoint.expires * 1000 <= now) return { allowed: false, reason: 'invite-expired' }
  const endpoints = new Map(kept.endpoints).set(endpoint.id, endpoint)
  if (endpoints.size > PolicyLimits.endpoints) return { allowed: false, reason: 'too-many-endpoints' }
  return { allowed: true, value: withEndpoints(kept, endpoints, 'peered', now) }
}

export function offeredPeers(kept: Kept): Offered[] {
  return kept.offers.map(({ name, offer }) => {
    const { root, invite } = parsePeerOffer(offer)!
    const { host, port } = invite.gateways[0]!
    return { name, host, port, root: hex(root), isAllowed: isPeerOf(kept, hex(root)) }
  })
}

const isPeerOf = ({ endpoints }: Kept, root: string): boolean =>
  [...endpoints.values()].some(({ peer }) => peer !== undefined && hex(peer.root) === root)

function isTooNear({ endpoints }: Kept, { invite }: PeerOffer): boolean {
  const isOurs = (each: Endpoint): boolean => each.kind === 'gateway' && each.source === 'invite' && isNear(each)
  return isNear(invite.gateways[0]!) && ![...endpoints.values()].some(isOurs)
}

/** A node that moved knows us still: the membership stays where the code is the same. */
function endpointOf(name: string, offer: PeerOffer, fresh: FreshPeer, before?: Endpoint): Endpoint {
  const { invite, version, root } = offer
  const { host, port, addresses, key, cohort, tls } = invite.gateways[0]!
  const mark = sha256(utf8('sotto/1/invite'), invite.code).slice(0, 16)
  const known = before !== undefined && fastEqual(before.invite, mark) ? before : undefined
  return {
    ...{ id: fresh.newId(), kind: 'peer', name, host, port, template: invite.template, source: 'contact' },
    ...{ root: invite.root, addresses, key, cohort, certificate: tls, invite: mark, peer: { root, version } },
    expires: known?.expires ?? invite.expires,
    code: known === undefined ? invite.code : known.code,
    credential: known?.credential ?? fresh.credential(),
  }
}

function sameOffers(a: readonly OfferedPeer[], b: readonly OfferedPeer[]): boolean {
  return a.length === b.length && a.every(({ name, offer }, i) => name === b[i]!.name && fastEqual(offer, b[i]!.offer))
}
