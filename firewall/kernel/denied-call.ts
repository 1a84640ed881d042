/** A system call that the filter refused, as people read it. Pure. */
import { architectures, type Calls, EACCES, EPERM } from './filter.ts'

export interface DeniedCall {
  readonly number: number
  /** The first two arguments, low halves. */
  readonly args: readonly [number, number]
}

const families: Readonly<Record<number, string>> = {
  ...{ 1: 'AF_UNIX', 2: 'AF_INET', 10: 'AF_INET6', 16: 'AF_NETLINK', 17: 'AF_PACKET', 31: 'AF_BLUETOOTH' },
  ...{ 38: 'AF_ALG', 40: 'AF_VSOCK', 44: 'AF_XDP' },
}
const kinds: Readonly<Record<number, string>> = {
  1: 'SOCK_STREAM',
  2: 'SOCK_DGRAM',
  3: 'SOCK_RAW',
  5: 'SOCK_SEQPACKET',
}
const KINDS = 0xf

/** Such as `socket(AF_NETLINK, SOCK_RAW)` and `setns`; `arch` as `process.arch`. */
export function callText(arch: string, { number, args: [first, second] }: DeniedCall): string {
  const name = nameOf(arch, number)
  if (name !== 'socket' && name !== 'socketpair') return name
  const kind = second & KINDS
  return `${name}(${families[first] ?? first}, ${kinds[kind] ?? kind})`
}

function nameOf(arch: string, number: number): string {
  const { refused = {}, network = {}, audit: _, ...others } = architectures[arch] ?? {}
  const calls: Calls = { ...(others as Calls), ...network, ...refused }
  return Object.entries(calls).find(([, each]) => each === number)?.[0] ?? `system call ${number}`
}

/** What the caller gets for it. */
export function errnoOf(arch: string, { number }: DeniedCall): number {
  const { socket, socketpair } = architectures[arch] ?? {}
  return number === socket || number === socketpair ? EACCES : EPERM
}
