/**
 * A filter of system calls for Linux (seccomp), as data: what a process that has no business with the network may not ask the
 * kernel for. Pure; classic BPF over `struct seccomp_data` (Linux, include/uapi/linux/seccomp.h).
 */

/** Numbers of one architecture, from the kernel's tables. */
interface Architecture {
  /** AUDIT_ARCH_*, include/uapi/linux/audit.h. */
  readonly audit: number
  readonly socket: number
  readonly clone: number
  readonly ioctl: number
  /** socket, connect, bind, listen: refused as well where nothing else keeps the network away. */
  readonly network: readonly number[]
  /** To look into other processes, to change namespaces, to load code into the kernel, to open files past their names. */
  readonly refused: readonly number[]
}

/** The same on every architecture: io_uring_setup, _enter, _register; pidfd_getfd; open_tree to fsmount; mount_setattr. */
const everywhere = [425, 426, 427, 438, 428, 429, 430, 431, 432, 442]
/** Everywhere, and libraries fall back from it: its flags lie in memory, where a filter cannot look. */
const CLONE3 = 435

export const architectures: Readonly<Record<string, Architecture>> = {
  x64: {
    ...{ audit: 0xc000003e, socket: 41, clone: 56, ioctl: 16, network: [41, 42, 49, 50] },
    // ptrace, process_vm_readv, _writev, kcmp, unshare, setns, mount, umount2, pivot_root, bpf, perf_event_open, userfaultfd,
    // add_key, request_key, keyctl, open_by_handle_at, kexec_load, init_module, finit_module, delete_module.
    refused: [101, 310, 311, 312, 272, 308, 165, 166, 155, 321, 298, 323, 248, 249, 250, 304, 246, 175, 313, 176],
  },
  arm64: {
    ...{ audit: 0xc00000b7, socket: 198, clone: 220, ioctl: 29, network: [198, 203, 200, 201] },
    refused: [117, 270, 271, 272, 97, 268, 40, 39, 41, 280, 241, 282, 217, 218, 219, 265, 104, 105, 273, 106],
  },
}

export interface FilterOptions {
  /**
   * True: no socket at all. False: those of IPv4 and IPv6 only, where an empty network namespace leaves them nowhere to go,
   * and counts who tries.
   */
  readonly noSockets: boolean
}

const AF_INET = 2
const AF_INET6 = 10
/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. */
const NEW_NAMESPACES = 0x7e020000
/** Octets into the terminal as if a person had typed them. */
const TIOCSTI = 0x5412
const TIOCLINUX = 0x541c
/** Calls of the x32 interface have this bit. */
const X32 = 0x40000000

const ALLOW = 0x7fff0000
const KILL = 0x80000000
const refuse = (errno: number): number => 0x00050000 | errno
const EPERM = 1
const EACCES = 13
const ENOSYS = 38

const LOAD = 0x20
const EQUAL = 0x15
const AT_LEAST = 0x35
const ANY_BIT = 0x45
const RETURN = 0x06
/** Offsets in seccomp_data: number, architecture, low halves of the first two arguments (both architectures: little-endian). */
const NUMBER = 0
const ARCHITECTURE = 4
const FIRST = 16
const SECOND = 24

type Step = readonly [code: number, value: number, ifTrue: number, ifFalse: number]

/** The program, 8 octets a step; undefined for an architecture that is not known here. */
export function filterProgram(name: string, { noSockets }: FilterOptions): Uint8Array | undefined {
  const architecture = architectures[name]
  if (architecture === undefined) return undefined
  const { audit, socket, clone, ioctl, network, refused } = architecture
  const steps: Step[] = [
    [LOAD, ARCHITECTURE, 0, 0],
    [EQUAL, audit, 1, 0],
    [RETURN, KILL, 0, 0],
    [LOAD, NUMBER, 0, 0],
    [AT_LEAST, X32, 0, 1],
    [RETURN, refuse(ENOSYS), 0, 0],
    ...[...everywhere, ...refused, ...(noSockets ? network : [])].flatMap((number) => refusing(number, EPERM)),
    ...refusing(CLONE3, ENOSYS),
    // Where the number fits, its argument decides, and the program ends.
    ...deciding(clone, [FIRST, ANY_BIT, [NEW_NAMESPACES]], EPERM, 'refused'),
    ...deciding(ioctl, [SECOND, EQUAL, [TIOCSTI, TIOCLINUX]], EPERM, 'refused'),
    ...deciding(socket, [FIRST, EQUAL, [AF_INET, AF_INET6]], EACCES, 'allowed'),
    [RETURN, ALLOW, 0, 0],
  ]
  return assemble(steps)
}

function refusing(number: number, errno: number): Step[] {
  return [
    [EQUAL, number, 0, 1],
    [RETURN, refuse(errno), 0, 0],
  ]
}

function deciding(
  number: number,
  [argument, test, values]: readonly [number, number, readonly number[]],
  errno: number,
  matching: 'refused' | 'allowed',
): Step[] {
  const [hit, miss] = matching === 'refused' ? [refuse(errno), ALLOW] : [ALLOW, refuse(errno)]
  const tests = values.flatMap((value): Step[] => [
    [test, value, 0, 1],
    [RETURN, hit, 0, 0],
  ])
  return [[EQUAL, number, 0, tests.length + 2], [LOAD, argument, 0, 0], ...tests, [RETURN, miss, 0, 0]]
}

function assemble(steps: readonly Step[]): Uint8Array {
  const bytes = Buffer.alloc(steps.length * 8)
  for (const [index, [code, value, ifTrue, ifFalse]] of steps.entries()) {
    bytes.writeUInt16LE(code, index * 8)
    bytes[index * 8 + 2] = ifTrue
    bytes[index * 8 + 3] = ifFalse
    bytes.writeUInt32LE(value >>> 0, index * 8 + 4)
  }
  return bytes
}
