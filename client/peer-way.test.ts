import test from 'ava'
import { SottoError } from '#protocol/errors.ts'
import { ServiceFailure } from '#protocol/services/service.ts'
import { VirtualTime } from '#test/helpers/virtual-time.ts'
import type { Clockwork } from './clockwork.ts'
import { type PeerLine, PeerWay } from './peer-way.ts'
import type { TunnelState } from './tunnel/status.ts'

const MINUTE = 60_000

/** A node that is there or not, with what was asked of it. */
class Node {
  readonly time = new VirtualTime()
  up = true
  /** What a new tunnel says of itself before anything was tried. */
  state: TunnelState = { kind: 'ready' }
  refuses: string | undefined
  opened = 0
  stopped = 0
  readonly way: PeerWay

  constructor() {
    const { time } = this
    const clockwork: Clockwork = {
      now: () => time.now,
      after: time.after,
      random: (n) => new Uint8Array(n),
      soon: (run) => run(),
    }
    this.way = new PeerWay(clockwork, async () => this.line())
  }

  private line(): PeerLine {
    this.opened++
    const call = (_: string, args: unknown, options: { readonly timeoutMs?: number } = {}): Promise<unknown> =>
      new Promise((resolve, reject) => {
        const late = (): void => reject(new SottoError('E_TUNNEL_TIMEOUT', 'late'))
        if (this.refuses !== undefined) return reject(new ServiceFailure(this.refuses))
        if (this.up) this.time.after(20, () => resolve(args))
        else this.time.after(options.timeoutMs!, late)
      })
    const status = {
      get state() {
        return node.state
      },
    }
    const node = this
    return { tunnel: { call, status } as unknown as PeerLine['tunnel'], stop: async () => void this.stopped++ }
  }

  /** What came of a call, and after how many milliseconds. */
  async call(): Promise<readonly [outcome: string, ms: number]> {
    const began = this.time.now
    let outcome = ''
    const told = this.way
      .call('x', 'answer')
      .then(String, (error: unknown) => (error instanceof ServiceFailure ? error.reason : (error as SottoError).code))
    void told.then((text) => {
      outcome = text
    })
    await this.time.run(() => outcome !== '', MINUTE)
    return [outcome, this.time.now - began]
  }

  pass(ms: number): Promise<void> {
    return this.time.run(() => false, ms)
  }
}

test('nothing is dialed before something is to be put; one line carries all, and is let go when idle', async (t) => {
  const node = new Node()
  await node.pass(10 * MINUTE)
  t.deepEqual([node.opened, node.way.state], [0, { kind: 'unused' }])
  for (let i = 0; i < 3; i++) {
    t.deepEqual(await node.call(), ['answer', 20])
    await node.pass(MINUTE)
  }
  t.deepEqual([node.opened, node.way.state], [1, { kind: 'ready' }])
  await node.pass(2 * MINUTE)
  t.deepEqual([node.stopped, node.way.state], [1, { kind: 'unused' }])
  t.deepEqual(await node.call(), ['answer', 20])
  t.is(node.opened, 2, 'who answered is not left alone')
})

test('a message waits three seconds at the most, and not at all where the way is known to fail', async (t) => {
  const node = new Node()
  node.up = false
  t.deepEqual(await node.call(), ['E_TUNNEL_TIMEOUT', 3_000])
  node.state = { kind: 'failing', code: 'E_PATH_TIMEOUT', reason: 'nobody there' }
  t.deepEqual(await node.call(), ['E_TUNNEL_TIMEOUT', 0])
  t.deepEqual(node.way.state, { kind: 'out of reach' })
  Object.assign(node, { up: true, state: { kind: 'ready' } })
  t.deepEqual(await node.call(), ['answer', 20], 'it came back before it was given up')
  t.is(node.opened, 1)
})

test('who does not answer is left alone, longer each time, up to an hour; an answer ends that', async (t) => {
  const node = new Node()
  node.up = false
  const rests: number[] = []
  for (let i = 0; i < 9; i++) {
    await node.call()
    await node.pass(2 * MINUTE)
    const { state } = node.way
    t.is(state.kind, 'out of reach')
    t.deepEqual(await node.call(), ['E_TUNNEL_TIMEOUT', 0], 'and nobody waits for it')
    const until = (state as { readonly until?: number }).until!
    rests.push((until - node.time.now) / MINUTE)
    await node.pass(until - node.time.now)
  }
  t.deepEqual(
    rests.map((rest) => Math.round(rest)),
    [1, 2, 4, 8, 16, 32, 60, 60, 60],
  )
  t.deepEqual([node.opened, node.stopped], [9, 9])
  node.up = true
  t.deepEqual(await node.call(), ['answer', 20])
  await node.pass(2 * MINUTE)
  node.up = false
  await node.call()
  await node.pass(2 * MINUTE)
  t.deepEqual(await node.call(), ['E_TUNNEL_TIMEOUT', 0])
  await node.pass(MINUTE)
  t.deepEqual((await node.call())[1], 3_000, 'a minute again')
})

test('a refusal is an answer', async (t) => {
  const node = new Node()
  node.refuses = 'unknown'
  t.deepEqual(await node.call(), ['unknown', 0])
  await node.pass(2 * MINUTE)
  t.deepEqual(node.way.state, { kind: 'unused' })
})

test('a way that cannot be opened is left alone; a closed one opens nothing', async (t) => {
  const time = new VirtualTime()
  let opened = 0
  const clockwork: Clockwork = {
    now: () => time.now,
    after: time.after,
    random: (n) => new Uint8Array(n),
    soon: (run) => run(),
  }
  const way = new PeerWay(clockwork, async () => {
    opened++
    throw new SottoError('E_FIREWALL_REFUSED', 'not on the list')
  })
  await t.throwsAsync(way.call('x', 1), { code: 'E_FIREWALL_REFUSED' })
  await t.throwsAsync(way.call('x', 1), { code: 'E_TUNNEL_TIMEOUT' })
  t.is(opened, 1)
  const node = new Node()
  await node.call()
  await node.way.close()
  t.deepEqual([node.stopped, node.time.pending], [1, 0])
  t.deepEqual(await node.call(), ['E_TUNNEL_TIMEOUT', 0])
  t.is(node.opened, 1)
})
