/**
 * Who may use the gateway: invites, the cohorts that make their first contact recognisable, and the credentials that
 * came of them. Nothing is cached: every question reads the store, so that what the command line changes counts for the
 * running gateway with its next request. What it must do on its own (cut sessions, change tokens) members-watch.ts tells.
 *
 * Cohorts: each call of `createInvites` starts a new one, and another after every 32 uses. Links made together are
 * mostly handed out together and leak together; so one leaked link exposes the first contacts of 32 members at most, and
 * revoking them retires its secret. A cohort costs the gateway 64 HMACs in five minutes: 1,000 of them 0.1 s.
 */

import type { Millis, Random } from '#protocol/bytes.ts'
import { constantTimeEqual, empty, fastEqual, fromHex, hex } from '#protocol/bytes.ts'
import { type Claim, CODE_LENGTH, membershipProof } from '#protocol/handshake.ts'
import { encodeMessage } from '#protocol/services/codec.ts'
import type { Caller } from '#protocol/services/service.ts'
import {
  COHORT_ID_LENGTH,
  type CohortSecret,
  DAY_MS,
  decode,
  INVITE_ID_LENGTH,
  type InviteInfo,
  type InviteRecord,
  type InviteRequest,
  infoOf,
  isLive,
  MemberLimits,
  type MemberRecord,
  memberOf,
  type NewInvite,
  nobody,
  requireRange,
  stateOf,
  versionId,
} from './members-records.ts'
import type { Store, Table } from './store/store.ts'

export class Members {
  private readonly store: Store
  private readonly random: Random
  private readonly invites: Table
  private readonly codes: Table
  private readonly credentials: Table
  private readonly cohortSecrets: Table
  private readonly versions: Table
  private readonly listeners = new Set<() => void>()

  /** `store`: opened with `MEMBER_TABLES` among its tables. */
  constructor(store: Store, random: Random) {
    this.store = store
    this.random = random
    this.invites = store.table('invites')
    this.codes = store.table('codes')
    this.credentials = store.table('members')
    this.cohortSecrets = store.table('cohorts')
    this.versions = store.table('members-version')
  }

  // ---- what the running gateway asks --------------------------------------------------------------------------------

  /** Who makes this claim in a first contact of this cohort; undefined for anybody who is no member. */
  async admit(claim: Claim, cohortId: string, now: Millis): Promise<Caller | undefined> {
    const invite = claim.kind === 'redeem' ? this.codes.get(claim.code) : this.credential(claim.credentialId)?.invite
    const cohort = this.invite(invite)?.cohort
    if (cohort === undefined || hex(cohort) !== cohortId) return undefined
    return claim.kind === 'redeem'
      ? await this.redeem(claim.code, claim.credentialId, claim.credentialKey, now)
      : this.authenticate(claim.credentialId, claim.transcript, claim.proof)
  }

  /**
   * Turns a code into a credential that the client has chosen, durably; the same credential may come again and again.
   * undefined for an unknown, expired, used-up or revoked code, and for a credential that is somebody else's or was
   * revoked: a member is known by its credential, so one that ended must not come back under another invite.
   */
  async redeem(
    code: Uint8Array,
    credentialId: Uint8Array,
    credentialKey: Uint8Array,
    now: Millis,
  ): Promise<Caller | undefined> {
    if (!this.codes.has(code)) return undefined
    return await this.store.transaction(() => {
      const invite = this.invite(this.codes.get(code))
      if (invite === undefined || invite.revoked) return undefined
      const caller: Caller = { member: memberOf(credentialId), role: invite.role }
      const known = this.credential(credentialId)
      if (known !== undefined) {
        return constantTimeEqual(known.key, credentialKey) && fastEqual(known.invite, invite.id) ? caller : undefined
      }
      if (stateOf(invite, now) !== 'open') return undefined
      this.credentials.put(credentialId, encodeMessage({ key: credentialKey, invite: invite.id }))
      this.write({ ...invite, redeemed: [...invite.redeemed, credentialId] })
      return caller
    })
  }

  /** Whose proof for this handshake this is; undefined for anybody else, and after a revocation. */
  authenticate(credentialId: Uint8Array, transcript: Uint8Array, proof: Uint8Array): Caller | undefined {
    const known = this.credential(credentialId)
    const proven = constantTimeEqual(proof, membershipProof(known?.key.length ? known.key : nobody, transcript))
    const invite = known === undefined || !proven ? undefined : this.invite(known.invite)
    if (invite === undefined || invite.revoked) return undefined
    return { member: memberOf(credentialId), role: invite.role }
  }

  /** Those whose first contacts are to be recognised: somebody uses them, or still may. */
  cohorts(now: Millis): CohortSecret[] {
    const live = new Map<string, CohortSecret>()
    for (const invite of this.allInvites()) {
      const id = hex(invite.cohort)
      if (!isLive(invite, now) || live.has(id)) continue
      const secret = this.cohortSecrets.get(invite.cohort)
      if (secret !== undefined) live.set(id, { id, secret })
    }
    return [...live.values()]
  }

  /** Changes whenever an invite is made, redeemed or revoked, by whichever process. */
  version(): number {
    return decode<number>(this.versions.get(versionId)) ?? 0
  }

  /** Calls `listener` once an invite was made or revoked here; other processes do not tell. Returns how to stop. */
  onChange(listener: () => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  /** Ids of all members that a revocation has ended. */
  revokedMembers(): string[] {
    return this.allInvites()
      .filter(({ revoked }) => revoked)
      .flatMap(({ redeemed }) => redeemed.map(memberOf))
  }

  // ---- what the operator does ---------------------------------------------------------------------------------------

  /** Makes `count` invites that share new cohorts. @throws RangeError for uses or days out of range */
  async createInvites(count: number, request: InviteRequest, now: Millis): Promise<NewInvite[]> {
    requireRange('count', count, 1, 1_000)
    requireRange('uses', request.uses, 1, MemberLimits.cohortUses)
    requireRange('days', request.days, 1, MemberLimits.inviteDays)
    return await this.changed(() => {
      let cohort = this.createCohort()
      let room = MemberLimits.cohortUses
      const created: NewInvite[] = []
      for (let n = 0; n < count; n++) {
        if (room < request.uses) {
          cohort = this.createCohort()
          room = MemberLimits.cohortUses
        }
        room -= request.uses
        created.push(this.createInvite(request, cohort, now))
      }
      return created
    })
  }

  /** Oldest first. */
  listInvites(now: Millis): InviteInfo[] {
    return this.allInvites()
      .map((invite) => infoOf(invite, now))
      .toSorted((a, b) => a.created - b.created || (a.id < b.id ? -1 : 1))
  }

  /**
   * Ends the invite and all credentials that came of it; touches nobody else. Their keys are removed, and with the last
   * invite of a cohort its secret. Returns how many members it ends; undefined for an unknown id. May be repeated.
   */
  async revoke(inviteId: string): Promise<number | undefined> {
    const id = fromHex(inviteId)
    if (id === undefined || !this.invites.has(id)) return undefined
    return await this.changed(
      () => {
        const invite = this.invite(id)!
        // Without its key it proves nothing; its name stays taken, so that nobody redeems another code under it.
        for (const credentialId of invite.redeemed)
          this.credentials.put(credentialId, encodeMessage({ key: empty, invite: id }))
        this.write({ ...invite, revoked: true })
        const mates = this.allInvites().filter(({ cohort }) => fastEqual(cohort, invite.cohort))
        if (mates.every(({ revoked }) => revoked)) this.cohortSecrets.remove(invite.cohort)
        return invite.redeemed.length
      },
      { frees: true },
    )
  }

  /** Takes back an invite that served a look at the gateway itself, with all that came of it, as if it had never been made. */
  async forget(inviteId: string, code: Uint8Array): Promise<void> {
    const invite = this.invite(fromHex(inviteId))
    if (invite === undefined) return
    await this.changed(
      () => {
        const { id, cohort, redeemed } = this.invite(invite.id) ?? invite
        for (const credentialId of redeemed) this.credentials.remove(credentialId)
        this.codes.remove(code)
        this.invites.remove(id)
        this.cohortSecrets.remove(cohort)
        this.versions.put(versionId, encodeMessage(this.version() + 1))
      },
      { frees: true },
    )
  }

  // ---- records; what writes is called inside a transaction ----------------------------------------------------------

  private async changed<T>(change: () => T, options?: { readonly frees: boolean }): Promise<T> {
    const result = await this.store.transaction(change, options)
    for (const listener of this.listeners) listener()
    return result
  }

  private createCohort(): { readonly id: Uint8Array; readonly secret: Uint8Array } {
    const cohort = { id: this.random(COHORT_ID_LENGTH), secret: this.random(32) }
    this.cohortSecrets.put(cohort.id, cohort.secret)
    return cohort
  }

  private createInvite(
    { name, uses, days, role }: InviteRequest,
    cohort: { readonly id: Uint8Array; readonly secret: Uint8Array },
    now: Millis,
  ): NewInvite {
    const id = this.random(INVITE_ID_LENGTH)
    const code = this.random(CODE_LENGTH)
    const times = { created: now, expires: now + days * DAY_MS }
    const invite: InviteRecord = { id, name, role, uses, ...times, cohort: cohort.id, redeemed: [], revoked: false }
    this.write(invite)
    this.codes.put(code, id)
    return { info: infoOf(invite, now), code, cohort: { id: hex(cohort.id), secret: cohort.secret } }
  }

  private write(invite: InviteRecord): void {
    this.invites.put(invite.id, encodeMessage(invite))
    this.versions.put(versionId, encodeMessage(this.version() + 1))
  }

  private invite(id: Uint8Array | undefined): InviteRecord | undefined {
    return id === undefined ? undefined : decode<InviteRecord>(this.invites.get(id))
  }

  private credential(id: Uint8Array): MemberRecord | undefined {
    return decode<MemberRecord>(this.credentials.get(id))
  }

  private allInvites(): InviteRecord[] {
    return this.invites.scan(undefined, Number.MAX_SAFE_INTEGER).map(({ value }) => decode<InviteRecord>(value)!)
  }
}
