/** A tunnel whose templates come from signed packs: tunnel, keeper and memory put together. */
import type { CompiledTemplate } from '#engine/compile.ts'
import type { Broker } from '#firewall/permit.ts'
import { NetworkMemory } from '../network-memory.ts'
import type { Store } from '../store/store.ts'
import type { TunnelInput } from '../tunnel/input.ts'
import { Tunnel } from '../tunnel.ts'
import type { PackInUse } from './keeper.ts'
import { PackKeeper } from './keeper.ts'
import { Looks } from './looks.ts'
import { PackShelf } from './memory.ts'

export interface PackedTunnelInput extends Omit<TunnelInput, 'looks' | 'memory'> {
  /** Opened with `PACK_TABLES` and `NETWORK_TABLES`. */
  readonly store: Store
  readonly network: Broker['network']
  /** True where a dialer looks as the template claims. */
  readonly fits: (template: CompiledTemplate) => boolean
  /** The person asked for this template: packs change nothing. */
  readonly pinned: boolean
}

export interface PackedTunnel {
  readonly tunnel: Tunnel
  /** The pack in use; undefined while there is none. */
  readonly pack: () => PackInUse | undefined
  /** From now on traffic looks like this, and packs change nothing. */
  readonly pin: (template: CompiledTemplate) => void
  readonly stop: () => Promise<void>
}

export function openPackedTunnel({ store, network, fits, pinned, ...input }: PackedTunnelInput): PackedTunnel {
  const { permit, clockwork, template } = input
  const { id, root } = permit.endpoint
  const memory = new NetworkMemory(store, id, network)
  const looks = new Looks({ bootstrap: template, memory: pinned ? undefined : memory })
  const parts = { looks, memory, clockwork, fits, shelf: new PackShelf(store, id) }
  const keeper = root === undefined || pinned ? undefined : new PackKeeper({ ...parts, root })
  const tunnel = new Tunnel({
    ...input,
    memory: {
      recall: () => memory.way(clockwork.now()),
      keep: (way) => memory.keepWay(way, clockwork.now()),
    },
    looks: {
      candidates: () => looks.candidates(),
      took: (taken) => {
        // Not remembered where the disk is full, or where the program is ending: it is found out again the next time.
        looks.worked(taken).catch(() => {})
        keeper?.changed()
      },
      pointed: (pointer) => keeper?.pointed(pointer),
    },
  })
  keeper?.attach(tunnel)
  return {
    tunnel,
    pack: () => keeper?.inUse,
    pin: (chosen) => {
      looks.pin(chosen)
      tunnel.use(chosen)
    },
    stop: async () => {
      keeper?.close()
      await tunnel.stop()
    },
  }
}
