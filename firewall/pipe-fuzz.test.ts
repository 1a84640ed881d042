/**
 * A hostile core that says anything over the pipe: random frames, good ones, cut, changed, out of order, with lengths that lie.
 * The firewall behind it is the real one; only the dialer records instead of dialing. Whatever comes, nothing is dialed but
 * what the allow-list and the rules for requests allow.
 */
import { duplexPair } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import test from 'ava'
import * as fc from 'fast-check'
import { randomBytes } from '#protocol/crypto/random.ts'
import { encodeInvite } from '#protocol/invite.ts'
import { encodeMessage } from '#protocol/services/codec.ts'
import { serveBroker } from './broker.ts'
import type { Dialer } from './dialers/dialer.ts'
import { temporaryFolder } from './fixtures/temporary.ts'
import { encodeFrame, FrameDecoder } from './frames.ts'
import { openBroker } from './library.ts'
import { FrameType } from './messages.ts'
import { decideRequest } from './request.ts'

const long = process.env.SOTTO_LONG !== undefined
const HOST = 'gateway.example'

/** What the dialer was asked for. */
type Dialed = Parameters<Dialer['exchange']>

function recorder(): { dialer: Dialer; dialed: Dialed[] } {
  const dialed: Dialed[] = []
  const dialer: Dialer = {
    exchange: async (...asked) => {
      dialed.push(asked)
      return { status: 200, headers: [], body: new Uint8Array(8) }
    },
    forget: async () => {},
    describe: () => ({ family: 'node' }) as never,
    onDial: () => {},
    close: async () => {},
  }
  return { dialer, dialed }
}

const names = Object.keys(FrameType) as (keyof typeof FrameType)[]
const bytes = (maxLength: number) => fc.uint8Array({ maxLength })
const id = fc.oneof(fc.nat(8), fc.integer({ min: 0, max: 0xffff_ffff }))
/** Values that a message can carry, not too deep. */
const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { maxDepth: 3 },
    ...[fc.constant(null), fc.boolean(), fc.integer(), fc.double({ noNaN: true }), fc.string({ maxLength: 40 })],
    ...[
      bytes(64),
      fc.array(tie('any'), { maxLength: 4 }),
      fc.dictionary(fc.string({ maxLength: 8 }), tie('any'), { maxKeys: 4 }),
    ],
  ),
})).any

/** Calls that are nearly right. `known`: the endpoint that there is. */
function nearlyRight(known: string) {
  const endpoint = fc.oneof({ weight: 4, arbitrary: fc.constant(known) }, fc.string({ maxLength: 20 }))
  const header = fc.oneof(
    ...[fc.constant('host'), fc.constant(HOST), fc.constant('evil.example'), fc.constant('transfer-encoding')],
    ...[
      fc.constant('content-length'),
      fc.constant('connection'),
      fc.string({ maxLength: 12 }),
      fc.constant('x\r\ny: z'),
    ],
  )
  const target = fc.oneof(
    ...[fc.constant('/'), fc.constant('/a?b'), fc.constant('https://evil.example/'), fc.constant('//evil.example/')],
    ...[fc.constant('/ HTTP/1.1\r\nHost: evil.example\r\n\r\n'), fc.string({ maxLength: 20 })],
  )
  const mostly = <T>(good: T, other: fc.Arbitrary<T>) => fc.oneof({ weight: 5, arbitrary: fc.constant(good) }, other)
  const headers = mostly<string[]>([], fc.array(header, { maxLength: 6 }))
  const exchange = fc.record(
    {
      ...{ endpoint, target: mostly('/', target), headers, body: mostly(false, fc.boolean()) },
      method: mostly('GET', fc.constantFrom('POST', 'CONNECT', 'PUT', 'get')),
      timeoutMs: mostly(1_000, fc.oneof(fc.double(), fc.integer())),
      family: mostly('node', fc.constantFrom('chromium', 'none')),
      first: fc.record({ target, headers }),
      connections: fc.oneof(fc.nat(4), fc.double()),
    },
    { requiredKeys: ['endpoint', 'target', 'headers', 'body', 'method', 'timeoutMs', 'family'] },
  )
  const contact = fc.record({
    ...{ endpoint, hello: bytes(32), binding: bytes(16), length: fc.oneof(fc.constant(320), fc.nat()), now: fc.nat() },
  })
  return fc.oneof(
    { weight: 4, arbitrary: exchange.map((head) => ({ type: FrameType.exchange as number, head: head as unknown })) },
    contact.map((head) => ({ type: FrameType.contact as number, head: head as unknown })),
    endpoint.map((name) => ({ type: FrameType.permit as number, head: { endpoint: name } as unknown })),
    fc
      .record({ ticket: fc.nat(4) })
      .map((head) => ({ type: FrameType.finishContact as number, head: head as unknown })),
    fc.record({ type: fc.constantFrom(...names).map((name) => FrameType[name] as number), head: value }),
    fc.record({ type: fc.nat(255), head: value }),
  )
}

/** A stream of octets: frames in any order, and then what happened to it on the way. */
function stream(known: string) {
  const framed = fc
    .record({ call: nearlyRight(known), id, raw: bytes(64) })
    .map(({ call: { type, head }, id: number, raw }) =>
      Buffer.concat([encodeFrame(type, number, encodeMessage(head), raw.length), raw]),
    )
  const lying = fc
    .record({ length: fc.integer({ min: 0, max: 0xffff_ffff }), rest: bytes(64) })
    .map(({ length, rest }) => {
      const front = Buffer.alloc(4)
      front.writeUInt32BE(length >>> 0)
      return Buffer.concat([front, rest])
    })
  const piece = fc.oneof(
    { weight: 12, arbitrary: framed },
    lying,
    bytes(40).map((noise) => Buffer.from(noise)),
  )
  return fc.record({
    pieces: fc.array(piece, { minLength: 1, maxLength: 12 }),
    flips: fc.array(fc.record({ at: fc.nat(), by: fc.integer({ min: 1, max: 255 }) }), { maxLength: 2 }),
    mangled: fc.boolean(),
    cut: fc.integer({ min: 1, max: 97 }),
    keep: fc.double({ min: 0.3, max: 1, noNaN: true }),
  })
}

test('whatever a core says, only allowed exchanges are dialed, and no call is answered twice', async (t) => {
  const { dialer, dialed } = recorder()
  // An hour from one to the next: the flow meter has tests of its own.
  let clock = Date.now()
  const broker = await openBroker({
    folder: await temporaryFolder(t),
    dialers: [dialer],
    now: () => clock,
    random: randomBytes,
  })
  t.teardown(() => broker.close())
  const gateway = { host: HOST, port: 443, addresses: ['192.0.2.1'], key: randomBytes(32), cohort: randomBytes(32) }
  const link = encodeInvite({
    ...{ name: 'Test', gateways: [{ ...gateway, tls: undefined }], code: randomBytes(16), template: 'plain' },
    ...{ expires: 4_000_000_000, root: randomBytes(32) },
  })
  const [endpoint] = await broker.admitInvite(link)
  const before = await broker.endpoints()
  let ended = 0
  let judged = 0
  await fc.assert(
    fc.asyncProperty(stream(endpoint!.id), async ({ pieces, flips, mangled, cut, keep }) => {
      clock += 3_600_000
      const octets = Buffer.concat(pieces)
      if (mangled) for (const { at, by } of flips) octets[at % octets.length]! ^= by
      const sent = mangled ? octets.subarray(0, Math.ceil(octets.length * keep)) : octets
      const [core, far] = duplexPair()
      core.on('error', () => {})
      const server = serveBroker(broker, far, () => ended++)
      const answers = new Map<number, number>()
      const decoder = new FrameDecoder(({ type, id: number }) => {
        if (type === FrameType.result || type === FrameType.failure) answers.set(number, (answers.get(number) ?? 0) + 1)
      })
      core.on('data', (chunk) => decoder.push(chunk))
      const asked = new Map<number, number>()
      const counting = new FrameDecoder(({ id: number }) => asked.set(number, (asked.get(number) ?? 0) + 1))
      counting.push(sent)
      for (let at = 0; at < sent.length; at += cut) core.write(sent.subarray(at, at + cut))
      for (let i = 0; i < 8; i++) await turn()
      server.close()
      core.destroy()
      for (const [number, times] of answers) if (times > (asked.get(number) ?? 0)) return false
      for (const [target, request, options] of dialed.splice(0)) {
        judged++
        if (target.id !== endpoint!.id || target.host !== HOST) return false
        for (const asked of [request, options.first]) {
          if (asked && decideRequest({ host: HOST, port: 443 }, asked, options) !== undefined) return false
        }
      }
      return true
    }),
    { numRuns: long ? 20_000 : 400 },
  )
  t.deepEqual(await broker.endpoints(), before)
  t.true(judged >= 10, 'some of it was allowed')
  t.true(ended > 0, 'some of it ended the pipe')
})
