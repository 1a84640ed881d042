/**
 * The allow-list and its decisions, as data. Pure. Endpoints come from parsed invites and from nowhere else; whatever is
 * not on the list is refused, with a reason.
 */
import { isIP } from 'node:net'
import { fastEqual } from '#protocol/bytes.ts'
import type { Invite, InviteGateway } from '#protocol/invite.ts'
import { PolicyLimits } from './limits.ts'
import type { EndpointInfo, EndpointKind } from './permit.ts'
import { NO_EXPIRY } from './permit.ts'

/** What proves membership. One for all gateways of an invite, since they may share their members. */
export interface Credential {
  readonly id: Uint8Array
  readonly key: Uint8Array
}

/** An endpoint with everything that only the broker knows. */
export interface Endpoint extends EndpointInfo {
  /** IP addresses that win over DNS; empty: ask the resolver. */
  readonly addresses: readonly string[]
  /** Pinned X25519 key. */
  readonly key: Uint8Array
  readonly cohort: Uint8Array
  /** SHA-256 of the only certificate to accept; undefined: any that a certificate authority vouches for. */
  readonly certificate: Uint8Array | undefined
  /** Recognises the invite that it came from: `inviteMark`. */
  readonly invite: Uint8Array
  /** One-time code, until the gateway has once accepted it. */
  readonly code: Uint8Array | undefined
  readonly credential: Credential
}

export type Endpoints = ReadonlyMap<string, Endpoint>

/** Why the firewall said no. Stable: these words stand in the audit log. */
export type Refusal =
  | 'unknown-endpoint'
  | 'invite-expired'
  | 'too-many-endpoints'
  | 'nothing-to-undo'
  | 'list-format'
  | 'list-signature'
  | 'list-expired'
  | 'list-old'
  | 'list-near'
  | 'too-many-lists'
  | 'peer-format'
  | 'peer-near'
  | 'peer-old'
  | 'too-many-peers'
  | 'too-many-exchanges'
  | 'too-many-sockets'
  | 'bad-method'
  | 'bad-target'
  | 'bad-header'
  | 'other-host'
  | 'bad-length'
  | 'bad-timeout'
  | 'bad-connection'
  | 'no-dialer'
  | 'beyond-a-page'
  | 'browser-request'
  | 'closed-road'
  | 'core-denied'
  | 'kernel-denied'
  | 'malformed-call'
  | 'broken-pipe'

export type Decision<T> =
  | { readonly allowed: true; readonly value: T }
  | { readonly allowed: false; readonly reason: Refusal }

/** Without the secrets. */
export function publicInfo(endpoint: Endpoint): EndpointInfo {
  const { id, kind, name, host, port, template, expires, source, root, peer } = endpoint
  const known = { ...(root === undefined ? {} : { root }), ...(peer === undefined ? {} : { peer }) }
  return { id, kind, name, host, port, template, expires, source, ...known }
}

/** May this endpoint be dialed? `now` in Unix seconds. */
export function decideDial(endpoints: Endpoints, id: string, now: number): Decision<Endpoint> {
  const endpoint = endpoints.get(id)
  if (endpoint === undefined) return refuse('unknown-endpoint')
  if (endpoint.expires >= now) return allow(endpoint)
  return refuse(endpoint.source === 'list' ? 'list-expired' : 'invite-expired')
}

/** What admission needs beyond the invite. */
export interface Fresh {
  /** What the person says that the invite is of. */
  readonly kind: EndpointKind & ('gateway' | 'node')
  /** `inviteMark` of the code. */
  readonly invite: Uint8Array
  /** For an invite that was never seen. */
  readonly credential: Credential
  newId(): string
}

/** The list with the invite's gateways, and which these are. The same invite again adds only what it did not name before. */
export function decideAdmission(
  endpoints: Endpoints,
  invite: Invite,
  fresh: Fresh,
): Decision<{ readonly endpoints: Endpoints; readonly ofInvite: readonly Endpoint[] }> {
  const known = [...endpoints.values()].filter((endpoint) => fastEqual(endpoint.invite, fresh.invite))
  const next = new Map(endpoints)
  const ofInvite: Endpoint[] = []
  for (const gateway of invite.gateways) {
    const before = known.find((endpoint) => samePlace(endpoint, gateway))
    const endpoint =
      before ?? toEndpoint(invite, gateway, { ...fresh, credential: known[0]?.credential ?? fresh.credential })
    next.set(endpoint.id, endpoint)
    ofInvite.push(endpoint)
  }
  // A person has one node: another one takes its place.
  if (fresh.kind === 'node') {
    for (const { id, kind } of endpoints.values())
      if (kind === 'node' && !ofInvite.some((each) => each.id === id)) next.delete(id)
  }
  return next.size > PolicyLimits.endpoints ? refuse('too-many-endpoints') : allow({ endpoints: next, ofInvite })
}

/** The gateway has answered the code: the membership stands, and the code is of no more use. A list still ends. */
export function confirmed(endpoint: Endpoint): Endpoint {
  const expires = endpoint.source === 'list' ? endpoint.expires : NO_EXPIRY
  return { ...endpoint, code: undefined, expires }
}

/** As it stands in URLs and in the `host` field. */
export function authority(place: { readonly host: string; readonly port: number }): string {
  const host = isIP(place.host) === 6 ? `[${place.host}]` : place.host
  return place.port === 443 ? host : `${host}:${place.port}`
}

function toEndpoint(invite: Invite, gateway: InviteGateway, fresh: Fresh): Endpoint {
  return {
    id: fresh.newId(),
    kind: fresh.kind,
    name: invite.name,
    host: gateway.host,
    port: gateway.port,
    template: invite.template,
    expires: invite.expires,
    source: 'invite',
    root: invite.root,
    addresses: gateway.addresses,
    key: gateway.key,
    cohort: gateway.cohort,
    certificate: gateway.tls,
    invite: fresh.invite,
    code: invite.code,
    credential: fresh.credential,
  }
}

function samePlace(endpoint: Endpoint, gateway: InviteGateway): boolean {
  return endpoint.host === gateway.host && endpoint.port === gateway.port && fastEqual(endpoint.key, gateway.key)
}

function allow<T>(value: T): Decision<T> {
  return { allowed: true, value }
}

function refuse(reason: Refusal): { readonly allowed: false; readonly reason: Refusal } {
  return { allowed: false, reason }
}
