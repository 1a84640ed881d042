/** Straight to the kernel, where somebody has node:ffi: system calls that no JavaScript sees. */
import type { Family } from '../attempt.ts'

interface Ffi {
  dlopen(
    path: string | null,
    functions: Record<string, { arguments: string[]; return: string }>,
  ): { functions: Record<string, (...args: (bigint | number)[]) => bigint | number> }
  getRawPointer(bytes: Uint8Array): bigint
}

async function system() {
  const ffi = (await import(['node', 'ffi'].join(':'))) as unknown as Ffi
  const { functions } = ffi.dlopen(null, {
    ...{ socket: { arguments: ['i32', 'i32', 'i32'], return: 'i32' }, close: { arguments: ['i32'], return: 'i32' } },
    connect: { arguments: ['i32', 'u64', 'i32'], return: 'i32' },
    sendto: { arguments: ['i32', 'u64', 'u64', 'i32', 'u64', 'i32'], return: 'i64' },
    syscall: { arguments: ['i64', 'i64', 'u64', 'i64', 'i64', 'i64'], return: 'i64' },
    getsockname: { arguments: ['i32', 'u64', 'u64'], return: 'i32' },
    system: { arguments: ['u64'], return: 'i32' },
  })
  return { functions, pointer: (bytes: Uint8Array) => ffi.getRawPointer(bytes) }
}

const [AF_UNIX, AF_INET, AF_NETLINK, AF_PACKET, AF_VSOCK] = [1, 2, 16, 17, 40]
const [STREAM, DATAGRAM, RAW] = [1, 2, 3]
const NONBLOCK = 0x800

function address(v4: string, port: number): Uint8Array {
  const bytes = Buffer.alloc(16)
  bytes.writeUInt16LE(AF_INET, 0)
  bytes.writeUInt16BE(port, 2)
  bytes.set(v4.split('.').map(Number), 4)
  return bytes
}

function fine(result: bigint | number | undefined, what: string): number {
  const number = Number(result)
  if (number < 0) throw Object.assign(new Error(`${what} was refused`), { code: `${what.toUpperCase()}_REFUSED` })
  return number
}

export const ffi: Family = {
  'ffi: socket and sendto, UDP': async ({ v4 }) => {
    const { functions, pointer } = await system()
    const fd = fine(functions.socket!(AF_INET, DATAGRAM, 0), 'socket')
    const [data, to] = [Buffer.from('leak'), address(v4, 9)]
    fine(functions.sendto!(fd, pointer(data), 4n, 0, pointer(to), to.length), 'sendto')
  },
  'ffi: socket and connect, TCP': async ({ v4, port }) => {
    const { functions, pointer } = await system()
    const fd = fine(functions.socket!(AF_INET, STREAM | NONBLOCK, 0), 'socket')
    const to = address(v4, port)
    functions.connect!(fd, pointer(to), to.length)
    // It does not wait for an answer: a local port says that it is on its way.
    const own = Buffer.alloc(16)
    fine(functions.getsockname!(fd, pointer(own), pointer(Buffer.from([16, 0, 0, 0]))), 'connect')
    if (own.readUInt16BE(2) === 0) throw Object.assign(new Error('connect was refused'), { code: 'CONNECT_REFUSED' })
  },
  'ffi: a raw socket': async ({ v4 }) => {
    const { functions, pointer } = await system()
    const fd = fine(functions.socket!(AF_INET, RAW, 1), 'socket')
    const [echo, to] = [Buffer.from('0800f7ff00000000', 'hex'), address(v4, 0)]
    fine(functions.sendto!(fd, pointer(echo), BigInt(echo.length), 0, pointer(to), to.length), 'sendto')
  },
  'ffi: packets of the link': async () => {
    const { functions } = await system()
    fine(functions.socket!(AF_PACKET, RAW, 0x0300), 'socket')
  },
  'ffi: netlink': async () => {
    const { functions } = await system()
    fine(functions.socket!(AF_NETLINK, RAW, 0), 'socket')
  },
  'ffi: the virtual machine’s sockets': async () => {
    const { functions } = await system()
    fine(functions.socket!(AF_VSOCK, STREAM, 0), 'socket')
  },
  'ffi: a socket of the system': async () => {
    const { functions, pointer } = await system()
    const fd = fine(functions.socket!(AF_UNIX, STREAM, 0), 'socket')
    const to = Buffer.alloc(110)
    to.writeUInt16LE(AF_UNIX, 0)
    to.write('/run/dbus/system_bus_socket', 2)
    fine(functions.connect!(fd, pointer(to), to.length), 'connect')
  },
  'ffi: io_uring': async () => {
    const { functions, pointer } = await system()
    const parameters = Buffer.alloc(120)
    fine(functions.syscall!(425n, 4n, pointer(parameters), 0n, 0n, 0n), 'io_uring')
  },
  'ffi: the namespace of another process': async () => {
    const { openSync } = await import('node:fs')
    const { functions } = await system()
    const fd = openSync('/proc/1/ns/net', 'r')
    fine(functions.syscall!(process.arch === 'arm64' ? 268n : 308n, BigInt(fd), 0n, 0n, 0n, 0n), 'setns')
  },
  'ffi: system("curl")': async ({ v4 }) => {
    const { functions, pointer } = await system()
    const command = Buffer.from(`curl -s -m 1 http://${v4}/; test $? -eq 28\0`)
    const status = Number(functions.system!(pointer(command)))
    if (status !== 0) throw Object.assign(new Error('it failed'), { code: `EXIT_${status >> 8}` })
  },
}
