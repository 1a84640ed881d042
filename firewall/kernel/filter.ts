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
  readonly socketpair: number
  /** Installs filters. Refused by the kernel itself: a second filter with a supervisor of its own could overrule ours. */
  readonly seccomp: number
  /** Refused as well where nothing else keeps the network away. */
  readonly network: Calls
  /** To look into other processes, to change namespaces, to load code into the kernel, to open files past their names. */
  readonly refused: Calls
}

/** Numbers of system calls, by name. */
export type Calls = Readonly<Record<string, number>>

/** The same on every architecture. */
const everywhere: Calls = {
  ...{
    pidfd_getfd: 438,
    open_tree: 428,
    move_mount: 429,
    fsopen: 430,
    fsconfig: 431,
    fsmount: 432,
    mount_setattr: 442,
  },
}
/** io_uring_setup, _enter, _register: every Node asks for them when it starts, so that asking says nothing of anybody. */
const IO_URING = [425, 426, 427]
/** Everywhere, and libraries fall back from it: its flags lie in memory, where a filter cannot look. */
const CLONE3 = 435

export const architectures: Readonly<Record<string, Architecture>> = {
  x64: {
    ...{ audit: 0xc000003e, socket: 41, socketpair: 53, seccomp: 317, clone: 56, ioctl: 16 },
    network: { socket: 41, connect: 42, bind: 49, listen: 50 },
    refused: {
      ...everywhere,
      ...{
        ptrace: 101,
        process_vm_readv: 310,
        process_vm_writev: 311,
        kcmp: 312,
        unshare: 272,
        setns: 308,
        mount: 165,
      },
      ...{ umount2: 166, pivot_root: 155, bpf: 321, perf_event_open: 298, userfaultfd: 323, add_key: 248 },
      ...{ request_key: 249, keyctl: 250, open_by_handle_at: 304, kexec_load: 246, init_module: 175 },
      ...{ finit_module: 313, delete_module: 176 },
    },
  },
  arm64: {
    ...{ audit: 0xc00000b7, socket: 198, socketpair: 199, seccomp: 277, clone: 220, ioctl: 29 },
    network: { socket: 198, connect: 203, bind: 200, listen: 201 },
    refused: {
      ...everywhere,
      ...{ ptrace: 117, process_vm_readv: 270, process_vm_writev: 271, kcmp: 272, unshare: 97, setns: 268, mount: 40 },
      ...{ umount2: 39, pivot_root: 41, bpf: 280, perf_event_open: 241, userfaultfd: 282, add_key: 217 },
      ...{ request_key: 218, keyctl: 219, open_by_handle_at: 265, kexec_load: 104, init_module: 105 },
      ...{ finit_module: 273, delete_module: 106 },
    },
  },
}

export interface FilterOptions {
  /**
   * True: no socket at all. False: those of IPv4 and IPv6 only, where an empty network namespace leaves them nowhere to go,
   * and counts who tries.
   */
  readonly noSockets: boolean
  /** True: what is refused is told to a supervisor, who refuses it (`watch.ts`). Where there is none any more, all of it fails. */
  readonly told: boolean
}

const AF_INET = 2
const AF_INET6 = 10
/** Kinds of sockets, in the low bits; flags stand above them. */
const KINDS = 0xf
const STREAM = 1
const DATAGRAM = 2
/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. */
const NEW_NAMESPACES = 0x7e020000
/** Octets into the terminal as if a person had typed them. */
const TIOCSTI = 0x5412
const TIOCLINUX = 0x541c
/** Calls of the x32 interface have this bit. */
const X32 = 0x40000000

const ALLOW = 0x7fff0000
const KILL = 0x80000000
const TELL = 0x7fc00000
const refuse = (errno: number): number => 0x00050000 | errno
export const EPERM = 1
export const EACCES = 13
const ENOSYS = 38

const LOAD = 0x20
const EQUAL = 0x15
const AT_LEAST = 0x35
const ANY_BIT = 0x45
const AND = 0x54
const RETURN = 0x06
/** Offsets in seccomp_data: number, architecture, low halves of the first two arguments (both architectures: little-endian). */
const NUMBER = 0
const ARCHITECTURE = 4
const FIRST = 16
const SECOND = 24

type Step = readonly [code: number, value: number, ifTrue: number, ifFalse: number]

/** The program, 8 octets a step; undefined for an architecture that is not known here. */
export function filterProgram(name: string, { noSockets, told }: FilterOptions): Uint8Array | undefined {
  const architecture = architectures[name]
  if (architecture === undefined) return undefined
  const { audit, socket, socketpair, seccomp, clone, ioctl, network, refused } = architecture
  const no = (errno: number): Step => [RETURN, told ? TELL : refuse(errno), 0, 0]
  const yes: Step = [RETURN, ALLOW, 0, 0]
  return assemble([
    [LOAD, ARCHITECTURE, 0, 0],
    [EQUAL, audit, 1, 0],
    [RETURN, KILL, 0, 0],
    [LOAD, NUMBER, 0, 0],
    [AT_LEAST, X32, 0, 1],
    [RETURN, refuse(ENOSYS), 0, 0],
    ...when(EQUAL, CLONE3, [RETURN, refuse(ENOSYS), 0, 0]),
    ...[...IO_URING, seccomp].flatMap((number) => when(EQUAL, number, [RETURN, refuse(EPERM), 0, 0])),
    ...[...Object.values(refused), ...(noSockets ? Object.values(network) : [])].flatMap((number) =>
      when(EQUAL, number, no(EPERM)),
    ),
    // Where the number fits, the arguments decide, and the program ends.
    ...when(EQUAL, clone, [LOAD, FIRST, 0, 0], ...when(ANY_BIT, NEW_NAMESPACES, no(EPERM)), yes),
    ...when(
      ...([EQUAL, ioctl] as const),
      [LOAD, SECOND, 0, 0],
      ...[TIOCSTI, TIOCLINUX].flatMap((request) => when(EQUAL, request, no(EPERM))),
      yes,
    ),
    // Datagrams of a pair can be sent to other sockets of the system by their paths.
    ...when(EQUAL, socketpair, [LOAD, SECOND, 0, 0], [AND, KINDS, 0, 0], ...when(EQUAL, STREAM, yes), no(EACCES)),
    ...when(
      ...([EQUAL, socket] as const),
      [LOAD, SECOND, 0, 0],
      [AND, KINDS, 0, 0],
      ...[STREAM, DATAGRAM].flatMap((kind) =>
        when(
          EQUAL,
          kind,
          [LOAD, FIRST, 0, 0],
          ...[AF_INET, AF_INET6].flatMap((family) => when(EQUAL, family, yes)),
          no(EACCES),
        ),
      ),
      no(EACCES),
    ),
    yes,
  ])
}

/** The steps where the test holds; what comes after them otherwise. */
function when(test: number, value: number, ...steps: readonly Step[]): Step[] {
  return [[test, value, 0, steps.length], ...steps]
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
