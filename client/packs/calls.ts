/** The pack service of a gateway as its client uses it: every answer is checked before it is believed. Spec section 9.2. */
import { fastEqual } from '#protocol/bytes.ts'
import { sha256 } from '#protocol/crypto/hash.ts'
import { PACK_HASH_LENGTH, PackLimits } from '#protocol/pack.ts'
import type { PackPointer } from '#protocol/session/frames.ts'
import { PackStage } from '#protocol/session/frames.ts'

export interface PackCalls {
  call(method: string, args: unknown): Promise<unknown>
}

/** Pieces that one pack may come in: a gateway gives eight at the most. Attack: one octet at a time. */
const PIECES = 64

/** Where the gateway points now; undefined for anything but a pointer. Rejects as the call does. */
export async function askPointer(gateway: PackCalls): Promise<PackPointer | undefined> {
  return pointerIn(await gateway.call('packs.pointer', {}))
}

/** Octets of the pack of this hash; undefined where those that came are not. Rejects as the call does. */
export async function fetchPack(gateway: PackCalls, hash: Uint8Array): Promise<Uint8Array | undefined> {
  let bytes = new Uint8Array(0)
  let pieces = 0
  for (let length = 1; bytes.length < length; ) {
    if (++pieces > PIECES) return undefined
    const piece = pieceIn(await gateway.call('packs.fetch', { hash, offset: bytes.length }))
    if (piece === undefined || bytes.length + piece.data.length > piece.length) return undefined
    length = piece.length
    bytes = Buffer.concat([bytes, piece.data])
  }
  return fastEqual(sha256(bytes), hash) ? new Uint8Array(bytes) : undefined
}

/** What cannot be said now is not worth repeating. */
export async function reportPack(gateway: PackCalls, hash: Uint8Array, outcome: 'applied' | 'failed'): Promise<void> {
  await gateway.call('packs.report', { hash, outcome }).catch(() => {})
}

function pointerIn(value: unknown): PackPointer | undefined {
  const { stage, ttl, hash } = (value ?? {}) as Partial<PackPointer>
  if (stage !== 0 && stage !== 1 && stage !== 2) return undefined
  const [least, most] = PackLimits.ttlSeconds
  const length = stage === PackStage.none ? 0 : PACK_HASH_LENGTH
  const good = Number.isInteger(ttl) && ttl! >= least && ttl! <= most
  return good && hash instanceof Uint8Array && hash.length === length ? { stage, ttl: ttl!, hash } : undefined
}

function pieceIn(value: unknown): { readonly length: number; readonly data: Uint8Array } | undefined {
  const { length, data } = (value ?? {}) as { readonly length?: unknown; readonly data?: unknown }
  if (typeof length !== 'number' || !Number.isInteger(length) || length > PackLimits.bytes) return undefined
  return data instanceof Uint8Array && data.length > 0 ? { length, data } : undefined
}
