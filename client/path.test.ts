import test from 'ava'
import { SottoError } from '#protocol/errors.ts'
import { VirtualTime } from '#test/helpers/virtual-time.ts'
import { compileBuiltins } from '../camouflage-templates/builtin.ts'
import { Path } from './path.ts'

function pathAt(time: VirtualTime): Path {
  const clockwork = { now: () => time.now, random: () => Uint8Array.of(255), after: time.after, soon: () => {} }
  return new Path(clockwork, () => {})
}

const silence = new SottoError('E_PATH_TIMEOUT', 'nothing')

test('the wait for news does not count as round-trip time', (t) => {
  const path = pathAt(new VirtualTime())
  path.worked(100, 0)
  for (let i = 0; i < 50; i++) path.worked(3_000, 7_000)
  t.is(path.rtt, 100)
  t.is(path.patience, 3_000)
})

test('a poll that was held to its end tells the round trip, and a quick one that it is not longer', (t) => {
  const path = pathAt(new VirtualTime())
  path.worked(400, 0)
  for (let i = 0; i < 50; i++) path.worked(7_080, 7_000)
  t.true(path.rtt < 90, String(path.rtt))
})

test('a clock that is set back says nothing of the path', (t) => {
  const path = pathAt(new VirtualTime())
  path.worked(100, 0)
  path.worked(-18_000_000, 0)
  t.is(path.rtt, 100)
})

test('loss is noticed after max(3 s, 4 RTT), and of what is held after the hold and round trips', (t) => {
  const path = pathAt(new VirtualTime())
  path.worked(100, 0)
  t.is(path.timeout(0), 3_000)
  t.is(path.timeout(7_000), 8_000)
  const slow = pathAt(new VirtualTime())
  slow.worked(2_000, 0)
  t.is(slow.timeout(0), 8_000)
  t.is(slow.timeout(7_000), 11_000)
})

test('a path that has failed, or that is slow, is waited for longer', (t) => {
  const path = pathAt(new VirtualTime())
  path.worked(100, 0)
  t.is(path.timeout(0, 8_000), 4_000)
  path.failed(silence)
  t.is(path.timeout(0), 3_000)
  path.failed(silence)
  t.is(path.timeout(0), 6_000)
  path.worked(100, 0)
  path.carried(6_000, 3_100, 0)
  t.is(path.timeout(0, 8_000), 3_000 + (6_000 + 8_000) / 2)
})

test('doubt reaches what is held, once, and nothing else', (t) => {
  const path = pathAt(new VirtualTime())
  const doubted: string[] = []
  path.onDoubt(7_000, 100, () => doubted.push('held'))
  path.onDoubt(100, 100, () => doubted.push('short'))
  path.onDoubt(7_000, 100, () => doubted.push('answered'))()
  path.doubt()
  path.doubt()
  t.deepEqual(doubted, ['held'])
})

test('rests grow, and end when the path works or the machine wakes', async (t) => {
  const time = new VirtualTime()
  const path = pathAt(time)
  const rests: number[] = []
  const { signal } = new AbortController()
  for (let i = 0; i < 8; i++) {
    path.failed(silence)
    const before = time.now
    let over = false
    void path.rest(signal).then(() => {
      over = true
    })
    await time.run(() => over, 100_000)
    rests.push(time.now - before)
  }
  t.deepEqual(rests, [400, 800, 1_600, 3_200, 6_400, 8_000, 8_000, 8_000])
  for (const end of [() => path.worked(10, 0), () => path.awoke()]) {
    path.failed(silence)
    const before = time.now
    const rest = path.rest(signal)
    end()
    await rest
    t.is(time.now, before)
  }
})

test('who is refused for long rests for long', async (t) => {
  const time = new VirtualTime()
  const path = pathAt(time)
  for (let i = 0; i < 12; i++) path.failed(new SottoError('E_NOT_RECOGNISED', 'a website'))
  let over = false
  void path.rest(new AbortController().signal).then(() => {
    over = true
  })
  await time.run(() => over, 59_000)
  t.false(over)
  await time.run(() => over, 2_000)
  t.true(over)
})

test('E_NET_FROZEN: connections fall silent again and again, and work anew at once; an outage is none', (t) => {
  const time = new VirtualTime()
  const path = pathAt(time)
  const codes = (): string[] => path.findings.map(({ code }) => code)
  for (let i = 0; i < 3; i++) {
    t.deepEqual(codes(), [])
    path.failed(silence)
    time.now += 200
    path.worked(50, 0)
    time.now += 10_000
  }
  t.deepEqual(codes(), ['E_NET_FROZEN'])
  const other = pathAt(time)
  for (let i = 0; i < 5; i++) {
    other.failed(silence)
    time.now += 20_000
    other.worked(50, 0)
  }
  t.deepEqual(other.findings, [])
})

test('where connections freeze, they are replaced before they do', (t) => {
  const time = new VirtualTime()
  const path = pathAt(time)
  const request = { method: 'GET', target: '/', headers: [], body: undefined } as const
  const answer = { status: 200, headers: [], body: new Uint8Array(9_000) }
  path.count(request, answer)
  t.false(path.wantsFresh(), 'not without a reason')
  path.note('E_NET_FROZEN')
  t.true(path.wantsFresh())
  t.false(path.wantsFresh(), 'those are fresh now')
  path.count(request, answer)
  t.true(path.wantsFresh())
})

test('E_NET_NAME: connections are cut when they name the website, one after another, until one is not', (t) => {
  const path = pathAt(new VirtualTime())
  const hello = new SottoError('E_PATH_HELLO', 'cut')
  const codes = (): string[] => path.findings.map(({ code }) => code)
  path.failed(hello)
  path.failed(hello)
  path.failed(silence)
  path.failed(hello)
  path.failed(hello)
  t.deepEqual(codes(), [])
  path.failed(hello)
  t.deepEqual(codes(), ['E_NET_NAME'])
  path.worked(100, 0)
  t.deepEqual(codes(), [])
})

test('E_NET_THROTTLED: said while it is so', (t) => {
  const path = pathAt(new VirtualTime())
  path.worked(100, 0)
  path.carried(4_000, 2_100, 0)
  t.deepEqual(
    path.findings.map(({ code }) => code),
    ['E_NET_THROTTLED'],
  )
  path.carried(100_000, 200, 0)
  t.deepEqual(path.findings, [])
})

test('what was seen long ago is not said any more', (t) => {
  const time = new VirtualTime()
  const path = pathAt(time)
  path.note('E_NET_SIZE')
  time.now += 3_600_000
  t.deepEqual(path.findings, [])
})

test('octets take as long as they take, which is no distance; on a slow path answers are small', (t) => {
  const path = pathAt(new VirtualTime())
  path.worked(100, 0)
  path.carried(20_000, 10_100, 0)
  for (let i = 0; i < 30; i++) path.worked(600, 0, { octets: 1_000 })
  t.is(Math.round(path.rtt), 100)
  const poll = compileBuiltins()
    .find(({ id }) => id === 'support-chat')!
    .shape('poll')
  t.is(path.answerRoom(poll), 1_536)
  const quick = pathAt(new VirtualTime())
  t.is(quick.answerRoom(poll), undefined)
})
