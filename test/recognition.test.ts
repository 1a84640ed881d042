/** A whole gateway, asked by members and by everybody else: who is not recognised gets what anyone gets, byte for byte. */
import test from 'ava'
import type { CompiledTemplate } from '#engine/compile.ts'
import type { HttpRequest } from '#engine/template.ts'
import { hex } from '#protocol/bytes.ts'
import { BUCKET_MS } from '#protocol/constants.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import type { FirstContact } from '#protocol/handshake.ts'
import { initiate } from '#protocol/handshake.ts'
import { aeads } from '#protocol/parcel.ts'
import type { CohortKeys } from '#protocol/recognition.ts'
import { requestBinding } from '#protocol/recognition.ts'
import { ClientSession } from '#protocol/session/client-session.ts'
import { compileBuiltins } from '../camouflage-templates/builtin.ts'
import { prng } from './helpers/prng.ts'
import { ask, comparable } from './helpers/raw-http.ts'
import type { RealGateway } from './helpers/real-gateway.ts'
import { startRealGateway } from './helpers/real-gateway.ts'

const templates = compileBuiltins()

interface Contact {
  readonly contact: FirstContact
  readonly request: HttpRequest
  readonly encode: (token: Uint8Array, parcel: Uint8Array) => HttpRequest
}

function firstContact(
  gateway: RealGateway,
  template: CompiledTemplate,
  invite: { code: Uint8Array; cohort: CohortKeys },
  change: { now?: number } = {},
): Contact {
  const shape = template.shape('send')
  const contact = initiate({
    gatewayKey: gateway.state.gatewayKey,
    cohort: invite.cohort,
    hello: Uint8Array.of(1),
    membership: { kind: 'redeem', code: invite.code, credentialId: randomBytes(16), credentialKey: randomBytes(32) },
    binding: requestBinding(shape.binding),
    length: shape.up.fit(320),
    now: Date.now(),
    random: randomBytes,
    ...change,
  })
  // The same draw of everything around token and parcel, so that only they differ between two requests.
  const seed = 5
  const encode = (token: Uint8Array, parcel: Uint8Array): HttpRequest =>
    shape.encodeRequest({ token, parcel, host: `localhost:${gateway.port}`, random: prng(seed).bytes })
  return { contact, request: encode(contact.token, contact.parcel), encode }
}

const flip = (bytes: Uint8Array, at: number): Uint8Array =>
  bytes.map((octet, i) => (i === at ? octet ^ (1 << (at % 8)) : octet))

for (const template of templates) {
  test(`${template.id}: any flipped octet of a first contact is a stranger's, and gets what strangers get`, async (t) => {
    const gateway = await startRealGateway()
    const invite = await gateway.invite()
    const { contact, encode, request } = firstContact(gateway, template, invite)
    const stranger = comparable(await ask(gateway.port, encode(randomBytes(16), randomBytes(contact.parcel.length))))
    for (let at = 0; at < contact.token.length; at++) {
      t.deepEqual(comparable(await ask(gateway.port, encode(flip(contact.token, at), contact.parcel))), stranger)
    }
    for (let at = 0; at < contact.parcel.length; at++) {
      t.deepEqual(comparable(await ask(gateway.port, encode(contact.token, flip(contact.parcel, at)))), stranger)
    }
    t.is(gateway.running.sessions.count, 0)
    const answer = await ask(gateway.port, request)
    const parcel = template.shape('send').decodeResponse(answer)
    t.truthy(parcel && contact.finish(parcel), 'unflipped, it is recognised')
    t.is(gateway.running.sessions.count, 1)
    for (let at = 0; at < contact.parcel.length; at += 7) {
      const flipped = await ask(gateway.port, encode(contact.token, flip(contact.parcel, at)))
      t.deepEqual(comparable(flipped), stranger, `octet ${at}, while the answer is kept for retries`)
    }
    await gateway.stop()
  })
}

test('a first contact again: the same answer at once, and no second session', async (t) => {
  const gateway = await startRealGateway()
  const { request } = firstContact(gateway, templates[0]!, await gateway.invite())
  const [a, b] = await Promise.all([ask(gateway.port, request), ask(gateway.port, request)])
  t.deepEqual(comparable(a), comparable(b))
  t.deepEqual(comparable(await ask(gateway.port, request)), comparable(a))
  t.is(gateway.running.sessions.count, 1)
  await gateway.stop()
})

test('a first contact that was answered is a stranger’s once the gateway has started anew', async (t) => {
  const gateway = await startRealGateway()
  const template = templates[0]!
  const { contact, request, encode } = firstContact(gateway, template, await gateway.invite())
  const stranger = comparable(await ask(gateway.port, encode(randomBytes(16), randomBytes(contact.parcel.length))))
  const answer = await ask(gateway.port, request)
  t.truthy(contact.finish(template.shape('send').decodeResponse(answer)!))
  await gateway.restart()
  t.deepEqual(comparable(await ask(gateway.port, request)), stranger)
  t.is(gateway.running.sessions.count, 0)
  t.deepEqual(gateway.log, [])
  await gateway.stop()
})

test('a code redeemed by somebody else, a revoked invite, a clock off by hours: the website answers', async (t) => {
  const gateway = await startRealGateway()
  const template = templates[0]!
  const shape = template.shape('send')
  const invite = await gateway.invite()
  const accepted = async (contact: Contact): Promise<boolean> =>
    shape.decodeResponse(await ask(gateway.port, contact.request)) !== undefined
  const off = firstContact(gateway, template, invite, { now: Date.now() - 3 * BUCKET_MS })
  t.false(await accepted(off), 'a token of long ago')
  t.true(await accepted(firstContact(gateway, template, invite)))
  t.false(await accepted(firstContact(gateway, template, invite)), 'another credential for the same code')
  const revoked = await gateway.invite()
  await gateway.state.members.revoke(revoked.id)
  t.false(await accepted(firstContact(gateway, template, revoked)))
  await gateway.stop()
})

test('in a session: flipped, replayed late, or on another path, an exchange is a stranger’s', async (t) => {
  const gateway = await startRealGateway()
  const template = templates.find(({ id }) => id === 'support-chat')!
  const shape = template.shape('send')
  const { contact, request } = firstContact(gateway, template, await gateway.invite())
  const done = contact.finish(shape.decodeResponse(await ask(gateway.port, request))!)!
  const session = new ClientSession({
    root: done.keys.root,
    aead: aeads[done.reply[0] ?? -1]!,
    now: Date.now(),
    random: randomBytes,
    events: {},
  })
  session.renew()
  const encode = (token: Uint8Array, parcel: Uint8Array, at = shape): HttpRequest =>
    at.encodeRequest({ token, parcel, host: `localhost:${gateway.port}`, random: prng(6).bytes })
  const first = session.take(shape.up.fit(768), undefined, requestBinding(shape.binding))
  const stranger = comparable(await ask(gateway.port, encode(randomBytes(16), randomBytes(first.parcel.length))))
  for (let at = 0; at < first.token.length; at++) {
    t.deepEqual(comparable(await ask(gateway.port, encode(flip(first.token, at), first.parcel))), stranger)
  }
  for (let at = 0; at < first.parcel.length; at++) {
    t.deepEqual(comparable(await ask(gateway.port, encode(first.token, flip(first.parcel, at)))), stranger)
  }
  const answer = await ask(gateway.port, encode(first.token, first.parcel))
  const again = await ask(gateway.port, encode(first.token, first.parcel))
  t.deepEqual(comparable(again), comparable(answer), 'a retry gets the identical answer')
  t.true(session.receive(Date.now(), first.number, shape.decodeResponse(answer)!))
  const second = session.take(shape.up.fit(768), undefined, requestBinding(shape.binding))
  const next = await ask(gateway.port, encode(second.token, second.parcel))
  t.true(session.receive(Date.now(), second.number, shape.decodeResponse(next)!))
  t.deepEqual(comparable(await ask(gateway.port, encode(first.token, first.parcel))), stranger, 'acknowledged: no more')
  await gateway.stop()
})

test('no token and no parcel repeats a value between two runs', async (t) => {
  const runs: Set<string>[] = []
  for (let run = 0; run < 2; run++) {
    const gateway = await startRealGateway()
    const seen = new Set<string>()
    for (const template of templates) {
      const shape = template.shape('send')
      const { contact, request } = firstContact(gateway, template, await gateway.invite())
      const parcel = shape.decodeResponse(await ask(gateway.port, request))!
      for (const bytes of [contact.token, contact.parcel, parcel]) {
        for (let at = 0; at + 8 <= bytes.length; at += 8) seen.add(hex(bytes.subarray(at, at + 8)))
      }
    }
    runs.push(seen)
    await gateway.stop()
  }
  t.true(runs[0]!.size > 100)
  t.deepEqual(
    [...runs[0]!].filter((value) => runs[1]!.has(value)),
    [],
  )
})
