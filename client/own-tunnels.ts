/** A member's tunnels: what each needs, and opening one to every gateway that the firewall knows. */
import type { CompiledTemplate } from '#engine/compile.ts'
import type { DialerReport, EndpointInfo } from '#firewall/permit.ts'
import { aes256gcm } from '#protocol/crypto/aead.ts'
import { preferredAead } from '#protocol/crypto/measure.ts'
import { SottoError } from '#protocol/errors.ts'
import { SuiteId } from '#protocol/parcel.ts'
import type { Builtin } from '../camouflage-templates/builtins.ts'
import { fits } from './fitting.ts'
import { delaysOf } from './gateway-order.ts'
import type { MemberInput } from './member.ts'
import { NetworkMemory } from './network-memory.ts'
import { begun, ranked, templateNamed } from './own-looks.ts'
import { openPackedTunnel, type PackedTunnel } from './packs/packed-tunnel.ts'
import type { Store } from './store/store.ts'

/** What is the same for all tunnels of a member. */
export interface Own {
  readonly builtins: readonly Builtin[]
  readonly dialers: readonly DialerReport[]
  readonly store: Store
}

/** Gets everything that a tunnel to an endpoint needs; it runs from its making on, and begins after so many milliseconds. */
export type PrepareTunnel = (endpoint: EndpointInfo) => Promise<(afterMs: number) => PackedTunnel>

export function preparerOf({ broker, clockwork, template }: MemberInput, own: Own): PrepareTunnel {
  const { builtins, dialers, store } = own
  const fastest = preferredAead(() => performance.now()) === aes256gcm.name
  return async (endpoint) => {
    const parts = {
      template: template === undefined ? begun(builtins, endpoint.template) : templateNamed(builtins, template),
      // What a person asks for is kept to. Those that only ask for things get through where nothing may be sent.
      others: () => (template === undefined ? ranked(builtins) : []),
      permit: await broker.permit(endpoint.id),
      fits: (each: CompiledTemplate) => fits(each, dialers),
      preferredAead: fastest ? SuiteId.aes256gcm : SuiteId.chacha20poly1305,
      network: () => broker.network(),
      pinned: template !== undefined,
      ...{ clockwork, store },
    }
    return (afterMs) => openPackedTunnel({ ...parts, afterMs })
  }
}

/** @throws SottoError E_NOT_JOINED */
export async function openTunnels(
  { broker, clockwork }: MemberInput,
  { store }: Own,
  prepare: PrepareTunnel,
): Promise<PackedTunnel[]> {
  const all = await broker.endpoints()
  const gateways = all.filter(({ kind }) => kind === 'gateway')
  if (gateways.length === 0) throw notJoined()
  const endpoints = [...gateways, ...all.filter(({ kind }) => kind === 'node')]
  // Nothing is begun before everything it needs is there.
  const starts = await Promise.all(endpoints.map(prepare))
  const network = (): Promise<Uint8Array> => broker.network()
  const memories = endpoints.map(({ id }) => new NetworkMemory(store, id, network))
  const delays = await delaysOf(memories, clockwork.now())
  return starts.map((start, i) => start(delays[i]!))
}

export const notJoined = (): SottoError => new SottoError('E_NOT_JOINED', 'you have not joined a gateway yet')
