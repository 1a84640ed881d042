import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { ExecutionContext } from 'ava'
import test from 'ava'
import { ed25519PublicKey } from '#protocol/crypto/ed25519.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import { sealGatewayList } from '#protocol/gateway-list.ts'
import { firewallCommands } from './commands.ts'
import { tlsConnector } from './dialers/tls-connector.ts'
import { undiciDialer } from './dialers/undici.ts'
import type { TestGateway } from './fixtures/gateway.ts'
import { startGateway } from './fixtures/gateway.ts'
import { temporaryFolder } from './fixtures/temporary.ts'
import { openBroker } from './library.ts'
import type { LocalBroker } from './local-broker.ts'
import { isForFirewall } from './options.ts'
import type { Permit } from './permit.ts'

let gateway: TestGateway
test.before(async () => {
  gateway = await startGateway()
})
test.after.always(() => gateway.close())

const open = (folder: string): Promise<LocalBroker> => {
  const connector = tlsConnector({ resolve: async () => [] })
  const dialer = undiciDialer({ connector })
  return openBroker({ folder, dialers: [dialer], now: Date.now, random: randomBytes, wait: async () => {} })
}

class Place {
  readonly state: string
  readonly folder: string

  constructor(state: string) {
    this.state = state
    this.folder = join(state, 'firewall')
  }

  /** With a broker that is closed again. */
  async with<T>(work: (broker: LocalBroker) => Promise<T>): Promise<T> {
    const broker = await open(this.folder)
    try {
      return await work(broker)
    } finally {
      await broker.close()
    }
  }

  async run(...args: string[]): Promise<string> {
    let said = ''
    await firewallCommands({
      args: ['firewall', ...args, '--state', this.state],
      ...{ env: {}, now: Date.now, openBroker: open, stopped: () => AbortSignal.abort() },
      unlock: async () => undefined,
      out: (piece) => {
        said += piece
      },
    })
    return said
  }

  async json(...args: string[]): Promise<Record<string, unknown>[]> {
    const said = await this.run(...args, '--json')
    return said
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line))
  }
}

async function joined(t: ExecutionContext): Promise<{ place: Place; id: string }> {
  const place = new Place(await temporaryFolder(t))
  const [info] = await place.with((broker) => broker.admitInvite(gateway.link))
  return { place, id: info!.id }
}

const get = (permit: Permit, target: string) =>
  permit.exchange({ method: 'GET', target, headers: [], body: undefined }, { family: 'node', timeoutMs: 20_000 })

async function misbehave(broker: LocalBroker, id: string): Promise<void> {
  const permit = await broker.permit(id)
  for (;;) {
    try {
      permit.judge(await get(permit, '/redirect'), false)
    } catch {
      return
    }
  }
}

test('the list shows what may be connected to, who named it, and no secret', async (t) => {
  const { place, id } = await joined(t)
  const [value, ...others] = await place.json('list')
  t.deepEqual(others, [])
  t.like(value, { id, kind: 'gateway', name: 'Test', host: 'gateway.test', addresses: ['127.0.0.1'], source: 'invite' })
  t.is(value!.key, Buffer.from(gateway.key).toString('hex'))
  t.regex(await place.run('list'), /gateway {2}Test \(gateway\.test:\d+\), named by an invite that you opened, open\n$/)
  const all = JSON.stringify(value)
  for (const secret of [gateway.cohort, gateway.code]) t.false(all.includes(Buffer.from(secret).toString('hex')))
  t.regex(await new Place(await temporaryFolder(t)).run('list'), /sotto join/)
})

test('an endpoint is explained, by id, by the beginning of one, by host and by name', async (t) => {
  const { place, id } = await joined(t)
  await place.with((broker) => misbehave(broker, id))
  for (const name of [id, id.slice(0, 5), 'gateway.test', 'Test']) {
    const said = await place.run('explain', name)
    t.regex(said, new RegExp(`^Test: gateway ${id}\n`))
    t.regex(said, /cut off for 10 more min, since .*: it tried to send the client to other sites/)
    t.regex(said, /measured, of what is ordinary: redirects 20\d %/)
    t.regex(said, /slowed down \(redirects\)/)
  }
  const [value] = await place.json('explain', id)
  t.like(value, { id, flow: { condition: 'cut', reason: 'redirects' } })
  t.is((value!.lately as { kind: string }[]).at(-1)!.kind, 'cut')
  await t.throwsAsync(place.run('explain', 'nobody'), { code: 'E_USAGE' })
  await t.throwsAsync(place.run('explain', id.slice(0, 3)), { code: 'E_USAGE' })
})

test('the log reads as text with names, and as it is with --json; the file names nobody', async (t) => {
  const { place, id } = await joined(t)
  await place.with((broker) => broker.permit(id))
  await place.with((broker) => broker.forget(id))
  t.deepEqual(
    (await place.json('log')).map(({ kind, endpoint }) => [kind, endpoint]),
    ['admitted', 'permitted', 'forgotten'].map((kind) => [kind, id]),
  )
  const lines = (await place.run('log')).trim().split('\n')
  t.regex(lines[0]!, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d Test \(gateway\.test\) came on the list by an invite$/)
  t.regex(
    lines[2]!,
    / Test \(gateway\.test\) was taken off the list$/,
    'its name is known while it can be brought back',
  )
})

test('the log says who tried to get past, and has the lines of the gate where they belong in time', async (t) => {
  const { place } = await joined(t)
  await place.with(async (broker) => {
    broker.attempted('closed-road', { call: 'https.get', origin: 'node_modules/bad/\u001b[2J.js' })
  })
  await mkdir(join(place.state, 'gate'))
  const line = { kind: 'refused', reason: 'kernel-denied', count: 3 }
  const lines = [1_000, Date.now() + 60_000].map((at) => `${JSON.stringify({ at, ...line })}\n`)
  await writeFile(join(place.state, 'gate', 'audit.log'), lines.join(''))
  const read = await place.json('log')
  t.deepEqual(
    read.map(({ reason }) => reason),
    ['kernel-denied', undefined, 'closed-road', 'kernel-denied'],
  )
  const said = (await place.run('log')).trim().split('\n')
  t.regex(said[0]!, /refused \(kernel-denied\): .* the kernel refused it\. \[3 times\]$/)
  t.regex(said[2]!, /refused \(closed-road\): .* \[https\.get, from node_modules\/bad\/\?\[2J\.js\]$/)
})

test('changes are taken back, the latest first', async (t) => {
  const { place, id } = await joined(t)
  t.regex(await place.run('forget', 'Test'), /Test is off the list/)
  t.deepEqual(await place.json('list'), [])
  t.regex(await place.run('undo'), /On the list again: Test \(gateway\.test\)/)
  t.deepEqual(await place.with(async (broker) => (await get(await broker.permit(id), '/x')).status), 200)
  t.deepEqual(await place.json('undo'), [{ undone: 'admitted', removed: [id], restored: [] }])
  t.deepEqual(await place.json('list'), [])
  await t.throwsAsync(place.run('undo'), { code: 'E_FIREWALL_REFUSED' })
  t.deepEqual(
    (await place.json('log')).map(({ kind }) => kind),
    ['admitted', 'forgotten', 'undone', 'permitted', 'dialed', 'undone', 'refused'],
  )
})

test('a signed list from a file is judged as one from a gateway', async (t) => {
  const seed = randomBytes(32)
  const place = new Place(await temporaryFolder(t))
  await place.with((broker) => broker.admitInvite(gateway.invite({ root: ed25519PublicKey(seed) })))
  const second = Math.floor(Date.now() / 1000)
  const gateways = [{ host: 'second.example', port: 443, addresses: [], key: gateway.key }]
  const list = { version: 1, from: second - 9, until: second + 900, gateways }
  const file = join(place.state, 'list')
  await writeFile(file, sealGatewayList(seed, list))
  t.is(await place.run('add', file), 'On the list now: Test (second.example).\n')
  t.is(await place.run('add', file), 'Nothing new.\n')
  t.deepEqual(
    (await place.json('list')).map(({ source }) => source),
    ['invite', 'list'],
  )
  t.regex(await place.run('undo'), /Off the list again: Test \(second\.example\)/)
  await writeFile(file, sealGatewayList(randomBytes(32), { ...list, version: 2 }))
  await t.throwsAsync(place.run('add', file), { code: 'E_FIREWALL_REFUSED' })
  await t.throwsAsync(place.run('add', '/nowhere'), { code: 'E_USAGE' })
  await writeFile(file, new Uint8Array(9_000))
  await t.throwsAsync(place.run('add', file), { code: 'E_USAGE' })
})

test('while a chat is running: looking goes, what changes the list waits, and allowing reaches it', async (t) => {
  const { place, id } = await joined(t)
  await place.with(async (broker) => {
    await misbehave(broker, id)
    t.is((await place.json('list')).length, 1)
    for (const command of [['undo'], ['forget', id]])
      await t.throwsAsync(place.run(...command), { code: 'E_STATE_BUSY' })
    const permit = await broker.permit(id)
    t.deepEqual(await place.json('allow', id), [{ allowed: id }])
    // The broker looks for it once a second.
    let status = 0
    while (status === 0) status = (await get(permit, '/x').catch(() => ({ status: 0 }))).status
    t.is(status, 200)
  })
  t.true((await place.json('log')).some(({ kind }) => kind === 'allowed'))
})

test('without a chat: allowing lifts what is kept', async (t) => {
  const { place, id } = await joined(t)
  await place.with((broker) => misbehave(broker, id))
  t.is(await place.run('allow', id), 'Test is allowed.\n')
  t.like((await place.json('list'))[0], { flow: { condition: 'open' } })
})

test('the program itself: no core is started, errors are one line of JSON, the log is followed', async (t) => {
  const { place, id } = await joined(t)
  const main = join(import.meta.dirname, 'main.ts')
  const start = (...args: string[]) =>
    spawn(process.execPath, [main, 'firewall', ...args, '--state', place.state, '--json'])
  const wrong = start('explain', 'nobody')
  t.is(JSON.parse(await text(wrong.stderr)).error.code, 'E_USAGE')
  const follow = start('log', '--follow')
  t.teardown(() => follow.kill('SIGKILL'))
  const lines: string[] = []
  const enough = new Promise<void>((resolve) => {
    follow.stdout.on('data', (data) => {
      lines.push(...String(data).trim().split('\n'))
      if (lines.length === 1) void place.with((broker) => broker.permit(id))
      if (lines.length >= 2) resolve()
    })
  })
  await enough
  t.deepEqual(
    lines.map((line) => JSON.parse(line).kind),
    ['admitted', 'permitted'],
  )
  const ended = once(follow, 'exit')
  follow.kill('SIGINT')
  t.deepEqual(await ended, [0, null])
})

test('what is for the firewall', (t) => {
  t.true(isForFirewall(['firewall', 'list']))
  t.false(isForFirewall(['join']))
  t.false(isForFirewall(['send', 'firewall']))
})
