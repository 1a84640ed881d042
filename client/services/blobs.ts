/** The blob service as transfers use it: over the tunnel of the gateway where a blob lies. Spec section 9.7. */
import type { BlobPort, OwnPlace, Place } from '#client/files/ports.ts'
import type { CallOptions } from '#client/tunnel/calls.ts'
import { mapLength } from '#protocol/blobs.ts'
import { fromUtf8, latin1 } from '#protocol/bytes.ts'
import { xchacha20poly1305 } from '#protocol/crypto/aead.ts'
import { SottoError } from '#protocol/errors.ts'
import { Priority } from '#protocol/session/stream.ts'

/** Milliseconds for a piece on a slow way; messages go first. */
const PIECE_MS = 600_000

/** A gateway, by the name that it has in cards and queues. */
export interface BlobWay {
  readonly gateway: Uint8Array
  isReady(): boolean
  call(method: string, args: unknown, options?: CallOptions): Promise<unknown>
}

export class BlobWays implements BlobPort {
  private readonly ways: ReadonlyMap<string, BlobWay>

  constructor(ways: readonly BlobWay[]) {
    this.ways = new Map(ways.map((way) => [latin1(way.gateway), way]))
  }

  reach(gateway: Uint8Array): 'ready' | 'away' | 'none' {
    const way = this.ways.get(latin1(gateway))
    if (way === undefined) return 'none'
    return way.isReady() ? 'ready' : 'away'
  }

  async begin(place: Place, blob: Uint8Array, pieces: number, noStore: boolean): Promise<Uint8Array> {
    const answer = await this.call(place.gateway, 'blobs.begin', { ...sender(place), blob, pieces, noStore })
    const { map } = (answer ?? {}) as { map?: unknown }
    if (!(map instanceof Uint8Array) || map.length !== mapLength(pieces)) throw unknownAnswer()
    return map
  }

  async put(place: Place, blob: Uint8Array, index: number, piece: Uint8Array): Promise<void> {
    await this.call(place.gateway, 'blobs.put', { ...sender(place), blob, index, piece })
  }

  async get({ gateway, rid, rauth, seal }: OwnPlace, blob: Uint8Array, index: number): Promise<Uint8Array | undefined> {
    const { box } = ((await this.call(gateway, 'blobs.get', { rid, rauth, blob, index })) ?? {}) as { box?: unknown }
    if (!(box instanceof Uint8Array)) throw unknownAnswer()
    const { nonceLength } = xchacha20poly1305
    if (box.length < nonceLength) return undefined
    return xchacha20poly1305.open(seal, box.subarray(0, nonceLength), box.subarray(nonceLength))
  }

  async remove(place: Place | OwnPlace, blob: Uint8Array): Promise<void> {
    const side = 'sid' in place ? sender(place) : { rid: place.rid, rauth: place.rauth }
    await this.call(place.gateway, 'blobs.remove', { ...side, blob })
  }

  private async call(gateway: Uint8Array, method: string, args: unknown): Promise<unknown> {
    const way = this.ways.get(latin1(gateway))
    if (way !== undefined) return await way.call(method, args, { timeoutMs: PIECE_MS, priority: Priority.bulk })
    const place = fromUtf8(gateway) ?? 'another gateway'
    throw new SottoError('E_NO_GATEWAY', `your contact receives files at ${place}, which you have no invite for`, {
      kept: 'The file is kept, sealed, and goes out once you have joined there.',
    })
  }
}

const sender = ({ sid, sauth }: Place): { sid: Uint8Array; sauth: Uint8Array } => ({ sid, sauth })

const unknownAnswer = (): SottoError =>
  new SottoError('E_INTERNAL', 'the gateway answered something this version does not know')
