/** `sotto invite create|list|revoke`: works on the state folder; a running gateway notices within a quarter of a second. */
import type { Millis } from '#protocol/bytes.ts'
import { SottoError } from '#protocol/errors.ts'
import type { ListedGateway } from '#protocol/gateway-list.ts'
import { encodeInvite } from '#protocol/invite.ts'
import { certificateOf } from '../config.ts'
import type { InviteInfo, NewInvite, Role } from '../members-records.ts'
import type { GatewayState } from '../state.ts'
import { certificatePin } from '../tls-files.ts'
import { withState } from './with-state.ts'

export interface CreateOptions {
  readonly state: string
  readonly name: string
  readonly count: number
  readonly uses: number
  readonly days: number
  readonly role: Role
}

export interface CreatedInvite extends InviteInfo {
  /** A secret: whoever has it can join. */
  readonly link: string
}

/** @throws SottoError E_STATE_UNREADABLE, E_CONFIG, E_DISK_FULL, E_USAGE */
export async function createInvites(options: CreateOptions, now: Millis): Promise<CreatedInvite[]> {
  return await withState(options.state, (state) => createInvitesIn(state, options, now))
}

/** As `createInvites`, where the state is open: a process opens its store once. @throws SottoError E_DISK_FULL, E_USAGE */
export async function createInvitesIn(
  state: GatewayState,
  { count, name, uses, days, role }: Omit<CreateOptions, 'state'>,
  now: Millis,
): Promise<CreatedInvite[]> {
  const place = await placeOf(state)
  const created = await state.members.createInvites(count, { name, uses, days, role }, now)
  return created.map((invite) => ({ ...invite.info, link: linkOf(state, invite, place) }))
}

/** Oldest first. @throws SottoError E_STATE_UNREADABLE, E_CONFIG */
export async function listInvites(folder: string, now: Millis): Promise<InviteInfo[]> {
  return await withState(folder, async ({ members }) => members.listInvites(now))
}

/**
 * Returns how many members it ended.
 * @throws SottoError E_USAGE for an unknown id, E_STATE_UNREADABLE, E_CONFIG
 */
export async function revokeInvite(folder: string, id: string): Promise<number> {
  return await withState(folder, async ({ members }) => {
    const ended = await members.revoke(id)
    if (ended !== undefined) return ended
    throw new SottoError('E_USAGE', `There is no invite ${JSON.stringify(id)}.`, {
      next: 'Look it up: sotto invite list',
    })
  })
}

/** Where members reach this gateway, and what they pin. */
export async function placeOf({
  config,
  gatewayKey,
}: Pick<GatewayState, 'config' | 'gatewayKey'>): Promise<ListedGateway> {
  const { domain: host, port, addresses } = config
  const certificate = certificateOf(config)
  const tls = certificate === undefined ? undefined : await certificatePin({ certificate })
  return { host, port, addresses, key: gatewayKey, ...(tls === undefined ? {} : { tls }) }
}

function linkOf({ config, packRoot }: GatewayState, invite: NewInvite, place: ListedGateway): string {
  return encodeInvite({
    name: config.name,
    gateways: [{ ...place, cohort: invite.cohort.secret }],
    code: invite.code,
    template: config.templates[0]!,
    expires: Math.floor(invite.info.expires / 1000),
    root: packRoot,
  })
}
