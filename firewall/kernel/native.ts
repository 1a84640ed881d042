/**
 * The three things that a process asks of Linux to bind itself and what it starts, by node:ffi: no new privileges, Landlock,
 * and a filter of system calls. For a process that does nothing else and then becomes the one to be bound (enter.ts).
 */
import { closeSync, constants, openSync, statSync } from 'node:fs'
import type { DeniedCall } from './denied-call.ts'
import type { Plan } from './plan.ts'

/** What of node:ffi is used here; its types do not know the module. */
interface Ffi {
  dlopen(
    path: string | null,
    functions: Record<string, { arguments: string[]; return: string }>,
  ): { functions: Record<string, (...args: (bigint | number)[]) => bigint | number> }
  getRawPointer(bytes: Uint8Array): bigint
}

export interface Native {
  /** Descriptors that the next program keeps. */
  keep(fds: readonly number[]): void
  noNewPrivileges(): boolean
  /** In a namespace of our own: loopback, for what talks within, and so that IPv6 is refused by its routes as IPv4 is. */
  raiseLoopback(): boolean
  /** Gives up what a user namespace grants, for this program and the next. */
  dropCapabilities(): boolean
  /** Version of Landlock's interface; 0 where there is none. */
  landlockVersion(): number
  /** Writes and reads only as the plan says; signals and abstract sockets only within; TCP not at all where there are to be no sockets. */
  landlock(plan: Pick<Plan, 'writable' | 'readable' | 'noSockets'>): boolean
  filter(program: Uint8Array): boolean
  /** As `filter`, for a program that tells: descriptor of what it tells; undefined where the kernel has no such thing. */
  tellingFilter(program: Uint8Array): number | undefined
  /** Both ends of a pipe, to read and to write; without a loop of events. */
  pipe(): readonly [number, number] | undefined
  /** For what reads that descriptor. `line`: a socket whose other end closes when there is nothing more to do. */
  supervise(fd: number, line: number): Supervisor
}

/** Answers for a filter that tells (Linux, Documentation/userspace-api/seccomp_filter.rst). */
export interface Supervisor {
  /** Out of reach of other programs of the same user. */
  hide(): boolean
  /** Waits for the next call; undefined where it was given up, or the wait was. */
  next(): (DeniedCall & { readonly id: bigint; readonly pid: number }) | 'over' | undefined
  refuse(id: bigint, errno: number): void
}

const F_SETFD = 2
const PR_SET_NO_NEW_PRIVS = 38n
const PR_CAPBSET_DROP = 24n
const PR_CAP_AMBIENT = 47n
const PR_CAP_AMBIENT_CLEAR_ALL = 4n
/** Capabilities are numbered from 0; those that a kernel does not know are refused, which does no harm. */
const CAPABILITIES = 64
const LINUX_CAPABILITY_VERSION_3 = 0x20080522
const AF_INET = 2
const SOCK_DGRAM = 2
const SIOCSIFFLAGS = 0x8914n
const IFF_UP = 1
/** The same on every architecture. */
const LANDLOCK_CREATE_RULESET = 444n
const LANDLOCK_ADD_RULE = 445n
const LANDLOCK_RESTRICT_SELF = 446n
const LANDLOCK_RULE_PATH_BENEATH = 1n
const PRCTL: Readonly<Record<string, bigint>> = { x64: 157n, arm64: 167n }
const CAPSET: Readonly<Record<string, bigint>> = { x64: 126n, arm64: 91n }
const SECCOMP: Readonly<Record<string, bigint>> = { x64: 317n, arm64: 277n }
const SECCOMP_SET_MODE_FILTER = 1n
const SECCOMP_FILTER_FLAG_NEW_LISTENER = 8n
/** Of include/uapi/linux/seccomp.h: `struct seccomp_notif` has 80 octets, `seccomp_notif_resp` 24. */
const SECCOMP_IOCTL_NOTIF_RECV = 0xc0502100n
const SECCOMP_IOCTL_NOTIF_SEND = 0xc0182101n
const PR_SET_DUMPABLE = 4n
const POLLIN = 0x1
/** POLLERR, POLLHUP, POLLNVAL and POLLRDHUP. */
const OVER = 0x2038

/** Of include/uapi/linux/landlock.h: all that changes files (WRITE_FILE, REMOVE_*, MAKE_*), REFER from 2, TRUNCATE from 3. */
const WRITES = 0b1_1111_1111_0010n
/** EXECUTE, READ_FILE, READ_DIR; of a file, all but the last. */
const READS = 0b1101n
const FILE_READS = 0b101n
const WRITE_FILE = 0b10n
const REFER = 1n << 13n
const TRUNCATE = 1n << 14n
const BIND_TCP_AND_CONNECT_TCP = 3n
/** Names a file without opening it, which does things to devices. */
const O_PATH = 0o10000000
const SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS = 3n

/** undefined where this Node has no node:ffi, or the machine is of another kind. */
export function native(): Native | undefined {
  const ffi = process.getBuiltinModule('node:ffi' as 'node:fs') as unknown as Ffi | undefined
  const [prctl, seccomp, capset] = [PRCTL, SECCOMP, CAPSET].map((numbers) => numbers[process.arch])
  if (process.platform !== 'linux' || ffi === undefined) return undefined
  if (prctl === undefined || seccomp === undefined || capset === undefined) return undefined
  const { functions } = ffi.dlopen(null, {
    syscall: { arguments: ['i64', 'i64', 'i64', 'i64', 'i64', 'i64'], return: 'i64' },
    fcntl: { arguments: ['i32', 'i32', 'i32'], return: 'i32' },
    socket: { arguments: ['i32', 'i32', 'i32'], return: 'i32' },
    ioctl: { arguments: ['i32', 'u64', 'u64'], return: 'i32' },
    pipe: { arguments: ['u64'], return: 'i32' },
    poll: { arguments: ['u64', 'u64', 'i32'], return: 'i32' },
  })
  const call = (number: bigint, ...args: bigint[]): number =>
    Number(functions.syscall!(number, ...args, ...new Array<bigint>(5 - args.length).fill(0n)))
  const pointer = (bytes: Uint8Array): bigint => ffi.getRawPointer(bytes)
  const setFilter = (program: Uint8Array, flags: bigint): number => {
    const header = Buffer.alloc(16)
    header.writeUInt16LE(program.length / 8, 0)
    header.writeBigUInt64LE(pointer(program), 8)
    return call(seccomp, SECCOMP_SET_MODE_FILTER, flags, pointer(header))
  }
  const landlockVersion = (): number => Math.max(0, call(LANDLOCK_CREATE_RULESET, 0n, 0n, 1n))
  return {
    keep: (fds) => {
      for (const fd of fds) functions.fcntl!(fd, F_SETFD, 0)
    },
    noNewPrivileges: () => call(prctl, PR_SET_NO_NEW_PRIVS, 1n) === 0,
    raiseLoopback: () => {
      const fd = Number(functions.socket!(AF_INET, SOCK_DGRAM, 0))
      // struct ifreq: a name of 16 octets, then the flags.
      const request = Buffer.alloc(40)
      request.write('lo')
      request.writeInt16LE(IFF_UP, 16)
      const done = fd >= 0 && Number(functions.ioctl!(fd, SIOCSIFFLAGS, pointer(request))) === 0
      if (fd >= 0) closeSync(fd)
      return done
    },
    dropCapabilities: () => {
      for (let each = 0; each < CAPABILITIES; each++) call(prctl, PR_CAPBSET_DROP, BigInt(each))
      call(prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
      const header = Buffer.alloc(8)
      header.writeUInt32LE(LINUX_CAPABILITY_VERSION_3, 0)
      return call(capset, pointer(header), pointer(Buffer.alloc(24))) === 0
    },
    landlockVersion,
    landlock: ({ writable, readable, noSockets }) => {
      const version = landlockVersion()
      if (version < 1) return false
      const writes = WRITES | (version >= 2 ? REFER : 0n) | (version >= 3 ? TRUNCATE : 0n)
      const reads = readable === undefined ? 0n : READS
      const tcp = noSockets && version >= 4 ? BIND_TCP_AND_CONNECT_TCP : 0n
      const scopes = version >= 6 ? SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS : 0n
      const attributes = words([writes | reads, tcp, scopes])
      // Older kernels refuse a structure that is longer than what they know.
      const size = version >= 6 ? 24n : version >= 4 ? 16n : 8n
      const rules = call(LANDLOCK_CREATE_RULESET, pointer(attributes), size, 0n)
      if (rules < 0) return false
      const ofFile = (version >= 3 ? TRUNCATE : 0n) | WRITE_FILE | (reads & FILE_READS)
      const allow = (path: string, ofFolder: bigint): boolean => {
        const rule = Buffer.alloc(12)
        rule.writeBigUInt64LE(statSync(path).isDirectory() ? ofFolder : ofFolder & ofFile, 0)
        rule.writeInt32LE(openSync(path, constants.O_RDONLY | O_PATH), 8)
        return call(LANDLOCK_ADD_RULE, BigInt(rules), LANDLOCK_RULE_PATH_BENEATH, pointer(rule), 0n) === 0
      }
      const fits =
        writable.every((path) => allow(path, writes | reads)) && (readable ?? []).every((path) => allow(path, READS))
      return fits && call(LANDLOCK_RESTRICT_SELF, BigInt(rules), 0n) === 0
    },
    filter: (program) => setFilter(program, 0n) === 0,
    tellingFilter: (program) => {
      const fd = setFilter(program, SECCOMP_FILTER_FLAG_NEW_LISTENER)
      return fd < 0 ? undefined : fd
    },
    pipe: () => {
      const ends = Buffer.alloc(8)
      if (Number(functions.pipe!(pointer(ends))) !== 0) return undefined
      return [ends.readInt32LE(0), ends.readInt32LE(4)]
    },
    supervise: (fd, line) => ({
      hide: () => call(prctl, PR_SET_DUMPABLE, 0n) === 0,
      next: () => {
        // Twice struct pollfd.
        const waited = Buffer.alloc(16)
        for (const [at, each, events] of [
          [0, fd, POLLIN],
          [8, line, OVER],
        ] as const) {
          waited.writeInt32LE(each, at)
          waited.writeInt16LE(events, at + 4)
        }
        if (Number(functions.poll!(pointer(waited), 2n, -1)) < 0) return undefined
        if ((waited.readUInt16LE(14) & OVER) !== 0) return 'over'
        // It has to be empty when it is given.
        const notice = Buffer.alloc(80)
        if (Number(functions.ioctl!(fd, SECCOMP_IOCTL_NOTIF_RECV, pointer(notice))) !== 0) return undefined
        return {
          ...{ id: notice.readBigUInt64LE(0), pid: notice.readUInt32LE(8), number: notice.readInt32LE(16) },
          args: [notice.readUInt32LE(32), notice.readUInt32LE(40)],
        }
      },
      refuse: (id, errno) => {
        const answer = Buffer.alloc(24)
        answer.writeBigUInt64LE(id, 0)
        answer.writeInt32LE(-errno, 16)
        functions.ioctl!(fd, SECCOMP_IOCTL_NOTIF_SEND, pointer(answer))
      },
    }),
  }
}

function words(values: readonly bigint[]): Buffer {
  const bytes = Buffer.alloc(values.length * 8)
  for (const [index, value] of values.entries()) bytes.writeBigUInt64LE(value, index * 8)
  return bytes
}
