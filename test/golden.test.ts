/**
 * Golden vectors of our own wire: everything here is a function of the seed, and must stay the same octets for as long as
 * the protocol's version does. `SOTTO_GOLDEN=write` makes the file anew.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import test from 'ava'
import { hex, latin1 } from '#protocol/bytes.ts'
import { PROTOCOL_VERSION } from '#protocol/constants.ts'
import { aes256gcm, chacha20poly1305 } from '#protocol/crypto/aead.ts'
import { x25519PublicKey } from '#protocol/crypto/x25519.ts'
import { initiate, openFirstContact } from '#protocol/handshake.ts'
import { encodeInvite } from '#protocol/invite.ts'
import { bucketOf, deriveCohort, maskKeyOf, requestBinding, slotTag } from '#protocol/recognition.ts'
import { encodeMessage } from '#protocol/services/codec.ts'
import { ClientSession } from '#protocol/session/client-session.ts'
import { GatewaySession } from '#protocol/session/gateway-session.ts'
import { Priority } from '#protocol/session/stream.ts'
import { TokenTable } from '#protocol/session/token-table.ts'
import { prng } from './helpers/prng.ts'

const file = new URL('fixtures/golden.json', import.meta.url)
const NOW = 1_700_000_000_000

function firstContact(): { vector: Record<string, unknown>; root: Uint8Array } {
  const { bytes } = prng(1)
  const gatewaySecret = bytes(32)
  const secret = bytes(32)
  const cohort = deriveCohort(secret)
  const membership = { kind: 'credential', credentialId: bytes(16), credentialKey: bytes(32) } as const
  const gatewayKey = x25519PublicKey(gatewaySecret)
  const hello = Uint8Array.of(1)
  const client = initiate({ gatewayKey, cohort, hello, membership, binding, length: 320, now: NOW, random: bytes })
  const opened = openFirstContact({ gatewaySecret, cohort, binding, ...client })!
  const answer = opened.answer({ reply: Uint8Array.of(1), length: 128, random: bytes })
  const root = client.finish(answer.parcel)!.keys.root
  return {
    root,
    vector: {
      cohort_secret: hex(secret),
      slot_0_tag: hex(slotTag(cohort, bucketOf(NOW), 0)),
      mask_key: hex(maskKeyOf(gatewayKey)),
      gateway_secret: hex(gatewaySecret),
      binding: hex(binding),
      token: hex(client.token),
      request: hex(client.parcel),
      answer: hex(answer.parcel),
      root: hex(root),
    },
  }
}

const binding = requestBinding('golden 1')

/** Exchanges of a young session: classical, key agreement, hybrid. */
async function session(root: Uint8Array, suite: typeof aes256gcm): Promise<unknown[]> {
  const client = new ClientSession({ root: root.slice(), aead: suite, now: NOW, random: prng(2).bytes, events: {} })
  const tokens = new TokenTable()
  const gateway = new GatewaySession({
    root: root.slice(),
    aead: suite,
    now: NOW,
    random: prng(3).bytes,
    tokens,
    noise: () => undefined,
    events: {},
  })
  client.renew()
  const exchanges: unknown[] = []
  for (let i = 0; i < 3; i++) {
    if (client.mux.ready) client.mux.open(Priority.urgent).write(encodeMessage({ m: 'golden', a: i }))
    const request = client.take(i === 0 ? 1_400 : 128, { hold: 6_000 }, binding)
    gateway.receive(NOW, tokens.find(latin1(request.token))!, request.parcel, binding)
    const answer = gateway.answer(request.number, i === 0 ? 1_400 : 128, binding)
    client.receive(NOW, request.number, answer)
    exchanges.push({
      hybrid: client.mux.ready,
      number: request.number,
      token: hex(request.token),
      request: hex(request.parcel),
      answer: hex(answer),
    })
    // The client's half of the agreement settles between two exchanges.
    await new Promise((resolve) => setImmediate(resolve))
  }
  return exchanges
}

async function golden(): Promise<unknown> {
  const { vector, root } = firstContact()
  const { bytes } = prng(4)
  return {
    version: PROTOCOL_VERSION,
    now: NOW,
    first_contact: vector,
    session_chacha20poly1305: await session(root, chacha20poly1305),
    session_aes256gcm: await session(root, aes256gcm),
    invite: encodeInvite({
      name: 'Golden',
      gateways: [{ host: 'golden.example', port: 443, addresses: ['192.0.2.1'], key: bytes(32), cohort: bytes(32) }],
      code: bytes(16),
      template: 'support-chat',
      expires: 1_800_000_000,
      root: bytes(32),
    }),
  }
}

test('the wire is what it was', async (t) => {
  const now = JSON.parse(JSON.stringify(await golden()))
  if (process.env.SOTTO_GOLDEN === 'write') writeFileSync(file, `${JSON.stringify(now, null, 2)}\n`)
  t.true(existsSync(file))
  t.deepEqual(now, JSON.parse(readFileSync(file, 'utf8')))
  t.deepEqual(
    now.session_aes256gcm.map(({ hybrid }: { hybrid: boolean }) => hybrid),
    [false, true, true],
  )
})
