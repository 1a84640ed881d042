/** The flow meter in the broker: gateways on real sockets that misbehave, over the pipe and in one process. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { duplexPair } from 'node:stream'
import type { ExecutionContext } from 'ava'
import test from 'ava'
import { concat, utf8 } from '#protocol/bytes.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import type { SottoError } from '#protocol/errors.ts'
import { serveBroker } from './broker.ts'
import { connectBroker } from './core-side.ts'
import { tlsConnector } from './dialers/tls-connector.ts'
import { undiciDialer } from './dialers/undici.ts'
import type { TestGateway } from './fixtures/gateway.ts'
import { BINDING, PROLOGUE, startGateway } from './fixtures/gateway.ts'
import { temporaryFolder } from './fixtures/temporary.ts'
import { openBroker } from './library.ts'
import type { LocalBroker } from './local-broker.ts'
import { MeterLimits } from './meter-limits.ts'
import { leaveWord } from './metering.ts'
import type { Broker, FirewallEvent, Permit } from './permit.ts'

let gateway: TestGateway
test.before(async () => {
  gateway = await startGateway()
})
test.after.always(() => gateway.close())

/** A broker whose clock stands still but for the waits of the meter. */
class Rig {
  now = Date.now()
  readonly waits: number[] = []
  readonly events: FirewallEvent[] = []
  readonly folder: string
  local!: LocalBroker
  private readonly t: ExecutionContext

  constructor(t: ExecutionContext, folder: string) {
    this.t = t
    this.folder = folder
  }

  async open(): Promise<this> {
    const connector = tlsConnector({ resolve: async () => [] })
    this.local = await openBroker({
      ...{ folder: this.folder, dialers: [undiciDialer({ connector })], now: () => this.now, random: randomBytes },
      wait: async (ms) => {
        this.waits.push(ms)
        this.now += ms
      },
    })
    this.t.teardown(() => this.local.close())
    this.local.onEvent((event) => this.events.push(event))
    return this
  }

  found(): string[] {
    const kinds = new Set(['throttled', 'cut', 'eased', 'allowed'])
    return this.events.filter(({ kind }) => kinds.has(kind)).map(({ kind, reason }) => `${kind} ${reason ?? ''}`.trim())
  }
}

const rigged = async (t: ExecutionContext): Promise<Rig> => new Rig(t, await temporaryFolder(t)).open()

function overPipe(t: ExecutionContext, local: LocalBroker): Broker {
  const [near, far] = duplexPair()
  const server = serveBroker(local, far, () => {})
  t.teardown(() => server.close())
  return connectBroker(near, () => {})
}

const ways = { 'in one process': (_: ExecutionContext, local: LocalBroker): Broker => local, 'over the pipe': overPipe }

const get = (permit: Permit, target: string) =>
  permit.exchange({ method: 'GET', target, headers: [], body: undefined }, { family: 'node', timeoutMs: 110_000 })
const post = (permit: Permit, target: string, body: Uint8Array) =>
  permit.exchange({ method: 'POST', target, headers: [], body }, { family: 'node', timeoutMs: 110_000 })

/** Asks and judges, until it is refused; the error's code, and how often it went. */
async function untilRefused(permit: Permit, once: () => Promise<unknown>): Promise<{ code: string; times: number }> {
  for (let times = 0; times < 2_000; times++) {
    try {
      await once()
    } catch (error) {
      const { code } = error as SottoError
      if (code.startsWith('E_FIREWALL')) return { code, times }
    }
  }
  return { code: `never: ${permit.endpoint.name}`, times: 2_000 }
}

async function contact(permit: Permit): Promise<unknown> {
  const first = await permit.firstContact({ hello: utf8('hello'), binding: BINDING, length: 320, now: Date.now() })
  const answer = await post(permit, '/contact', concat(first.token, first.parcel))
  return first.finish(answer.body)
}

const foreign = (target: string) => async (permit: Permit) => permit.judge(await get(permit, target), false)
const hostile: Readonly<Record<string, (permit: Permit) => Promise<unknown>>> = {
  redirects: foreign('/redirect'),
  malformed: (permit) => get(permit, '/not-http'),
  headers: foreign('/stuffed'),
  'foreign-down': foreign('/page'),
  foreign: foreign('/x'),
  clock: foreign('/clock'),
}

for (const [way, reach] of Object.entries(ways)) {
  for (const [reason, once] of Object.entries(hostile)) {
    test(`${way}: a gateway that misbehaves is slowed down, then cut off (${reason})`, async (t) => {
      const rig = await rigged(t)
      const broker = reach(t, rig.local)
      const [info] = await rig.local.admitInvite(gateway.link)
      const permit = await broker.permit(info!.id)
      const { code } = await untilRefused(permit, () => once(permit))
      t.is(code, 'E_FIREWALL_CUT')
      t.deepEqual(rig.found(), [`throttled ${reason}`, `cut ${reason}`])
      t.true(rig.waits.length > 0 && rig.waits.every((ms) => ms <= MeterLimits.spacingMs))
      t.like((await broker.endpoints())[0]!.flow, { condition: 'cut', reason })
      rig.now += MeterLimits.cutMs
      t.is((await get(permit, '/x')).status, 200, 'it is tried again by itself')
    })
  }

  test(`${way}: first contacts without end`, async (t) => {
    const rig = await rigged(t)
    const [info] = await rig.local.admitInvite(gateway.link)
    const permit = await reach(t, rig.local).permit(info!.id)
    await contact(permit)
    const { code } = await untilRefused(permit, () => contact(permit))
    t.is(code, 'E_FIREWALL_CUT')
    t.deepEqual(rig.found(), ['throttled contacts', 'cut contacts'])
  })

  test(`${way}: renewing keys proves the gateway, what the core says does not`, async (t) => {
    const rig = await rigged(t)
    const [info] = await rig.local.admitInvite(gateway.link)
    const permit = await reach(t, rig.local).permit(info!.id)
    t.false(rig.local.view(info!.id)!.proven)
    permit.judge(await get(permit, '/x'), true)
    await get(permit, '/x')
    t.false(rig.local.view(info!.id)!.proven)
    const rekey = await permit.rekey({ prologue: PROLOGUE })
    await rekey.finish((await post(permit, '/rekey', rekey.first)).body)
    t.true(rig.local.view(info!.id)!.proven)
    rig.now += MeterLimits.provenMs + 1
    t.false(rig.local.view(info!.id)!.proven)
  })
}

/** Cut off, for answers that are another's. */
async function cut(rig: Rig): Promise<{ permit: Permit; id: string }> {
  const [info] = await rig.local.admitInvite(gateway.link)
  const permit = await rig.local.permit(info!.id)
  await untilRefused(permit, () => hostile.redirects!(permit))
  return { permit, id: info!.id }
}

test('a cut outlasts the program; the file shows nothing, and one that was changed is refused', async (t) => {
  const rig = await rigged(t)
  const { id } = await cut(rig)
  await rig.local.close()
  const path = join(rig.folder, 'meter')
  const file = await readFile(path)
  t.false(file.includes(id))
  t.false(file.includes('redirects'))
  const again = await new Rig(t, rig.folder).open()
  const error = await t.throwsAsync<SottoError>(get(await again.local.permit(id), '/x'))
  t.is(error.code, 'E_FIREWALL_CUT')
  t.regex(error.message, /^The firewall has cut off Test for \d+ more minutes: it tried to send the client/)
  t.is(again.local.view(id)?.condition, 'cut')
  await again.local.close()
  const changed = await readFile(path)
  changed[40]! ^= 1
  await writeFile(path, changed)
  await t.throwsAsync(new Rig(t, rig.folder).open(), { code: 'E_STATE_UNREADABLE' })
  t.deepEqual(await readFile(path), changed, 'left as it was')
})

test('the person lifts it at once, also from another process', async (t) => {
  const rig = await rigged(t)
  const { permit, id } = await cut(rig)
  rig.local.allow(id)
  t.is((await get(permit, '/x')).status, 200)
  await untilRefused(permit, () => hostile.redirects!(permit))
  await leaveWord(rig.folder, 'another')
  rig.now += 2_000
  await t.throwsAsync(get(permit, '/x'), { code: 'E_FIREWALL_CUT' })
  await leaveWord(rig.folder, id)
  rig.now += 2_000
  t.is((await get(permit, '/x')).status, 200)
  t.deepEqual(rig.found(), [
    ...['throttled redirects', 'cut redirects', 'allowed'],
    ...['throttled redirects', 'cut redirects', 'allowed'],
  ])
})

test('what is cut loses its connections, and what is under way on them', async (t) => {
  const rig = await rigged(t)
  const [info] = await rig.local.admitInvite(gateway.link)
  const permit = await rig.local.permit(info!.id)
  const parked = t.throwsAsync(get(permit, '/silent'), { code: 'E_PATH_CLOSED' })
  await untilRefused(permit, () => hostile.redirects!(permit))
  await parked
})

test('one endpoint that is cut is no other’s trouble', async (t) => {
  const rig = await rigged(t)
  await cut(rig)
  const other = await startGateway()
  t.teardown(() => other.close())
  const [info] = await rig.local.admitInvite(other.link)
  t.is((await get(await rig.local.permit(info!.id), '/x')).status, 200)
})
