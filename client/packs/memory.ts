/** What the client keeps of packs, sealed in its store: the pack in use and the last good one of each gateway, and the floor. */
import { utf8 } from '#protocol/bytes.ts'
import { isSottoError } from '#protocol/errors.ts'
import { decodeMessage, encodeMessage } from '#protocol/services/codec.ts'
import type { Store } from '../store/store.ts'

/** Tables that the store must be opened with. */
export const PACK_TABLES: readonly string[] = ['packs']

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
