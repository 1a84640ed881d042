/** Each end of the pipe against a peer that does not keep the rules. */

import type { Duplex } from 'node:stream'
import { duplexPair } from 'node:stream'
import test from 'ava'
import type { SottoError } from '#protocol/errors.ts'
import { encodeMessage } from '#protocol/services/codec.ts'
import { serveBroker } from './broker.ts'
import { connectBroker } from './core-side.ts'
import { encodeFrame, FrameDecoder } from './frames.ts'
import { PipeLimits } from './limits.ts'
import type { LocalBroker } from './local-broker.ts'
import { FrameType } from './messages.ts'
import type { EndpointInfo, ExchangeOptions, ExchangeResponse, Permit } from './permit.ts'
import type { Refusal } from './policy.ts'
import { refusalError } from './refusals.ts'

const info: EndpointInfo = {
  ...{ id: 'e1', kind: 'gateway', name: 'Test', host: 'g.example.org', port: 443 },
  ...{ template: 'plain', expires: 1, source: 'invite' },
}

const unused = async (): Promise<never> => {
  throw new Error('a secret of the inside')
}

/** A firewall whose exchanges do what the test says. */
function fakeBroker(exchange: (options: ExchangeOptions) => Promise<ExchangeResponse>) {
  const refusals: Refusal[] = []
  const permit: Permit = {
    endpoint: info,
    firstContact: unused,
    rekey: unused,
    judge: () => {},
    exchange: (_, options) => exchange(options),
  }
  const broker: LocalBroker = {
    ...{
      endpoints: async () => [info],
      admitInvite: unused,
      undo: unused,
      offerList: unused,
      offerPeers: unused,
      peerOffers: () => [],
      allowPeer: unused,
      view: () => undefined,
      allow: () => {},
      judged: () => {},
      joined: unused,
      ways: unused,
      password: unused,
      changePassword: unused,
      dialers: async () => [],
      changeWays: unused,
      forget: async () => {},
      permit: async () => permit,
    },
    ...{ network: unused, onEvent: () => {}, attempted: () => {}, targets: () => [], close: async () => {} },
    refuse: (reason) => {
      refusals.push(reason)
      return refusalError(reason)
    },
  }
  return { broker, refusals }
}

const answer: ExchangeResponse = { status: 200, headers: [], body: new Uint8Array(0) }
const frame = (type: number, id: number, head: unknown, raw = new Uint8Array(0)): Uint8Array =>
  Buffer.concat([encodeFrame(type, id, encodeMessage(head), raw.length), raw])
const exchangeFrame = (id: number): Uint8Array => {
  const request = {
    endpoint: 'e1',
    method: 'GET',
    target: '/',
    headers: [],
    timeoutMs: 1000,
    family: 'node',
    body: false,
  }
  return frame(FrameType.exchange, id, request)
}

/** The broker's end served to raw octets. */
function served(exchange: (options: ExchangeOptions) => Promise<ExchangeResponse>) {
  const { broker, refusals } = fakeBroker(exchange)
  const [core, far] = duplexPair()
  core.on('error', () => {})
  const { promise: ended, resolve } = Promise.withResolvers<SottoError | undefined>()
  const server = serveBroker(broker, far, resolve)
  const frames: { type: number; id: number }[] = []
  const read = (): void => {
    const decoder = new FrameDecoder(({ type, id }) => frames.push({ type, id }))
    core.on('data', (chunk) => decoder.push(chunk))
  }
  return { core, far, server, ended, refusals, frames, read }
}

const settle = async (turns = 5): Promise<void> => {
  for (let i = 0; i < turns; i++) await new Promise<void>((resolve) => setImmediate(resolve))
}

const violations: Record<string, Uint8Array> = {
  'an unknown type': frame(77, 1, null),
  'a call without a number': frame(FrameType.endpoints, 0, null),
  'a number that is in use': Buffer.concat([exchangeFrame(5), exchangeFrame(5)]),
  'an answer where only calls belong': frame(FrameType.result, 1, null),
}
for (const [name, octets] of Object.entries(violations)) {
  test(`the broker ends the pipe: ${name}`, async (t) => {
    const { core, ended, refusals } = served(() => new Promise(() => {}))
    core.write(octets)
    t.is((await ended)?.code, 'E_FIREWALL_BROKEN')
    t.deepEqual(refusals, ['broken-pipe'])
  })
}

test('PipeLimits.outstanding: one call more ends the pipe, and what was under way is given up', async (t) => {
  const signals: AbortSignal[] = []
  const { core, ended, frames, read } = served((options) => {
    signals.push(options.signal!)
    return new Promise(() => {})
  })
  read()
  for (let id = 1; id <= PipeLimits.outstanding; id++) core.write(exchangeFrame(id))
  await settle()
  t.deepEqual(frames, [])
  t.is(signals.length, PipeLimits.outstanding)
  core.write(exchangeFrame(PipeLimits.outstanding + 1))
  t.is((await ended)?.code, 'E_FIREWALL_BROKEN')
  t.true(signals.every(({ aborted }) => aborted))
})

const malformed: Record<string, unknown> = {
  'no arguments': null,
  'a field missing': { endpoint: 'e1', method: 'GET', target: '/', headers: [], body: false },
  'a field too many': {
    endpoint: 'e1',
    method: 'GET',
    target: '/',
    headers: [],
    timeoutMs: 1,
    family: 'node',
    body: false,
    host: 'x',
  },
  'another method': {
    endpoint: 'e1',
    method: 'CONNECT',
    target: '/',
    headers: [],
    timeoutMs: 1,
    family: 'node',
    body: false,
  },
  'no text': { endpoint: 'e1', method: 'GET', target: 7, headers: [], timeoutMs: 1, family: 'node', body: false },
  'a list': [1, 2, 3],
}
test('a call of a wrong shape is refused, and the pipe goes on', async (t) => {
  const { core, refusals, frames, read } = served(async () => answer)
  read()
  let id = 0
  for (const args of Object.values(malformed)) core.write(frame(FrameType.exchange, ++id, args))
  core.write(exchangeFrame(++id))
  await settle()
  t.deepEqual(
    frames.map(({ type }) => type),
    [...Object.keys(malformed).map(() => FrameType.failure), FrameType.result],
  )
  t.is(refusals.length, Object.keys(malformed).length)
})

test('PipeLimits.bufferedBytes: a core that asks and does not listen is not heard any more', async (t) => {
  let asked = 0
  const { core, far, frames, read } = served(async () => {
    asked++
    return { status: 200, headers: [], body: new Uint8Array(1_000_000) }
  })
  let sent = 0
  const ask = async (): Promise<void> => {
    core.write(exchangeFrame(++sent))
    await settle()
  }
  while (far.writableLength <= PipeLimits.bufferedBytes) await ask()
  const heard = asked
  for (let i = 0; i < 40; i++) await ask()
  t.is(asked, heard)
  t.true(far.writableLength <= PipeLimits.bufferedBytes + 1_000_100, `${far.writableLength} octets held`)
  read()
  while (frames.length < sent) await settle()
  t.is(asked, sent, 'once it listens, all is answered')
})

test('a failure tells the core nothing of the inside', async (t) => {
  const { broker } = fakeBroker(unused)
  const [near, far] = duplexPair()
  serveBroker(broker, far, () => {})
  const error = await t.throwsAsync(connectBroker(near, () => {}).joined(), { code: 'E_INTERNAL' })
  t.notRegex(error!.message, /secret/)
})

test('PipeLimits.continuations: the oldest first contact goes', async (t) => {
  const { broker } = fakeBroker(async () => answer)
  const finish = async (): Promise<undefined> => undefined
  const permit = await broker.permit('e1')
  const contact = { token: new Uint8Array(16), parcel: new Uint8Array(0), finish }
  const patient: Permit = { ...permit, firstContact: async () => contact }
  const [near, far] = duplexPair()
  serveBroker({ ...broker, permit: async () => patient }, far, () => {})
  const remote = await connectBroker(near, () => {}).permit('e1')
  const input = { hello: new Uint8Array(0), binding: new Uint8Array(16), length: 320, now: 0 }
  const begun = []
  for (let i = 0; i <= PipeLimits.continuations; i++) begun.push(await remote.firstContact(input))
  await t.throwsAsync(begun[0]!.finish(new Uint8Array(0)), { code: 'E_INTERNAL' })
  t.is(await begun[1]!.finish(new Uint8Array(0)), undefined)
  t.is(await begun.at(-1)!.finish(new Uint8Array(0)), undefined)
})

/** The core's end against raw octets. */
function asked(reply: (frame: { type: number; id: number }, broker: Duplex) => void) {
  const [near, broker] = duplexPair()
  broker.on('error', () => {})
  const decoder = new FrameDecoder((got) => reply(got, broker))
  broker.on('data', (chunk) => decoder.push(chunk))
  const { promise: lost, resolve } = Promise.withResolvers<SottoError>()
  return { core: connectBroker(near, resolve), broker, lost }
}

const lies: Record<string, (id: number) => Uint8Array> = {
  'what is no frame': () => Buffer.alloc(64, 0xff),
  'an answer of another shape': (id) => frame(FrameType.result, id, { endpoints: [] }),
  'an endpoint with a secret in it': (id) => frame(FrameType.result, id, [{ ...info, key: new Uint8Array(32) }]),
  'an answer to what was not asked': (id) => frame(FrameType.result, id + 1, []),
  'a failure with a code that is none': (id) =>
    frame(FrameType.failure, id, { code: 'E_NOT_OURS', what: '', next: '' }),
  'a call': (id) => frame(FrameType.endpoints, id, null),
  'an event of another shape': () => frame(FrameType.event, 0, { at: 1, kind: 'exploded' }),
}
for (const [name, lie] of Object.entries(lies)) {
  test(`the core ends the pipe, with one error for all that wait: ${name}`, async (t) => {
    const waiting: number[] = []
    const { core, lost } = asked(({ id }, broker) => {
      if (waiting.push(id) === 2) broker.write(lie(id))
    })
    const calls = await Promise.allSettled([core.endpoints(), core.endpoints()])
    for (const call of calls) t.is(call.status === 'rejected' && call.reason.code, 'E_FIREWALL_BROKEN')
    t.is((await lost).code, 'E_FIREWALL_BROKEN')
    await t.throwsAsync(core.endpoints(), { code: 'E_FIREWALL_BROKEN' })
  })
}

test('the broker goes: all that wait ends, and so does what comes later', async (t) => {
  const { core, lost } = asked((_, broker) => broker.destroy())
  await t.throwsAsync(core.endpoints(), { code: 'E_FIREWALL_GONE' })
  t.is((await lost).code, 'E_FIREWALL_GONE')
  await t.throwsAsync(core.endpoints(), { code: 'E_FIREWALL_GONE' })
})

test('our own close ends what waits, and is no loss', async (t) => {
  const { core, lost } = asked(() => {})
  const call = core.endpoints()
  core.close()
  await t.throwsAsync(call, { code: 'E_FIREWALL_GONE' })
  t.is(await Promise.race([lost, settle().then(() => 'not lost')]), 'not lost')
})

test('the core keeps within PipeLimits.outstanding by itself, and gives up what is in line at once', async (t) => {
  const open: number[] = []
  let most = 0
  const { core, broker } = asked(({ type, id }) => {
    if (type === FrameType.endpoints) most = Math.max(most, open.push(id))
  })
  const calls = Array.from({ length: 200 }, () => core.endpoints())
  const permit = asked(({ id }, other) => other.write(frame(FrameType.result, id, info)))
  t.is((await permit.core.permit('e1')).endpoint.id, 'e1')
  while (open.length > 0) {
    for (const id of open.splice(0)) broker.write(frame(FrameType.result, id, [info]))
    await settle(2)
  }
  await Promise.all(calls)
  t.is(most, PipeLimits.outstanding)
})

test('a call given up is told to the broker once, and its late answer is nobody’s', async (t) => {
  const got: { type: number; id: number }[] = []
  const { core, broker } = asked((call, other) => {
    got.push(call)
    if (call.type === FrameType.permit) other.write(frame(FrameType.result, call.id, info))
  })
  const permit = await core.permit('e1')
  const controller = new AbortController()
  const request = { method: 'GET', target: '/', headers: [], body: undefined } as const
  const call = permit.exchange(request, { family: 'node', timeoutMs: 1000, signal: controller.signal })
  await settle()
  controller.abort()
  await t.throwsAsync(call, { code: 'E_PATH_CLOSED' })
  await settle()
  t.deepEqual(
    got.map(({ type }) => type),
    [FrameType.permit, FrameType.exchange, FrameType.cancel],
  )
  t.is(got[2]!.id, got[1]!.id)
  broker.write(frame(FrameType.result, got[1]!.id, { status: 200, headers: [] }))
  await settle()
  t.is((await core.permit('e1')).endpoint.id, 'e1', 'the pipe goes on')
})
