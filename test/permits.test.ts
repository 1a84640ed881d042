/**
 * The firewall cannot be cut out: what it keeps is what a handshake is computed from. A client without it, or with something
 * else in its place, gets the website, whatever the rest of it does.
 */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import test from 'ava'
import { randomBytes } from '#protocol/crypto/random.ts'
import { x25519PublicKey } from '#protocol/crypto/x25519.ts'
import { deriveCohort } from '#protocol/recognition.ts'
import type { PermitKeys, TestGateway } from './helpers/pair.ts'
import { openTunnel, ownKeys, startGateway, testPermit } from './helpers/pair.ts'

let gateway: TestGateway
test.before(async () => {
  gateway = await startGateway([{ unary: { 'test.echo': (args) => args }, subscribe: {} }])
})
test.after.always(() => gateway.stop())

const random32 = (): Uint8Array => randomBytes(32)
const credential = (id: Uint8Array, key: Uint8Array): PermitKeys['membership'] => ({
  ...{ kind: 'credential', credentialId: id, credentialKey: key },
})
const { credentialId } = ownKeys.membership

/** What a stub could put where the broker's secrets are. The core knows none of them. */
const stubs: Readonly<Record<string, Partial<PermitKeys>>> = {
  'another pinned key': { gatewayKey: x25519PublicKey(random32()) },
  'another cohort': { cohort: deriveCohort(random32()) },
  'another credential': { membership: credential(randomBytes(16), random32()) },
  'the right name of a credential, and another key': { membership: credential(credentialId, random32()) },
  'a code that was never given out': {
    membership: { kind: 'redeem', code: randomBytes(16), credentialId, credentialKey: random32() },
  },
  'nothing right': {
    gatewayKey: x25519PublicKey(random32()),
    cohort: deriveCohort(random32()),
    membership: credential(randomBytes(16), random32()),
  },
}

test('with what the broker holds, the handshake succeeds', async (t) => {
  const tunnel = openTunnel(gateway.port, { permit: testPermit(gateway.port, ownKeys) })
  t.teardown(() => tunnel.stop())
  t.deepEqual(await tunnel.call('test.echo', { a: 1 }), { a: 1 })
})

for (const [what, stub] of Object.entries(stubs)) {
  test(`a stub in the firewall’s place, with ${what}: the website answers, and there is no session`, async (t) => {
    const tunnel = openTunnel(gateway.port, { permit: testPermit(gateway.port, { ...ownKeys, ...stub }) })
    t.teardown(() => tunnel.stop())
    const failed = new Promise<string>((resolve) =>
      tunnel.onChange(({ state }) => {
        if (state.kind === 'failing') resolve(state.code)
      }),
    )
    t.is(await failed, 'E_NOT_RECOGNISED')
    await t.throwsAsync(tunnel.session(1), { code: 'E_NOT_RECOGNISED' })
    t.true(gateway.sessions.count <= 1, 'the one with everything right')
  })
}

test('the core started without the firewall does nothing', async (t) => {
  const main = join(import.meta.dirname, '..', 'client', 'main.ts')
  for (const args of [['status'], ['chat', '--json'], ['card']]) {
    const core = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
    const [out, err] = await Promise.all([text(core.stdout), text(core.stderr)])
    t.is(out, '')
    t.regex(err, /E_FIREWALL_GONE/)
  }
})
