/**
 * The invite: everything a member needs to reach its first gateway, in one link. Spec section 10.
 *
 *     sotto:// base64url( payload || SHA-256(payload)[0..4] )
 *
 * The payload is one service message (services/codec.ts):
 *
 *     {v: 1, name, gateways: [{host, port, addresses: [ip], key: 32, cohort: 32, tls?: 32}],
 *      code: 16, template, expires: unix seconds, root: 32}
 *
 * One invite has one spelling: whatever does not encode to the same text again is refused. The link is a secret.
 */

import type { Millis } from './bytes.ts'
import { base64url, concat, fastEqual, fromBase64url } from './bytes.ts'
import { sha256 } from './crypto/hash.ts'
import { SottoError } from './errors.ts'
import { decodeMessage, encodeMessage } from './services/codec.ts'

export interface InviteGateway {
  /** Domain name in lower case, or an IP address; what TLS and the Host header name. */
  readonly host: string
  readonly port: number
  /** IP addresses to dial instead of asking DNS; may be empty. */
  readonly addresses: readonly string[]
  /** The gateway's static X25519 key. */
  readonly key: Uint8Array
  /** Secret of the invite's cohort, 32 octets (recognition.ts). */
  readonly cohort: Uint8Array
  /** SHA-256 of the gateway's own certificate (DER), where no public authority vouches for it. */
  readonly tls?: Uint8Array
}

export interface Invite {
  /** What the operator calls the place. */
  readonly name: string
  readonly gateways: readonly InviteGateway[]
  /** One-time code, 16 octets. */
  readonly code: Uint8Array
  /** Id of the template for the first contact. */
  readonly template: string
  /** Unix seconds. */
  readonly expires: number
  /** Public half of the key that signs template packs. */
  readonly root: Uint8Array
}

export const INVITE_PREFIX = 'sotto://'
const INVITE_VERSION = 1
const CHECKSUM_LENGTH = 4

/** What a link may hold: it comes from anybody. */
export interface InviteLimits {
  /** Characters of the link. Attack: a pasted book is decoded. The largest QR code holds 2,953. */
  readonly characters: number
  /** Attack: a link that makes a client dial the whole network. */
  readonly gateways: number
  /** Per gateway; as above. */
  readonly addresses: number
  /** Characters shown to the person. Attack: a name that fills the screen. */
  readonly nameCharacters: number
}

export const InviteLimits: InviteLimits = Object.freeze({
  characters: 4_096,
  gateways: 8,
  addresses: 4,
  nameCharacters: 64,
})

/** @throws RangeError where the invite has a field that `parseInvite` would refuse */
export function encodeInvite(invite: Invite): string {
  const fault = faultOf(invite)
  if (fault !== undefined) throw new RangeError(`an invite with a bad ${fault}`)
  return spell(invite)
}

/**
 * The invite of a link, with white space around it ignored.
 * @throws SottoError E_INVITE_FORMAT (cut off, mistyped, not an invite), E_INVITE_VERSION, E_INVITE_EXPIRED; the text
 * never quotes the link
 */
export function parseInvite(text: string, now: Millis): Invite {
  const link = text.slice(0, InviteLimits.characters * 2).trim()
  const invite = decodePayload(payloadOf(link))
  const fault = faultOf(invite)
  if (fault !== undefined) throw malformed(`it has a bad ${fault}`)
  if (spell(invite) !== link) throw malformed('it is spelled in an unusual way')
  if (invite.expires * 1000 <= now) {
    const day = new Date(invite.expires * 1000).toISOString().slice(0, 10)
    throw new SottoError('E_INVITE_EXPIRED', `This invite expired on ${day}.`)
  }
  return invite
}

const malformed = (why: string): SottoError => new SottoError('E_INVITE_FORMAT', `This is not a usable invite: ${why}.`)

function spell({ name, gateways, code, template, expires, root }: Invite): string {
  const places = gateways.map(({ host, port, addresses, key, cohort, tls }) => ({
    ...{ host, port, addresses, key, cohort },
    ...(tls === undefined ? {} : { tls }),
  }))
  const payload = encodeMessage({ v: INVITE_VERSION, name, gateways: places, code, template, expires, root })
  return INVITE_PREFIX + base64url(concat(payload, checksum(payload)))
}

const checksum = (payload: Uint8Array): Uint8Array => sha256(payload).subarray(0, CHECKSUM_LENGTH)

function payloadOf(link: string): Uint8Array {
  if (!link.startsWith(INVITE_PREFIX)) throw malformed(`it does not begin with ${INVITE_PREFIX}`)
  if (link.length > InviteLimits.characters) throw malformed('it is too long')
  const bytes = fromBase64url(link.slice(INVITE_PREFIX.length))
  if (bytes === undefined) throw malformed('a character is wrong or missing')
  const payload = bytes.subarray(0, -CHECKSUM_LENGTH)
  if (!fastEqual(bytes.subarray(payload.length), checksum(payload))) throw malformed('a character is wrong or missing')
  return payload
}

/** An object of version 1; its fields are still to be checked. */
function decodePayload(payload: Uint8Array): Invite {
  const value = decodeMessage(payload)
  if (!isRecord(value)) throw malformed('its content is damaged')
  const { v, ...fields } = value
  if (typeof v === 'number' && v > INVITE_VERSION) {
    throw new SottoError('E_INVITE_VERSION', `This invite was made by a newer Sotto (version ${v}).`)
  }
  if (v !== INVITE_VERSION) throw malformed('its content is damaged')
  return fields as unknown as Invite
}

// ---- checks of fields, which may have any type ----------------------------------------------------------------------

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)
const isBytes =
  (length: number) =>
  (value: unknown): boolean =>
    value instanceof Uint8Array && value.length === length
const isList =
  (min: number, max: number, each: (value: unknown) => boolean) =>
  (value: unknown): boolean =>
    Array.isArray(value) && value.length >= min && value.length <= max && value.every(each)
const isInteger =
  (min: number, max: number) =>
  (value: unknown): boolean =>
    Number.isInteger(value) && (value as number) >= min && (value as number) <= max
const isText =
  (pattern: RegExp) =>
  (value: unknown): boolean =>
    typeof value === 'string' && pattern.test(value)
const optional =
  (check: (value: unknown) => boolean) =>
  (value: unknown): boolean =>
    value === undefined || check(value)

/** Canonical spelling only: the URL parser of the platform leaves it as it is. */
function isCanonical(host: string): boolean {
  return URL.canParse(`http://${host}/`) && new URL(`http://${host}/`).hostname === host
}

function isAddress(value: unknown): boolean {
  if (typeof value !== 'string') return false
  if (/^[0-9.]+$/.test(value)) return isCanonical(value)
  return /^[0-9a-f:]+$/.test(value) && isCanonical(`[${value}]`)
}

function isHost(value: unknown): boolean {
  if (isAddress(value)) return true
  // With a dot at its end, a name would be another for TLS and for the `Host` field.
  return typeof value === 'string' && /^[a-z0-9.-]{0,252}[a-z0-9-]$/.test(value) && isCanonical(value)
}

type Checks = Readonly<Record<string, (value: unknown) => boolean>>

/** Name of the first field that is missing, bad or unknown. */
function faultIn(value: unknown, checks: Checks): string | undefined {
  if (!isRecord(value)) return 'content'
  for (const [field, check] of Object.entries(checks)) if (!check(value[field])) return field
  return Object.keys(value).some((field) => !Object.hasOwn(checks, field)) ? 'field' : undefined
}

const placeChecks: Checks = {
  host: isHost,
  port: isInteger(1, 65_535),
  addresses: isList(0, InviteLimits.addresses, isAddress),
  key: isBytes(32),
  tls: optional(isBytes(32)),
}

const gatewayChecks: Checks = { ...placeChecks, cohort: isBytes(32) }

/** True for a gateway without its cohort, as signed lists have it (gateway-list.ts). */
export function isPlace(value: unknown): boolean {
  return faultIn(value, placeChecks) === undefined
}

const inviteChecks: Checks = {
  name: (value) =>
    typeof value === 'string' &&
    value.length > 0 &&
    value.length <= InviteLimits.nameCharacters &&
    !/\p{C}/u.test(value),
  gateways: isList(1, InviteLimits.gateways, (value) => faultIn(value, gatewayChecks) === undefined),
  code: isBytes(16),
  template: isText(/^[a-z0-9][a-z0-9-]{0,31}$/),
  expires: isInteger(1, 0xffffffff),
  root: isBytes(32),
}

const faultOf = (invite: unknown): string | undefined => faultIn(invite, inviteChecks)
