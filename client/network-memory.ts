/**
 * What is kept of one gateway for each network, sealed in the store: which templates worked there, and what the way does.
 * Networks are known by opaque octets of the firewall, salted on this machine; nothing of this leaves the device.
 */
import type { Millis } from '#protocol/bytes.ts'
import { concat, hex, latin1, utf8 } from '#protocol/bytes.ts'
import { decodeMessage, encodeMessage } from '#protocol/services/codec.ts'
import type { Store } from './store/store.ts'
import type { WayRecord } from './way-record.ts'
import { wayRecordIn } from './way-record.ts'

/** Tables that the store must be opened with. */
export const NETWORK_TABLES: readonly string[] = ['looks', 'ways']

/** Nobody else writes here; a person who travels must not fill the disk. */
const NETWORKS = 16
const TEMPLATES_OF_NETWORK = 8
/** Milliseconds for which a way is remembered that was not used: networks change. Two weeks. */
const KEPT_MS = 1_209_600_000

export class NetworkMemory {
  private readonly store: Store
  private readonly endpoint: string
  private readonly network: () => Promise<Uint8Array>

  /** `store` opened with `NETWORK_TABLES`; `network`: the one we are on. */
  constructor(store: Store, endpoint: string, network: () => Promise<Uint8Array>) {
    this.store = store
    this.endpoint = endpoint
    this.network = network
  }

  /** The network we are on, for comparing. */
  async here(): Promise<string> {
    return hex(await this.network())
  }

  /** Names of templates (`bindingId`) that worked on this network, the latest first. */
  async worked(): Promise<readonly string[]> {
    return this.read(this.key(await this.network()))
  }

  async remember(bindingId: string): Promise<void> {
    const network = await this.network()
    const before = this.read(this.key(network))
    if (before[0] === bindingId) return
    const next = [bindingId, ...before.filter((each) => each !== bindingId)].slice(0, TEMPLATES_OF_NETWORK)
    this.store.transaction(() => {
      this.store.put('looks', this.key(network), encodeMessage(next))
      this.noteNetwork(latin1(network))
    })
  }

  /** What the way to this gateway did on this network when it was last used; undefined where that is long ago. */
  async way(now: Millis): Promise<WayRecord | undefined> {
    const bytes = this.store.get('ways', this.key(await this.network()))
    const { at, way } = ((bytes && decodeMessage(bytes)) ?? {}) as { at?: unknown; way?: unknown }
    return typeof at === 'number' && Math.abs(now - at) < KEPT_MS ? wayRecordIn(way) : undefined
  }

  /** Milliseconds since the epoch at which this gateway was last reached from here; undefined for not lately. */
  async reachedAt(now: Millis): Promise<Millis | undefined> {
    const bytes = this.store.get('ways', this.key(await this.network()))
    const { at } = ((bytes && decodeMessage(bytes)) ?? {}) as { at?: unknown }
    return typeof at === 'number' && Math.abs(now - at) < KEPT_MS ? at : undefined
  }

  /** The way worked on this network, and does this. */
  async keepWay(way: WayRecord, at: Millis): Promise<void> {
    const network = await this.network()
    this.store.transaction(() => {
      this.store.put('ways', this.key(network), encodeMessage({ at: Math.round(at), way }))
      this.noteNetwork(latin1(network))
    })
  }

  private key(network: Uint8Array): Uint8Array {
    return concat(utf8(`${this.endpoint} `), network)
  }

  /** The network that was longest not seen gives way. Inside a transaction. */
  private noteNetwork(name: string): void {
    const listKey = utf8(`${this.endpoint} networks`)
    const before = this.read(listKey)
    if (before[0] === name) return
    const seen = [name, ...before.filter((each) => each !== name)]
    for (const gone of seen.splice(NETWORKS)) {
      const key = this.key(Buffer.from(gone, 'latin1'))
      this.store.delete('looks', key)
      this.store.delete('ways', key)
    }
    this.store.put('looks', listKey, encodeMessage(seen))
  }

  private read(key: Uint8Array): string[] {
    const list = decodeMessage(this.store.get('looks', key) ?? new Uint8Array(0))
    return Array.isArray(list) ? list.filter((each) => typeof each === 'string') : []
  }
}
