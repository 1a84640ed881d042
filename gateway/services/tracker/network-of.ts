/** The network that an address is in, as far as one person may hold it: /24 of IPv4, /48 of IPv6. */
import { isIPv4, SocketAddress } from 'node:net'

/** Same text for the same network; `unknown` for what is no address. */
export function networkOf(address: string): string {
  const mapped = /^::ffff:([0-9.]+)$/i.exec(address)?.[1]
  const plain = mapped ?? address
  if (isIPv4(plain)) return plain.split('.').slice(0, 3).join('.')
  const groups = groupsOf(plain)
  return groups === undefined ? 'unknown' : groups.slice(0, 3).join(':')
}

/** Eight groups of an IPv6 address, without leading zeros. */
function groupsOf(address: string): string[] | undefined {
  const parsed = SocketAddress.parse(`[${address.split('%', 1)[0]}]:1`)
  if (parsed === undefined) return undefined
  const [head = '', tail] = parsed.address.split('::')
  const [before, after] = [head, tail ?? ''].map((part) => part.split(':').filter((group) => group !== ''))
  const zeros = tail === undefined ? 0 : 8 - before!.length - after!.length
  return [...before!, ...Array<string>(zeros).fill('0'), ...after!]
}
