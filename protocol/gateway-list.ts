/**
 * Signed lists of gateways: what a member's firewall lets in after the invite, and nothing else does. Spec section 15.
 *
 *     list      = "sotto/1/gateways" 0x0a || version 4 || from 4 || until 4 || places || signature 64 by the root key
 *     places    = one service message: [{host, port, addresses, key: 32, tls?: 32}]
 *
 * The root key is that of the invite, whose place is off the network: no key that signs packs may sign these. There is no
 * secret in a list: its gateways share members, cohorts and credentials with those of the invite. One content has one
 * spelling. Times are Unix seconds; a higher version replaces a lower one, for ever.
 */
import type { Millis } from './bytes.ts'
import { concat, fastEqual, readU32, u32, utf8 } from './bytes.ts'
import { ed25519Sign, ed25519Verify } from './crypto/ed25519.ts'
import type { InviteGateway } from './invite.ts'
import { isPlace } from './invite.ts'
import { decodeMessage, encodeMessage } from './services/codec.ts'

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

const MAGIC = utf8('sotto/1/gateways\n')
const LABEL = utf8('sotto/1/gateway-list\n')
const SIGNATURE_LENGTH = 64
const PLACES_AT: number = MAGIC.length + 12

/** @throws RangeError where it holds something that `parseGatewayList` would refuse */
export function sealGatewayList(rootSeed: Uint8Array, list: GatewayList): Uint8Array {
  if (!isSound(list)) throw new RangeError('a list of gateways with a bad field')
  const content = contentOf(list)
  const bytes = concat(content, ed25519Sign(rootSeed, concat(LABEL, content)))
  if (bytes.length > GatewayListLimits.bytes) throw new RangeError(`a list of ${bytes.length} octets`)
  return bytes
}

/** What the octets say, by their form alone; undefined where they are no list. No signature was checked. */
export function parseGatewayList(bytes: Uint8Array): GatewayList | undefined {
  if (bytes.length > GatewayListLimits.bytes || bytes.length <= PLACES_AT + SIGNATURE_LENGTH) return undefined
  if (!fastEqual(bytes.subarray(0, MAGIC.length), MAGIC)) return undefined
  const [version, from, until] = [0, 4, 8].map((offset) => readU32(bytes, MAGIC.length + offset))
  const gateways = decodeMessage(bytes.slice(PLACES_AT, -SIGNATURE_LENGTH))
  const list = { version: version!, from: from!, until: until!, gateways: gateways as readonly ListedGateway[] }
  // One spelling: what does not encode to the same again is another's.
  return isSound(list) && fastEqual(contentOf(list), bytes.subarray(0, -SIGNATURE_LENGTH)) ? list : undefined
}

export function isSignedUnder(root: Uint8Array, bytes: Uint8Array): boolean {
  const content = bytes.subarray(0, -SIGNATURE_LENGTH)
  return ed25519Verify(root, bytes.slice(-SIGNATURE_LENGTH), concat(LABEL, content))
}

export function isValidAt({ from, until }: GatewayList, now: Millis): boolean {
  const second = Math.floor(now / 1000)
  return second >= from && second < until
}

function contentOf({ version, from, until, gateways }: GatewayList): Uint8Array {
  const places = gateways.map(({ host, port, addresses, key, tls }) => ({
    ...{ host, port, addresses, key },
    ...(tls === undefined ? {} : { tls }),
  }))
  return concat(MAGIC, u32(version), u32(from), u32(until), encodeMessage(places))
}

function isSound({ version, from, until, gateways }: GatewayList): boolean {
  const isTime = (value: number): boolean => Number.isInteger(value) && value >= 0 && value <= 0xffffffff
  if (!isTime(version) || version === 0 || !isTime(from) || !isTime(until)) return false
  if (from >= until || until - from > GatewayListLimits.validSeconds) return false
  return Array.isArray(gateways) && gateways.length <= GatewayListLimits.gateways && gateways.every(isPlace)
}
