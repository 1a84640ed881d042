/**
 * What the client keeps of packs, sealed in its store: the pack in use and the last good one of each gateway, the floor, and
 * for each network which templates worked there. Networks are known by opaque octets of the firewall; nothing of this
 * leaves the device.
 */
import { concat, hex, latin1, utf8 } from '#protocol/bytes.ts'
import { isSottoError } from '#protocol/errors.ts'
import { decodeMessage, encodeMessage } from '#protocol/services/codec.ts'
import type { Store } from '../store/store.ts'

/** Tables that the store must be opened with. */
export const PACK_TABLES: readonly string[] = ['packs', 'looks']

/** Nobody else writes here; a person who travels must not fill the disk. */
const NETWORKS = 16
const TEMPLATES_OF_NETWORK = 8

export interface Shelf {
  /** Lowest serial that is still accepted. */
  readonly floor: number
  /** Octets of the pack in use. */
  readonly applied: Uint8Array | undefined
  /** Octets of the last pack that was promoted and carried here. */
  readonly good: Uint8Array | undefined
}

/** Packs of one gateway. */
export class PackShelf {
  private readonly store: Store
  private readonly endpoint: string

  constructor(store: Store, endpoint: string) {
    this.store = store
    this.endpoint = endpoint
  }

  load(): Shelf {
    const floor = decodeMessage(this.store.get('packs', this.key('floor')) ?? new Uint8Array(0))
    return {
      floor: typeof floor === 'number' ? floor : 0,
      applied: this.body('applied'),
      good: this.body('good'),
    }
  }

  /** A damaged one is as good as none: it comes again from the gateway. */
  private body(name: string): Uint8Array | undefined {
    try {
      return this.store.get('packs', this.key(name))
    } catch (error) {
      if (isSottoError(error, 'E_STATE_UNREADABLE')) return undefined
      throw error
    }
  }

  /** All of it, or nothing; on disk when it returns. */
  save({ floor, applied, good }: Shelf): void {
    this.store.transaction(() => {
      this.store.put('packs', this.key('floor'), encodeMessage(floor))
      for (const [name, bytes] of Object.entries({ applied, good })) {
        if (bytes === undefined) this.store.delete('packs', this.key(name))
        else this.store.put('packs', this.key(name), bytes)
      }
    })
  }

  private key(name: string): Uint8Array {
    return utf8(`${this.endpoint} ${name}`)
  }
}

/** Which templates worked with one gateway, for each network. */
export class LooksMemory {
  private readonly store: Store
  private readonly endpoint: string
  private readonly network: () => Promise<Uint8Array>

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
    return this.read(concat(utf8(`${this.endpoint} `), await this.network()))
  }

  async remember(bindingId: string): Promise<void> {
    const network = await this.network()
    const key = concat(utf8(`${this.endpoint} `), network)
    const before = this.read(key)
    if (before[0] === bindingId) return
    const next = [bindingId, ...before.filter((each) => each !== bindingId)].slice(0, TEMPLATES_OF_NETWORK)
    this.store.transaction(() => {
      this.store.put('looks', key, encodeMessage(next))
      this.noteNetwork(latin1(network))
    })
  }

  /** The network that was longest not seen gives way. Inside a transaction. */
  private noteNetwork(name: string): void {
    const listKey = utf8(`${this.endpoint} networks`)
    const seen = [name, ...this.read(listKey).filter((each) => each !== name)]
    for (const gone of seen.splice(NETWORKS)) {
      this.store.delete('looks', concat(utf8(`${this.endpoint} `), Buffer.from(gone, 'latin1')))
    }
    this.store.put('looks', listKey, encodeMessage(seen))
  }

  private read(key: Uint8Array): string[] {
    const list = decodeMessage(this.store.get('looks', key) ?? new Uint8Array(0))
    return Array.isArray(list) ? list.filter((each) => typeof each === 'string') : []
  }
}
