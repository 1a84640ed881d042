/** A member whose network only lets them out through a proxy: the commands, a whole conversation's way, and what is said where it fails. */
import type { ExecutionContext } from 'ava'
import test from 'ava'
import { startSocksProxy } from '#firewall/fixtures/proxies.ts'
import { jsonLines, member, SharedOwner, startMember } from './helpers/command.ts'
import type { GatewayProcess } from './helpers/command-gateway.ts'
import { joined, startedGateway, succeed } from './helpers/command-gateway.ts'

const PASSWORD = 'correct horse'

// The tests go one after another: they change the ways of one member.
const shared = new SharedOwner()
let gateway: GatewayProcess
let state: string

test.before(async () => {
  gateway = await startedGateway(shared)
  state = await joined(shared, gateway, 'Anna')
})
test.after.always(() => shared.end())

test.serial('a proxy is set, shown, used, and named where it fails; nothing goes around it', async (t) => {
  const proxy = await startSocksProxy({ places: { localhost: '127.0.0.1' }, credentials: `anna:${PASSWORD}` })
  t.teardown(() => proxy.close())
  const address = `socks5://127.0.0.1:${proxy.port}`

  const secret = await member(t, state, ['proxy', 'set', `socks5://anna:${PASSWORD}@127.0.0.1:${proxy.port}`, '--json'])
  t.is(secret.status, 2)
  t.regex(secret.err, /E_SECRET_IN_ARGV/)
  t.false(secret.err.includes(PASSWORD))
  t.deepEqual(jsonLines(await succeed(member(t, state, ['proxy', '--json']))), [{ proxy: null }])

  const set = ['proxy', 'set', address, '--credentials', '--json']
  const shown = { kind: 'socks5', host: '127.0.0.1', port: proxy.port, hasCredentials: true }
  t.deepEqual(jsonLines(await succeed(member(t, state, set, `anna:${PASSWORD}\n`))), [{ proxy: shown }])
  const status = jsonLines(await succeed(member(t, state, ['status', '--json'])))[0] as Record<string, never>
  t.like(status, { state: { kind: 'ready' }, ways: { proxy: shown } } as object)
  t.deepEqual(new Set(proxy.asked), new Set([`localhost:${gateway.port}`]), 'the name, not an address found here')
  t.regex(await succeed(member(t, state, ['status'])), /through the socks5 proxy at 127\.0\.0\.1/)

  // Without credentials it refuses: told by its own code, though the gateway is a neighbour on this machine.
  await succeed(member(t, state, ['proxy', 'set', address]))
  await failsWith(t, [], 'E_PROXY_AUTH')

  await succeed(member(t, state, ['proxy', 'clear']))
  t.is((await member(t, state, ['card'])).status, 0)
})

test.serial('IPv6 only: the gateway has none, and that is what is said', async (t) => {
  const why = await failsWith(t, ['--ipv6-only'], 'E_PATH_DNS')
  t.regex(why, /IPv6/)
})

/** Waits until `sotto status` says so; the reason in words. */
async function failsWith(t: ExecutionContext, options: readonly string[], code: string): Promise<string> {
  const watch = startMember(t, state, ['status', '--watch', '--json', ...options])
  const stateOf = (value: Record<string, unknown>) => value.state as { kind: string; code?: string; reason?: string }
  const failing = await watch.told((value) => stateOf(value).kind === 'failing', 'a failing path')
  t.is(stateOf(failing).code, code)
  watch.child.kill('SIGTERM')
  await watch.ended
  return stateOf(failing).reason ?? ''
}
