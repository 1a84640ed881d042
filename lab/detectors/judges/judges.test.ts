/** Each detector on what it has to find, and on what it has to leave alone. */
import { randomBytes } from 'node:crypto'
import test from 'ava'
import type { Exchange } from '../capture/exchanges.ts'
import type { SeenConnection, Session } from '../capture/session.ts'
import { beaconScore } from './beacon.ts'
import { callsOf } from './calls.ts'
import { featuresOf, VIEWS } from './flow-features.ts'
import { exemptionOf } from './fully-encrypted.ts'
import { contradictions, foreignOrders } from './headers.ts'
import { startText } from './http2-start.ts'
import { innerSteps } from './inner-steps.ts'
import { messageLeak } from './messages.ts'
import { parityOf } from './parity.ts'
import { requestFeatures } from './request-features.ts'
import { beyondRoundTrip } from './round-trips.ts'
import { innerHandshake } from './tls-in-tls.ts'

const exchange = (given: Partial<Exchange>): Exchange => ({
  ...{ askedAt: 0, saidAt: 0, answeredAt: 20, endedAt: 20, method: 'POST', target: '/api?t=1', headers: [] },
  ...{ body: new Uint8Array(100), answer: 50, up: [120], down: [80] },
  ...given,
})

const connection = (given: Partial<SeenConnection>): SeenConnection => ({
  ...{ hello: undefined, first: new Uint8Array(0), packets: [], records: [], protocol: 'h1', exchanges: [] },
  start: undefined,
  ...given,
})

const session = (...connections: readonly SeenConnection[]): Session => ({
  ...{ kind: 'ours', site: 'ropewalk.example', template: 'x', host: 'a', beganAt: 0, endedAt: 10_000 },
  ...{ said: [], heard: [], connections },
})

const record = (at: number, up: boolean, length: number): SeenConnection['records'][number] => ({
  ...{ at, up, length, type: 23, inner: 23 },
})

// ---- traffic without a face ---------------------------------------------------------------------------------------------

test('random octets are blocked, and each exemption is one', (t) => {
  const blocked = Array.from({ length: 400 }, () => exemptionOf(randomBytes(300))).filter((each) => each === undefined)
  t.true(blocked.length > 390)
  const noise = Buffer.from(Array.from({ length: 200 }, (_, i) => (i % 2 === 0 ? 0x0f : 0xf0)))
  t.is(exemptionOf(noise), undefined)
  t.is(exemptionOf(Buffer.alloc(200, 1)), 'popcount')
  t.is(exemptionOf(Buffer.alloc(200, 0xff)), 'popcount')
  t.is(exemptionOf(Buffer.concat([Buffer.from('SSH-2.'), noise])), 'printable prefix')
  t.is(
    exemptionOf(Buffer.concat([noise.subarray(0, 40), Buffer.from('7o7o7o7o7o7o7o7o7o7o7o'), noise])),
    'printable run',
  )
  t.is(exemptionOf(Buffer.from([0x16, 3, 1, 2, 0, ...noise])), 'protocol')
  t.is(exemptionOf(Buffer.concat([Buffer.from('GET '), noise])), 'protocol')
})

test('printable characters that never stand close together make half of it', (t) => {
  // Eleven bits of sixteen are set in neither, so that nothing else exempts it.
  const mixed = Buffer.from(Array.from({ length: 300 }, (_, i) => (i % 3 === 2 ? 0xf0 : i % 3 === 0 ? 0x6a : 0x71)))
  mixed[0] = 0xf0
  t.is(exemptionOf(mixed), 'printable half')
})

// ---- TLS in TLS ---------------------------------------------------------------------------------------------------------

const steps = (...octets: readonly number[]): { up: boolean; length: number }[] =>
  octets.flatMap((sum, i) => {
    const packets = Math.max(1, Math.ceil(sum / 1400))
    return Array.from({ length: packets }, () => ({ up: i % 2 === 0, length: sum / packets + 24 }))
  })

test('four bursts like a handshake are found wherever they begin, and others are not', (t) => {
  t.is(innerHandshake(steps(1850, 4903, 785, 1051)), 'Chrome')
  t.is(innerHandshake(steps(300, 200, 1700, 4500, 700, 900)), 'Chrome')
  t.is(innerHandshake(steps(640, 4650, 448, 1094)), 'TLS 1.3')
  t.is(innerHandshake(steps(213, 4515, 108, 308)), 'TLS 1.2')
  t.is(innerHandshake(steps(200, 20_000, 200, 20_000)), undefined)
  t.is(innerHandshake([]), undefined)
})

test('a first burst of many packets is no greeting', (t) => {
  const cut = [...steps(400, 0).slice(0, 1), ...steps(400).slice(0, 1), ...steps(500, 0).slice(0, 1), ...steps(550)]
  t.is(
    innerHandshake([...cut.map((step) => ({ ...step, up: true })), ...steps(0, 4903, 785, 1051).slice(1)]),
    undefined,
  )
})

test('only what comes after the outer handshake is looked at', (t) => {
  const packet = (at: number, up: boolean, length: number): SeenConnection['packets'][number] => ({
    ...{ at, up, length, size: length + 40, seq: 0, ack: 0, flags: 16 },
  })
  const packets = [packet(0, true, 1850), packet(1, false, 4903), packet(2, true, 80), packet(3, true, 300)]
  const records = [{ ...record(0, true, 1850), type: 22 }, record(1, false, 4903), record(2, true, 80)]
  t.deepEqual(
    innerSteps(connection({ packets, records })).map(({ length }) => length),
    [300],
  )
  t.is(innerSteps(connection({ packets })).length, 4)
})

// ---- habits -------------------------------------------------------------------------------------------------------------

test('a metronome scores one, somebody who writes now and then much less', (t) => {
  const even = Array.from({ length: 20 }, (_, i) => ({ at: i * 1000, size: 300 }))
  t.is(beaconScore(even), 1)
  const uneven = [0, 100, 150, 3000, 3100, 9000, 15_000, 15_020].map((at, i) => ({
    at,
    size: [80, 2400, 300, 1200][i % 4]!,
  }))
  t.true(beaconScore(uneven)! < 0.6)
  t.is(beaconScore(even.slice(0, 3)), undefined)
})

test('calls are records up after a pause or an answer, without the end of the handshake and what is HTTP/2’s own', (t) => {
  const records = [
    ...[record(0, true, 80), record(5, false, 500)],
    ...[record(10, true, 90), record(10, true, 2000), record(30, false, 400), record(31, true, 44)],
    ...[record(50, true, 300)],
  ]
  t.deepEqual(callsOf(session(connection({ records }))), [
    { at: 10, size: 2090 },
    { at: 50, size: 300 },
  ])
})

test('messages that are larger than everything else are seen, and hidden where all calls are alike', (t) => {
  const talk = (size: number): Session => {
    const records = Array.from({ length: 40 }, (_, i) => [
      record(i * 500, true, i % 4 === 0 ? size : 300),
      record(i * 500 + 20, false, 200),
    ])
    const said = Array.from({ length: 8 }, (_, i) => ({ at: 2000 * (i + 1), letters: i % 2 === 0 ? 10 : 100 }))
    return { ...session(connection({ records: [record(-10, true, 80), ...records.flat()] })), said, endedAt: 20_000 }
  }
  t.true(messageLeak([talk(2400), talk(2400)]).event!.value > 0.9)
  t.is(messageLeak([talk(300), talk(300)]).event!.value, 0.5)
})

test('exchanges that take longer than the network are told from those that do not', (t) => {
  const packet = (at: number, up: boolean): SeenConnection['packets'][number] => ({
    ...{ at, up, length: 0, size: 40, seq: 0, ack: 0, flags: up ? 2 : 18 },
  })
  const found = beyondRoundTrip(
    connection({
      packets: [packet(0, true), packet(12, false)],
      exchanges: [exchange({}), exchange({ answeredAt: 5000 })],
    }),
  )
  t.deepEqual(found, [8])
})

// ---- HTTP ---------------------------------------------------------------------------------------------------------------

test('an order of headers that the genuine client does not have is found', (t) => {
  const of = (...names: readonly string[]): Session =>
    session(connection({ exchanges: [exchange({ headers: names.map((name) => [name, 'x'] as const) })] }))
  t.is(foreignOrders([of('accept', 'user-agent')], [of('accept', 'user-agent')]).foreign, 0)
  t.is(foreignOrders([of('user-agent', 'accept')], [of('accept', 'user-agent')]).foreign, 1)
  t.is(foreignOrders([of('Accept', 'user-agent')], [of('accept', 'user-agent')]).foreign, 1)
})

test('who calls itself a browser has to greet like one', (t) => {
  const hello = {
    ...{
      random: new Uint8Array(32),
      version: 771,
      ciphers: [0x1301],
      extensions: [],
      serverName: 'a',
      alpn: ['http/1.1'],
      shares: [],
    },
    ...{
      signatures: [],
      groups: [],
      pointFormats: [],
      versions: [],
      echLength: undefined,
      length: 500,
      resumes: false,
    },
  }
  const agent = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36'
  const of = (value: string): string[] =>
    contradictions(connection({ hello, exchanges: [exchange({ headers: [['user-agent', value]] })] }))
  t.true(of(agent).includes('Chrome without GREASE'))
  t.true(of(agent).includes('version of hints'))
  t.deepEqual(of('node'), [])
})

test('the start of HTTP/2 in its usual notation', (t) => {
  const settings = [
    [1, 65_536],
    [2, 0],
    [4, 6_291_456],
    [6, 262_144],
  ] as const
  const start = { settings, window: 15_663_105, pseudo: 'm,a,s,p', priority: undefined, records: [] }
  t.is(startText(start), '1:65536;2:0;4:6291456;6:262144|15663105|0|m,a,s,p')
})

test('parity counts octets beside the bodies, by kind of exchange', (t) => {
  const of = (up: readonly number[], target = '/api?t=1'): Session =>
    session(connection({ exchanges: Array.from({ length: 12 }, () => exchange({ up, target })) }))
  const [same] = parityOf([of([120])], [of([120])]).kinds
  t.like(same, { up: 0, down: 0, cut: '1+1' })
  const [longer] = parityOf([of([60, 77])], [of([120])]).kinds
  t.like(longer, { up: 17, down: 0, cut: '2+1', genuineCut: '1+1' })
  t.is(parityOf([of([120], '/elsewhere')], [of([120])]).alone, 1)
})

test('features have a name each, and as many whatever the session holds', (t) => {
  const packet = (at: number, up: boolean): SeenConnection['packets'][number] => ({
    ...{ at, up, length: 100, size: 140, seq: 0, ack: 0, flags: 16 },
  })
  const full = session(connection({ packets: [packet(0, true), packet(20, false)], records: [record(0, true, 100)] }))
  for (const view of VIEWS) {
    const [some, none] = [featuresOf(full, view), featuresOf(session(), view)]
    t.is(some.values.length, some.columns.length)
    t.is(new Set(some.columns.map(({ name }) => name)).size, some.columns.length)
    t.deepEqual(none.columns, some.columns)
    t.true(some.values.every(Number.isFinite) && none.values.every(Number.isFinite))
  }
})

test('features of requests leave the page out and have a column for each value', (t) => {
  const found = requestFeatures([
    session(connection({ exchanges: [exchange({}), exchange({ target: '/x?a=1&bb=22' })] })),
  ])
  t.is(found.rows.length, 1)
  t.is(found.rows[0]!.length, found.columns.length)
})
