/**
 * A session in octets, in two parts: the state that every message changes, and the keys kept for messages under way, which
 * may be many and change seldom.
 *
 *     kept = { remote key 32 || count 4 || { number 4 || since 8 || key 32 }* }*
 */
import { concat, hex, u32, u64 } from '#protocol/bytes.ts'
import { ANSWERING, type Healing } from './healing.ts'
import type { Session } from './model.ts'
import { pack, unpack } from './pack.ts'
import type { KeptKey, RatchetState, ReceivingChain } from './ratchet.ts'
import { Reader } from './reader.ts'

interface PackedChain {
  readonly remote: Uint8Array
  /** Empty for a closed chain. */
  readonly chain: Uint8Array
  readonly next: number
}

interface PackedSession {
  readonly id: Uint8Array
  readonly contact: Uint8Array
  readonly stamp: number
  readonly start: Uint8Array
  readonly root: Uint8Array
  readonly ownSecret: Uint8Array
  readonly ownPublic: Uint8Array
  readonly sendingChain: Uint8Array
  readonly sendingNext: number
  readonly previous: number
  readonly receiving: readonly PackedChain[]
  readonly context: Uint8Array
  readonly mixed: boolean
  readonly told: boolean
  readonly healing: Healing
}

const none = new Uint8Array(0)

export function encodeSession(session: Session): Uint8Array {
  const { id, contact, stamp, start, ratchet } = session
  const packed: PackedSession = {
    id,
    contact,
    stamp,
    start,
    root: ratchet.root,
    ownSecret: ratchet.own.secret,
    ownPublic: ratchet.own.publicKey,
    sendingChain: ratchet.sending.chain,
    sendingNext: ratchet.sending.next,
    previous: ratchet.previous,
    receiving: ratchet.receiving.map(({ remote, chain, next }) => ({ remote, chain: chain ?? none, next })),
    context: ratchet.sendContext,
    mixed: ratchet.sending.mixed,
    told: ratchet.sending.told,
    healing: ratchet.healing ?? ANSWERING,
  }
  return pack(packed)
}

export function decodeSession(bytes: Uint8Array, kept: Uint8Array): Session {
  const packed = unpack<PackedSession>(bytes)
  const keys = decodeKept(kept)
  const receiving = packed.receiving.map(({ remote, chain, next }) => ({
    remote,
    chain: chain.length === 0 ? undefined : chain,
    next,
    kept: keys.get(hex(remote)) ?? [],
  }))
  const { id, contact, stamp, start, root, previous, context } = packed
  const own = { secret: packed.ownSecret, publicKey: packed.ownPublic }
  const { sendingChain: chain, sendingNext: next, mixed, told, healing } = packed
  const sending = { chain, next, mixed, told }
  const contexts = { sendContext: context, receiveContext: context }
  const ratchet = { root, own, sending, previous, receiving, healing, ...contexts }
  return { id, contact, stamp, start, ratchet }
}

/** Empty where no key is kept. */
export function encodeKept({ receiving }: RatchetState): Uint8Array {
  const one = ({ number, since, key }: KeptKey): Uint8Array => concat(u32(number), u64(since), key)
  const chains = receiving.filter(({ kept }) => kept.length > 0)
  return concat(...chains.map(({ remote, kept }) => concat(remote, u32(kept.length), ...kept.map(one))))
}

function decodeKept(bytes: Uint8Array): Map<string, readonly KeptKey[]> {
  const keys = new Map<string, readonly KeptKey[]>()
  const reader = new Reader(bytes)
  while (!reader.end()) {
    const remote = reader.take(32)
    const count = reader.u32()
    const kept = Array.from({ length: count }, () => ({
      number: reader.u32(),
      since: reader.u64(),
      key: reader.take(32),
    }))
    keys.set(hex(remote), kept)
  }
  return keys
}

/** True where both hold the very same kept keys, so that they need not be written again. */
export function sameKept(a: readonly ReceivingChain[], b: readonly ReceivingChain[]): boolean {
  const keeping = (chains: readonly ReceivingChain[]): readonly (readonly KeptKey[])[] =>
    chains.map(({ kept }) => kept).filter(({ length }) => length > 0)
  const [left, right] = [keeping(a), keeping(b)]
  return left.length === right.length && left.every((kept, i) => kept === right[i])
}
