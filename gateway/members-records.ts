/** What the store keeps about invites, cohorts and credentials, and what the operator gets to see of it. */

import type { Millis } from '#protocol/bytes.ts'
import { hex, utf8 } from '#protocol/bytes.ts'
import { sha256 } from '#protocol/crypto/hash.ts'
import { decodeMessage } from '#protocol/services/codec.ts'
import type { Caller } from '#protocol/services/service.ts'

export type Role = Caller['role']

/** What an operator can make out of hand; a stranger has no part in it. */
export interface MemberLimits {
  /** Members that share one cohort; members.ts says why. */
  readonly cohortUses: number
  /** Days until a link that nobody used stops working. Links are forgotten in old mails. */
  readonly inviteDays: number
}

export const MemberLimits: MemberLimits = Object.freeze({ cohortUses: 32, inviteDays: 365 })

export interface CohortSecret {
  readonly id: string
  readonly secret: Uint8Array
}

export interface InviteRequest {
  /** For the operator's list only. */
  readonly name: string
  /** How many people may redeem it, 1 to `MemberLimits.cohortUses`. */
  readonly uses: number
  readonly days: number
  readonly role: Role
}

export interface InviteInfo {
  /** 16 hexadecimal digits; not a secret. */
  readonly id: string
  readonly name: string
  readonly role: Role
  readonly created: Millis
  readonly expires: Millis
  readonly uses: number
  readonly used: number
  readonly state: 'open' | 'used' | 'expired' | 'revoked'
}

/** The two secrets are known only now; the store keeps the code as a hash. */
export interface NewInvite {
  readonly info: InviteInfo
  readonly code: Uint8Array
  readonly cohort: CohortSecret
}

export interface InviteRecord {
  readonly id: Uint8Array
  readonly name: string
  readonly role: Role
  readonly created: Millis
  readonly expires: Millis
  readonly uses: number
  readonly cohort: Uint8Array
  /** Credential ids of those who redeemed it; still here after a revocation, so that their sessions can be found. */
  readonly redeemed: readonly Uint8Array[]
  readonly revoked: boolean
}

export interface MemberRecord {
  readonly key: Uint8Array
  readonly invite: Uint8Array
}

/** Tables that the members need in their store. */
export const MEMBER_TABLES: readonly string[] = ['invites', 'codes', 'members', 'cohorts', 'members-version']

export const INVITE_ID_LENGTH = 8
export const COHORT_ID_LENGTH = 8
export const DAY_MS = 86_400_000
export const versionId: Uint8Array = utf8('version')
/** Compared with where a credential is unknown, so that it takes as long as a known one. */
export const nobody: Uint8Array = new Uint8Array(32)

export const decode = <T>(record: Uint8Array | undefined): T | undefined =>
  record === undefined ? undefined : (decodeMessage(record) as T)

/** Opaque and stable; does not tell the credential id, which is a name on the wire. */
export const memberOf = (credentialId: Uint8Array): string =>
  hex(sha256(utf8('sotto/1/member-id\0'), credentialId)).slice(0, 32)

export function stateOf({ revoked, redeemed, uses, expires }: InviteRecord, now: Millis): InviteInfo['state'] {
  if (revoked) return 'revoked'
  if (redeemed.length >= uses) return 'used'
  return expires <= now ? 'expired' : 'open'
}

export const isLive = (invite: InviteRecord, now: Millis): boolean =>
  !invite.revoked && (invite.redeemed.length > 0 || stateOf(invite, now) === 'open')

export function infoOf(invite: InviteRecord, now: Millis): InviteInfo {
  const { id, name, role, created, expires, uses, redeemed } = invite
  return { id: hex(id), name, role, created, expires, uses, used: redeemed.length, state: stateOf(invite, now) }
}

export function requireRange(what: string, value: number, min: number, max: number): void {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new RangeError(`${what} must be a whole number from ${min} to ${max}, not ${value}`)
  }
}
