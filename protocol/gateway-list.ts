/**
 * Signed lists of gateways (signed-list.ts): what a member's firewall lets in after the invite, and nothing else does. Spec
 * section 15.
 *
 *     item = {host, port, addresses, key: 32, tls?: 32}
 *
 * There is no secret in a list: its gateways share members, cohorts and credentials with those of the invite.
 */
import type { InviteGateway } from './invite.ts'
import { isPlace } from './invite.ts'
import type { ListKind } from './signed-list.ts'
import { isListSigned, parseList, sealList } from './signed-list.ts'

export { isValidAt } from './signed-list.ts'

/** What a list may hold: it comes from a gateway, which may have turned hostile. */
export interface GatewayListLimits {
  /** Octets. Attack: memory, and work for a signature. Eight gateways of four addresses are 3 kB. */
  readonly bytes: number
  /** Attack: a client that knocks at a whole network. As many as an invite has. */
  readonly gateways: number
  /** Seconds between the beginning and the end. Attack: a list that is good for ever. */
  readonly validSeconds: number
}

export const GatewayListLimits: GatewayListLimits = Object.freeze({
  bytes: 8_192,
  gateways: 8,
  validSeconds: 34_560_000,
})

export type ListedGateway = Omit<InviteGateway, 'cohort'>

export interface GatewayList {
  readonly version: number
  /** Valid from this Unix second on, up to and without the other. */
  readonly from: number
  readonly until: number
  readonly gateways: readonly ListedGateway[]
}

const kind: ListKind<ListedGateway> = {
  name: 'gateway',
  limits: { ...GatewayListLimits, items: GatewayListLimits.gateways },
  isItem: isPlace,
  spell: ({ host, port, addresses, key, tls }) => ({
    ...{ host, port, addresses, key },
    ...(tls === undefined ? {} : { tls }),
  }),
}

/** @throws RangeError where it holds something that `parseGatewayList` would refuse */
export function sealGatewayList(rootSeed: Uint8Array, { gateways, ...list }: GatewayList): Uint8Array {
  return sealList(kind, rootSeed, { ...list, items: gateways })
}

/** What the octets say, by their form alone; undefined where they are no list. No signature was checked. */
export function parseGatewayList(bytes: Uint8Array): GatewayList | undefined {
  const list = parseList(kind, bytes)
  if (list === undefined) return undefined
  const { items, ...rest } = list
  return { ...rest, gateways: items }
}

export function isSignedUnder(root: Uint8Array, bytes: Uint8Array): boolean {
  return isListSigned(kind, root, bytes)
}
