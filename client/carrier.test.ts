/** One exchange on a path that is played by hand, on a simulated clock. */
import test from 'ava'
import type { Shape } from '#engine/shape.ts'
import type { HttpRequest } from '#engine/template.ts'
import type { ExchangeOptions, ExchangeRequest, ExchangeResponse, Permit } from '#firewall/permit.ts'
import { SottoError } from '#protocol/errors.ts'
import { VirtualTime } from '#test/helpers/virtual-time.ts'
import type { ExchangeResult } from './carrier.ts'
import { performExchange } from './carrier.ts'
import { Path } from './path.ts'

const PARCEL = Uint8Array.of(7)
/** That can be spared for other requests. */
const NUMBERS = 2

/** What the network does with one attempt. */
type Move = (options: ExchangeOptions, time: VirtualTime) => Promise<ExchangeResponse>

const answered = (status: number, body: Uint8Array = new Uint8Array(0)): Move => {
  return async () => ({ status, headers: [], body })
}

class Rig {
  readonly time = new VirtualTime()
  readonly path: Path
  readonly requests: ExchangeRequest[] = []
  readonly timeouts: number[] = []
  probes = 0
  again = 0
  readonly since: number[] = []
  result: ExchangeResult | undefined
  private readonly moves: Move[]
  private drawn = 0

  constructor(hold: number, moves: readonly Move[], mayTry = Number.POSITIVE_INFINITY, octets = 0, known = false) {
    this.moves = [...moves]
    const clockwork = {
      now: () => this.time.now,
      random: () => Uint8Array.of(0),
      after: this.time.after,
      soon: (run: () => void) => void this.time.after(0, run),
    }
    this.path = new Path(clockwork, () => {})
    this.path.worked(100, 0)
    if (known) this.path.carried(200_000, 300, 0)
    const shape = { decodeResponse: ({ status, body }: ExchangeResponse) => (status === 200 ? body : undefined) }
    const exchange = (request: ExchangeRequest, options: ExchangeOptions): Promise<ExchangeResponse> => {
      this.requests.push(request)
      this.timeouts.push(options.timeoutMs)
      return this.moves.shift()!(options, this.time)
    }
    void performExchange({
      connections: 3,
      permit: { endpoint: { host: 'site.example' }, exchange, judge: () => {} } as unknown as Permit,
      path: this.path,
      clockwork,
      shape: shape as unknown as Shape,
      first: undefined,
      request: this.encode(),
      encodeAnew: () => (this.drawn <= NUMBERS ? this.encode() : undefined),
      hold,
      octets,
      accept: () => true,
      again: () => this.again++,
      probe: () => this.probes++,
      mayRetry: () => this.requests.length < mayTry,
      failing: (since) => this.since.push(since),
      signal: new AbortController().signal,
    }).then((result) => {
      this.result = result
    })
  }

  private encode(): HttpRequest {
    return { method: 'GET', target: `/${this.drawn++}`, headers: [], body: undefined }
  }

  run(limit = 100_000): Promise<void> {
    return this.time.run(() => this.result !== undefined, limit)
  }
}

/** Nothing is heard until the time is over. */
const silence: Move = ({ timeoutMs }, time) =>
  new Promise((_, reject) => {
    time.after(timeoutMs, () => reject(new SottoError('E_PATH_TIMEOUT', 'nothing')))
  })

/** Waits until it is given up. */
const held: Move = ({ signal }) =>
  new Promise((_, reject) => {
    signal!.addEventListener('abort', () => reject(new SottoError('E_PATH_CLOSED', 'given up')))
  })

const reset: Move = async () => {
  throw new SottoError('E_PATH_RESET', 'cut')
}

test('after a failure without an answer the very same request goes out again', async (t) => {
  const rig = new Rig(0, [reset, answered(200, PARCEL)])
  await rig.run()
  t.is(rig.result?.kind, 'authentic')
  t.is(rig.requests[0], rig.requests[1])
  t.is(rig.again, 1)
})

test('after an edge’s own failure, the next request has another URL', async (t) => {
  const rig = new Rig(0, [answered(504), answered(200, PARCEL)])
  await rig.run()
  t.is(rig.result?.kind, 'authentic')
  t.deepEqual(
    rig.requests.map(({ target }) => target),
    ['/0', '/1'],
  )
  t.is(rig.again, 0)
})

test('where no number can be spared the very same request goes out again', async (t) => {
  const rig = new Rig(0, [answered(504), answered(504), answered(504), answered(504), answered(200, PARCEL)])
  await rig.run()
  t.is(rig.result?.kind, 'authentic')
  t.deepEqual(
    rig.requests.map(({ target }) => target),
    ['/0', '/1', '/2', '/2', '/2'],
  )
  t.is(rig.since.length, 4)
  t.is(new Set(rig.since).size, 1, 'all of it is one failure')
})

test('before every repeat it is asked whether the gateway still expects it', async (t) => {
  const rig = new Rig(0, [reset, reset, answered(200, PARCEL)], 2)
  await rig.run()
  t.is(rig.result?.kind, 'late')
  const doubted = new Rig(7_000, [held, answered(200, PARCEL)], 1)
  doubted.path.doubt()
  await doubted.run(1_000)
  doubted.path.doubt()
  await doubted.run()
  t.is(doubted.result?.kind, 'late')
})

test('doubt sends what is held again, at once, without calling the path failed', async (t) => {
  const rig = new Rig(7_000, [held, answered(200, PARCEL)])
  await rig.run(2_000)
  t.is(rig.requests.length, 1)
  const before = rig.time.now
  rig.path.doubt()
  await rig.run()
  t.is(rig.time.now, before)
  t.is(rig.result?.kind, 'authentic')
  t.true(rig.path.works)
})

test('a silence throws doubt on what is held', async (t) => {
  const rig = new Rig(0, [silence, answered(200, PARCEL)])
  let doubted = 0
  rig.path.onDoubt(7_000, 100, () => doubted++)
  await rig.run()
  t.is(doubted, 1)
})

test('a repeat is held no longer than the first would have been', async (t) => {
  const rig = new Rig(7_000, [silence, answered(200, PARCEL)])
  await rig.run()
  t.is(rig.timeouts[0], 8_000)
  t.is(rig.timeouts[1], 3_000, 'the patience of an exchange that is answered at once')
})

test('who says that it is too large is believed at once', async (t) => {
  for (const status of [413, 414, 431]) {
    const rig = new Rig(0, [answered(status)])
    await rig.run()
    t.like(rig.result, { kind: 'unfit', said: true })
    t.deepEqual(
      rig.path.findings.map(({ code }) => code),
      ['E_NET_SIZE'],
    )
  }
})

test('what fails again and again while others come through is too large; in an outage it is not', async (t) => {
  const rig = new Rig(0, [...Array.from({ length: 8 }, () => reset), answered(200, PARCEL)])
  // Others: one after each failure.
  const others = (): void => {
    rig.path.worked(100, 0)
    rig.time.after(100, others)
  }
  rig.time.after(50, others)
  await rig.run()
  t.like(rig.result, { kind: 'unfit', said: false })
  const outage = new Rig(0, [...Array.from({ length: 6 }, () => reset), answered(200, PARCEL)])
  await outage.run()
  t.is(outage.result?.kind, 'authentic')
  t.true(outage.probes > 0, 'asked whether it is the path')
})

test('a login page is waited out, and named', async (t) => {
  const portal: Move = async () => ({
    status: 302,
    headers: [['Location', 'http://login.example/']],
    body: new Uint8Array(0),
  })
  const rig = new Rig(0, [portal, portal, answered(200, PARCEL)])
  const codes: unknown[] = []
  rig.time.after(1, () => codes.push((rig.path.error as SottoError).code))
  await rig.run()
  t.deepEqual(codes, ['E_NET_PORTAL'])
  t.is(rig.result?.kind, 'authentic')
})

test('the website’s own answer is a stranger’s', async (t) => {
  const rig = new Rig(0, [answered(404)])
  await rig.run()
  t.is(rig.result?.kind, 'stranger')
})

/** Answered, and so late. */
const late =
  (ms: number): Move =>
  ({ signal }, time) =>
    new Promise((resolve, reject) => {
      signal!.addEventListener('abort', () => reject(new SottoError('E_PATH_CLOSED', 'given up')))
      time.after(ms, () => void answered(200, PARCEL)({} as never, time).then(resolve))
    })

test('a piece of a file that takes four times as long as others goes out again on another connection, twice at most', async (t) => {
  const rig = new Rig(0, [late(60_000), late(60_000), late(3_000)], undefined, 200_000, true)
  const began = rig.time.now
  await rig.run()
  t.is(rig.result?.kind, 'authentic')
  // 4 (100 + 200) ms, twice that, and the last one is waited for.
  t.is(rig.time.now - began, 1_200 + 2_400 + 3_000)
  t.is(new Set(rig.requests).size, 1, 'the very same')
  t.is(rig.probes, 2, 'and each time it is asked whether it is the path')
  t.true(rig.path.works)
})

test('what is small, or of which nothing is known, is waited for', async (t) => {
  for (const [octets, known] of [
    [700, true],
    [200_000, false],
  ] as const) {
    const rig = new Rig(0, [late(2_900)], undefined, octets, known)
    await rig.run()
    t.is(rig.requests.length, 1)
  }
})

test('the wait for a connection is no distance, and how fast an answer came is how fast the path is', async (t) => {
  const slow: Move = (_, time) =>
    new Promise((resolve) => {
      const response = { status: 200, headers: [], body: new Uint8Array(3_500), waitMs: 2_000, bodyMs: 1_000 }
      time.after(2_100, () => resolve(response as ExchangeResponse))
    })
  const rig = new Rig(0, [slow])
  await rig.run()
  t.is(rig.path.rtt, 100)
  const rates: number[] = []
  for (let i = 0; i < 2; i++) {
    const held = new Rig(7_000, [slow])
    await held.run()
    rates.push(held.path.edge.fit.rate)
  }
  t.deepEqual(rates, [3.5, 3.5], 'of what was held, too')
})
