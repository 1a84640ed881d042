/** The filter of system calls, run as the kernel would: an interpreter of its few instructions, over what calls there are. */
import test from 'ava'
import { architectures, filterProgram } from './filter.ts'

interface Call {
  readonly number: number
  readonly audit: number
  /** Low halves of the arguments. */
  readonly args?: readonly number[]
}

/** Classic BPF, as far as the program uses it (Linux, Documentation/networking/filter.rst). */
function verdict(program: Uint8Array, { number, audit, args = [] }: Call): number {
  const view = new DataView(program.buffer, program.byteOffset, program.length)
  let accumulator = 0
  for (let at = 0; ; at++) {
    const [code, yes, no, value] = [
      view.getUint16(at * 8, true),
      view.getUint8(at * 8 + 2),
      view.getUint8(at * 8 + 3),
      view.getUint32(at * 8 + 4, true),
    ]
    if (code === 0x06) return value
    if (code === 0x20) accumulator = value === 0 ? number : value === 4 ? audit : (args[(value - 16) / 8] ?? 0) >>> 0
    else if (code === 0x15) at += accumulator === value ? yes : no
    else if (code === 0x35) at += accumulator >= value ? yes : no
    else if (code === 0x54) accumulator = (accumulator & value) >>> 0
    else if (code === 0x45) at += (accumulator & value) !== 0 ? yes : no
    else throw new Error(`an instruction that is not known: ${code}`)
  }
}

const ALLOWED = 0x7fff0000
const TOLD = 0x7fc00000
const errno = (value: number): number | 'allowed' | 'told' =>
  value === ALLOWED ? 'allowed' : value === TOLD ? 'told' : value & 0xffff

for (const [name, architecture] of Object.entries(architectures)) {
  const { audit, socket, socketpair, seccomp, clone, ioctl, network, refused } = architecture
  const within = filterProgram(name, { noSockets: false, told: false })!
  const without = filterProgram(name, { noSockets: true, told: false })!
  const told = filterProgram(name, { noSockets: false, told: true })!
  const ask = (program: Uint8Array, number: number, ...args: number[]) =>
    errno(verdict(program, { number, audit, args }))

  test(`${name}: sockets are those of the internet, or none`, (t) => {
    for (const family of [2, 10]) {
      for (const kind of [1, 2, 0x80801, 0x80802]) t.is(ask(within, socket, family, kind), 'allowed', String(kind))
      for (const kind of [0, 3, 0x80803, 5, 6, 10]) t.is(ask(within, socket, family, kind), 13, String(kind))
    }
    for (const family of [0, 1, 9, 16, 17, 38, 40, 0x80000002]) t.is(ask(within, socket, family, 1), 13, String(family))
    for (const number of Object.values(network)) t.is(ask(without, number, 2, 1), 1, String(number))
    for (const number of Object.values(network).slice(1)) t.is(ask(within, number, 2), 'allowed')
  })

  test(`${name}: pairs of sockets are streams: datagrams of one would reach other sockets by their paths`, (t) => {
    for (const program of [within, without]) {
      for (const kind of [1, 0x80801]) t.is(ask(program, socketpair, 1, kind), 'allowed')
      for (const kind of [2, 0x80802, 3, 5]) t.is(ask(program, socketpair, 1, kind), 13)
    }
  })

  test(`${name}: other processes, namespaces, filters, io_uring and kernel code are out of reach`, (t) => {
    for (const program of [within, without]) {
      for (const number of [...Object.values(refused), seccomp, 425, 426, 427, 438]) {
        t.is(ask(program, number), 1, String(number))
      }
      t.is(ask(program, 435), 38, 'clone3, from which libraries fall back')
      t.is(ask(program, clone, 0x10000000), 1, 'a user namespace')
      t.is(ask(program, clone, 0x40000000 | 17), 1, 'a network namespace')
      t.is(ask(program, clone, 0x003d0f00), 'allowed', 'a thread')
      t.is(ask(program, clone, 17), 'allowed', 'a process')
    }
  })

  test(`${name}: nothing is typed into the terminal`, (t) => {
    t.is(ask(within, ioctl, 0, 0x5412), 1)
    t.is(ask(within, ioctl, 0, 0x541c), 1)
    t.is(ask(within, ioctl, 0, 0x5401), 'allowed')
  })

  test(`${name}: another architecture ends the process, the x32 interface is not there, all else is allowed`, (t) => {
    t.is(verdict(within, { number: 0, audit: audit ^ 1 }), 0x80000000)
    t.is(ask(within, 0x40000000 | 41, 2), 38)
    const special = new Set([socket, socketpair, seccomp, clone, ioctl, 435, 425, 426, 427, ...Object.values(refused)])
    for (let number = 0; number < 470; number++)
      if (!special.has(number)) t.is(ask(within, number), 'allowed', String(number))
  })

  test(`${name}: with a supervisor the same is refused, and told but for what every program asks`, (t) => {
    const untold = new Set([seccomp, 425, 426, 427, 435])
    const kinds = [0, 1, 2, 3]
    for (let number = 0; number < 470; number++) {
      for (const args of kinds.flatMap((first) => [...kinds, 0x5412].map((second) => [first, second]))) {
        const plain = ask(within, number, ...args)
        const expected = plain === 'allowed' || untold.has(number) ? plain : 'told'
        t.is(ask(told, number, ...args), expected, `${number} ${args}`)
      }
    }
  })
}

test('a machine of another kind has no filter', (t) => {
  t.is(filterProgram('s390x', { noSockets: true, told: false }), undefined)
})
