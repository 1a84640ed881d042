/**
 * Where a person receives: a queue on a gateway. What describes the gateway is opaque here; the carrier below knows it.
 *
 *     address        gateway length 2 || gateway || sid 24 || sauth 32
 *     contact's own  address || box 32                           the key of the queue's box (box.ts)
 *     list           count 1 || addresses
 */
import { concat, u16 } from '#protocol/bytes.ts'
import { ChatLimits } from './limits.ts'
import type { Reader } from './reader.ts'

export const SID_LENGTH = 24
export const SAUTH_LENGTH = 32
export const BOX_KEY_LENGTH = 32

export interface Address {
  readonly gateway: Uint8Array
  readonly sid: Uint8Array
  readonly sauth: Uint8Array
}

/** Of a queue made for one contact. */
export interface BoxedAddress extends Address {
  readonly box: Uint8Array
}

/** The one address of a queue made for a contact. */
export const encodeBoxedAddress = (address: BoxedAddress): Uint8Array => concat(encodeOne(address), address.box)

/** undefined for a gateway that is empty or too long. */
export function readBoxedAddress(reader: Reader): BoxedAddress | undefined {
  const address = readBoxed(reader)
  return isSound(address) ? address : undefined
}

/** Where to go for these: to the gateway that the person has named, where they have. The queues are the same ones. */
export function reachedBy<A extends Address>(byHand: Uint8Array | undefined, addresses: readonly A[]): A[] {
  return addresses.map((address) => (byHand === undefined ? address : { ...address, gateway: byHand }))
}

const encodeOne = ({ gateway, sid, sauth }: Address): Uint8Array => concat(u16(gateway.length), gateway, sid, sauth)

export function encodeAddresses(addresses: readonly Address[]): Uint8Array {
  return concat(Uint8Array.of(addresses.length), ...addresses.map(encodeOne))
}

export function encodeBoxedAddresses(addresses: readonly BoxedAddress[]): Uint8Array {
  return concat(Uint8Array.of(addresses.length), ...addresses.map(encodeBoxedAddress))
}

/** undefined for none, for more than the limit, and for a gateway that is empty or too long. */
export function readAddresses(reader: Reader): Address[] | undefined {
  return readList(reader, () => readOne(reader))
}

export function readBoxedAddresses(reader: Reader): BoxedAddress[] | undefined {
  return readList(reader, () => readBoxed(reader))
}

const readBoxed = (reader: Reader): BoxedAddress => ({ ...readOne(reader), box: reader.take(BOX_KEY_LENGTH) })

const isSound = ({ gateway }: Address): boolean => gateway.length >= 1 && gateway.length <= ChatLimits.gatewayBytes

function readOne(reader: Reader): Address {
  const gateway = reader.take(reader.u16())
  return { gateway, sid: reader.take(SID_LENGTH), sauth: reader.take(SAUTH_LENGTH) }
}

function readList<T extends Address>(reader: Reader, one: () => T): T[] | undefined {
  const count = reader.u8()
  if (count < 1 || count > ChatLimits.homes) return undefined
  const list = Array.from({ length: count }, one)
  return list.every(isSound) ? list : undefined
}
