/** What a tunnel is made of, and what its parts share. */
import type { CompiledTemplate } from '#engine/compile.ts'
import type { Permit } from '#firewall/permit.ts'
import type { PackPointer } from '#protocol/session/frames.ts'
import type { Clockwork } from '../clockwork.ts'
import type { Path } from '../path.ts'
import type { SocketCarrier } from '../socket/socket-carrier.ts'
import type { WayRecord } from '../way-record.ts'
import type { Attire } from './attire.ts'

export interface TunnelInput {
  readonly permit: Permit
  readonly template: CompiledTemplate
  /** To begin with where `template` does not come through, in this order. */
  readonly others?: () => readonly CompiledTemplate[]
  readonly clockwork: Clockwork
  /** Index into `aeads` of the suite this machine is quickest with. */
  readonly preferredAead: number
  /** Of the rhythm, 16 octets, secret; drawn where nothing is given. */
  readonly rhythmSeed?: Uint8Array
  /** Where other templates come from; without it there is the one. */
  readonly looks?: TunnelLooks
  /** Where what is found out of the way is kept; without it, it is found out anew with every start. */
  readonly memory?: WayMemory
  /** Milliseconds until it begins: of several gateways the best goes first. */
  readonly afterMs?: number
}

/** What is known of the way on the network we are on. What cannot be read or kept is no reason not to go on. */
export interface WayMemory {
  recall(): Promise<WayRecord | undefined>
  keep(way: WayRecord): Promise<void>
}

/** Templates that a tunnel may change between, and who wants to know of it. */
export interface TunnelLooks {
  /** Best first, never empty. */
  candidates(): Promise<readonly CompiledTemplate[]>
  /** The tunnel goes on with this one, which has just carried an exchange. */
  took(template: CompiledTemplate): void
  /** The gateway has said which pack to use. */
  pointed(pointer: PackPointer): void
}

/** What the parts of one tunnel work with. */
export interface Shared {
  readonly permit: Permit
  readonly clockwork: Clockwork
  readonly looks: TunnelLooks | undefined
  readonly path: Path
  readonly attire: Attire
  readonly socket: SocketCarrier
  /** Exchanges begun so far. */
  readonly counted: { exchanges: number }
}

/** Octets of parcel beside content. */
export { PARCEL_MIN as PARCEL_OVERHEAD } from '#protocol/constants.ts'
