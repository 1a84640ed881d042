/** The allow-list as it is kept: every change of it is decided as data, stored, told, and can be taken back. */
import type { Millis, Random } from '#protocol/bytes.ts'
import { hex, utf8 } from '#protocol/bytes.ts'
import { KEY_LENGTH } from '#protocol/constants.ts'
import { sha256 } from '#protocol/crypto/hash.ts'
import type { SottoError } from '#protocol/errors.ts'
import { CREDENTIAL_ID_LENGTH } from '#protocol/handshake.ts'
import { parseInvite } from '#protocol/invite.ts'
import { decideList } from './gateway-list.ts'
import type { Change } from './journal.ts'
import { compacted, undone, withEndpoints } from './journal.ts'
import type { FreshPeer } from './peers.ts'
import { allowOffer, decideOffers } from './peers.ts'
import type { EndpointInfo, FirewallEventKind, OfferedPeer } from './permit.ts'
import type { Endpoint, Refusal } from './policy.ts'
import { confirmed, decideAdmission, publicInfo } from './policy.ts'
import type { Vault } from './vault.ts'

export interface ListSurroundings {
  readonly now: () => Millis
  readonly random: Random
  readonly emit: (kind: FirewallEventKind, endpoint: string, reason?: string) => void
  /** Writes a refusal down, and returns what to throw. */
  readonly refuse: (reason: Refusal) => SottoError
  /** Ends the connections of an endpoint. */
  readonly disconnect: (endpointId: string) => Promise<void>
}

/** Lets go of what is too old to be taken back. */
export async function compact(vault: Vault, now: Millis): Promise<void> {
  await vault.update((kept) => {
    const changes = compacted(kept.changes, now)
    return changes.length === kept.changes.length ? kept : { ...kept, changes }
  })
}

export class AllowList {
  private readonly vault: Vault
  private readonly around: ListSurroundings

  constructor(vault: Vault, around: ListSurroundings) {
    this.vault = vault
    this.around = around
  }

  /** @throws SottoError E_INVITE_*, E_FIREWALL_REFUSED, E_DISK_FULL, E_STATE_UNREADABLE */
  async admit(link: string, kind: 'gateway' | 'node'): Promise<EndpointInfo[]> {
    const invite = parseInvite(link, this.around.now())
    const fresh = {
      kind,
      invite: sha256(utf8('sotto/1/invite'), invite.code).slice(0, 16),
      credential: this.fresh.credential(),
      newId: () => this.fresh.newId(),
    }
    let ofInvite: readonly Endpoint[] = []
    const added: string[] = []
    const before = this.vault.endpoints
    await this.vault.update((kept) => {
      const decision = decideAdmission(kept.endpoints, invite, fresh)
      if (!decision.allowed) throw this.around.refuse(decision.reason)
      ofInvite = decision.value.ofInvite
      added.push(...ofInvite.map(({ id }) => id).filter((id) => !kept.endpoints.has(id)))
      return withEndpoints(kept, decision.value.endpoints, 'admitted', this.around.now())
    })
    for (const id of before.keys()) if (!this.vault.endpoints.has(id)) await this.dropped(id, 'node')
    for (const id of added) this.around.emit('admitted', id)
    return ofInvite.map(publicInfo)
  }

  async forget(endpointId: string): Promise<void> {
    if (!this.vault.endpoints.has(endpointId)) return
    await this.vault.update((kept) => {
      const others = new Map([...kept.endpoints].filter(([id]) => id !== endpointId))
      return withEndpoints(kept, others, 'forgotten', this.around.now())
    })
    await this.dropped(endpointId)
  }

  /** Takes in a signed list. `refuse`: what to throw where it is not to be. Resolves with the endpoints that are new. */
  async offer(bytes: Uint8Array, refuse: (reason: Refusal) => SottoError): Promise<EndpointInfo[]> {
    const { vault, around } = this
    let before = vault.endpoints
    await vault.update((kept) => {
      before = kept.endpoints
      const decision = decideList(kept, bytes, around.now(), () => hex(around.random(8)))
      if (!decision.allowed) throw refuse(decision.reason)
      return decision.value
    })
    const after = vault.endpoints
    for (const id of before.keys()) if (!after.has(id)) await this.dropped(id, 'list')
    const added = [...after.values()].filter(({ id }) => !before.has(id))
    for (const { id } of added) around.emit('listed', id)
    return added.map(publicInfo)
  }

  /** Takes in what contacts offer now. Resolves with the peers there are. */
  async offerPeers(offers: readonly OfferedPeer[]): Promise<EndpointInfo[]> {
    const { vault, around } = this
    let refused: readonly Refusal[] = []
    await this.changed(() =>
      vault.update((kept) => {
        const decided = decideOffers(kept, offers, around.now(), this.fresh)
        refused = decided.refused
        return decided.kept
      }),
    )
    for (const reason of refused) around.refuse(reason)
    return [...vault.endpoints.values()].filter(({ kind }) => kind === 'peer').map(publicInfo)
  }

  /** The person lets in what is offered under this key. */
  allowPeer(root: string): Promise<void> {
    return this.changed(() =>
      this.vault.update((kept) => {
        const decision = allowOffer(kept, root, this.around.now(), this.fresh)
        if (!decision.allowed) throw this.around.refuse(decision.reason)
        return decision.value
      }),
    )
  }

  /** Tells what came and went of peers. */
  private async changed(change: () => Promise<void>): Promise<void> {
    const before = this.vault.endpoints
    await change()
    const after = this.vault.endpoints
    for (const id of before.keys()) if (!after.has(id)) await this.dropped(id, 'peer')
    for (const id of after.keys()) if (!before.has(id)) this.around.emit('peered', id)
  }

  private get fresh(): FreshPeer {
    const { random } = this.around
    return {
      credential: () => ({ id: random(CREDENTIAL_ID_LENGTH), key: random(KEY_LENGTH) }),
      newId: () => hex(random(8)),
    }
  }

  private async dropped(endpointId: string, reason?: string): Promise<void> {
    await this.around.disconnect(endpointId)
    this.around.emit('forgotten', endpointId, reason)
  }

  async undo(): Promise<Change> {
    let done: Change | undefined
    await this.vault.update((kept) => {
      const decision = undone(kept, this.around.now())
      if (!decision.allowed) throw this.around.refuse(decision.reason)
      done = decision.value.change
      return decision.value.kept
    })
    const { kind, added, removed } = done!
    for (const id of added) await this.around.disconnect(id)
    for (const id of [...added, ...removed.map((endpoint) => endpoint.id)]) this.around.emit('undone', id, kind)
    return done!
  }

  /** The gateway has accepted the membership. */
  async confirm(endpointId: string): Promise<void> {
    await this.vault.update((kept) => {
      const endpoint = kept.endpoints.get(endpointId)
      if (endpoint?.code === undefined) return kept
      return { ...kept, endpoints: new Map(kept.endpoints).set(endpointId, confirmed(endpoint)) }
    })
    this.around.emit('redeemed', endpointId)
  }
}
