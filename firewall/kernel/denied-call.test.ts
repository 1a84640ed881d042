import test from 'ava'
import { callText, errnoOf } from './denied-call.ts'

test('what was refused has a name', (t) => {
  const text = (number: number, ...args: [number, number]): string => callText('x64', { number, args })
  t.is(text(41, 16, 0x80003), 'socket(AF_NETLINK, SOCK_RAW)')
  t.is(text(41, 99, 9), 'socket(99, 9)')
  t.is(text(53, 1, 2), 'socketpair(AF_UNIX, SOCK_DGRAM)')
  t.is(text(42, 1, 2), 'connect')
  t.is(text(308, 3, 0), 'setns')
  t.is(text(438, 3, 0), 'pidfd_getfd')
  t.is(text(16, 0, 0x5412), 'ioctl')
  t.is(text(999, 0, 0), 'system call 999')
  t.is(callText('arm64', { number: 198, args: [1, 1] }), 'socket(AF_UNIX, SOCK_STREAM)')
})

test('sockets are not allowed, all else is not permitted, as without a supervisor', (t) => {
  t.deepEqual(
    [41, 53, 308, 16].map((number) => errnoOf('x64', { number, args: [0, 0] })),
    [13, 13, 1, 1],
  )
})
