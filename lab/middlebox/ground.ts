/** What every scenario stands on: a gateway process of the product, invites into it, places for boxes. */
import type { Invite } from '#protocol/invite.ts'
import { encodeInvite, parseInvite } from '#protocol/invite.ts'
import type { Owner } from '#test/helpers/command.ts'
import { operator, SharedOwner } from '#test/helpers/command.ts'
import type { GatewayProcess } from '#test/helpers/command-gateway.ts'
import { startedGateway } from '#test/helpers/command-gateway.ts'

export interface Ground {
  readonly gateway: GatewayProcess
  /** A fresh invite, with what `change` makes of it. */
  invite(change?: (invite: Invite) => Invite): string
  /** An address of this machine that nobody else uses. */
  address(): string
  close(): Promise<void>
}

/** Invites made at once: each member needs one, and making one is a process. */
const INVITES = 224
let addresses = 0

export async function openGround(): Promise<Ground> {
  const owner = new SharedOwner()
  const gateway = await startedGateway(owner)
  const links = await invitesOf(owner, gateway)
  return {
    gateway,
    invite: (change = (invite) => invite) => {
      const link = links.pop()
      if (link === undefined) throw new Error('the invites are used up')
      return encodeInvite(change(parseInvite(link, Date.now())))
    },
    // 127.0.0.0/8 is this machine's own: boxes stand on the gateway's port, at other addresses.
    address: () => `127.77.${1 + (addresses >> 8)}.${1 + (addresses++ & 0xff)}`,
    close: () => owner.end(),
  }
}

async function invitesOf(owner: Owner, { state }: GatewayProcess): Promise<string[]> {
  const made = await operator(owner, ['invite', 'create', '--state', state, '--count', String(INVITES), '--json'])
  if (made.status !== 0) throw new Error(made.err)
  return (JSON.parse(made.out) as { link: string }[]).map(({ link }) => link)
}

/** The same invite, with its first gateway elsewhere. */
export function at(
  invite: Invite,
  { addresses: places, pin, host }: { addresses?: readonly string[]; pin?: Uint8Array; host?: string },
): Invite['gateways'][number] {
  const [first] = invite.gateways
  return {
    ...first!,
    ...(host === undefined ? {} : { host }),
    ...(places === undefined ? {} : { addresses: places }),
    ...(pin === undefined ? {} : { tls: pin }),
  }
}
