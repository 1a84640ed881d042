import test from 'ava'
import { readVectors } from '#test/helpers/vectors.ts'
import { fromHex, hex } from './bytes.ts'
import { chacha20poly1305 } from './crypto/aead.ts'
import { x25519PublicKey } from './crypto/x25519.ts'
import { initiate, respond } from './noise.ts'

interface Vector {
  protocol_name: string
  init_prologue: string
  init_psks?: string[]
  init_ephemeral: string
  init_remote_static: string
  resp_static: string
  resp_ephemeral: string
  handshake_hash: string
  messages: { payload: string; ciphertext: string }[]
}

const bytes = (text: string): Uint8Array => fromHex(text)!

function check(t: { is(a: unknown, b: unknown): void }, vector: Vector): void {
  const psk = vector.init_psks?.[0]
  const shared = { prologue: bytes(vector.init_prologue), ...(psk === undefined ? {} : { psk: bytes(psk) }) }
  const [first, second, ...rest] = vector.messages
  const client = initiate({
    ...shared,
    responderStatic: bytes(vector.init_remote_static),
    ephemeral: bytes(vector.init_ephemeral),
    payload: () => bytes(first!.payload),
  })!
  t.is(hex(client.message), first!.ciphertext)
  const gateway = respond({ ...shared, staticSecret: bytes(vector.resp_static), message: client.message })!
  t.is(hex(gateway.payload), first!.payload)
  const answer = gateway.answer(bytes(vector.resp_ephemeral), bytes(second!.payload))
  t.is(hex(answer.message), second!.ciphertext)
  const done = client.finish(answer.message)!
  t.is(hex(done.payload), second!.payload)
  t.is(hex(done.hash), vector.handshake_hash)
  t.is(hex(answer.hash), vector.handshake_hash)
  for (const [index, { payload, ciphertext }] of rest.entries()) {
    const key = index % 2 === 0 ? done.initiatorKey : done.responderKey
    const nonce = new Uint8Array(12)
    nonce[4] = index >> 1
    t.is(hex(chacha20poly1305.seal(key, nonce, bytes(payload))), ciphertext)
  }
}

test('NK and NKpsk0 reproduce the published vectors', (t) => {
  const file = readVectors('noise/cacophony.txt') as { vectors: Vector[] } | undefined
  if (file === undefined) {
    t.log('the folder of published vectors is absent')
    t.pass()
    return
  }
  const ours = file.vectors.filter(({ protocol_name }) =>
    /^Noise_NK(psk0)?_25519_ChaChaPoly_SHA256$/.test(protocol_name),
  )
  t.is(ours.length, 2)
  for (const vector of ours) check(t, vector)
})

test('every flipped bit of either message is refused', (t) => {
  const secret = new Uint8Array(32).fill(7)
  const shared = { prologue: new Uint8Array(3), psk: new Uint8Array(32).fill(9) }
  const started = (): NonNullable<ReturnType<typeof initiate>> =>
    initiate({
      ...shared,
      responderStatic: x25519PublicKey(secret),
      ephemeral: new Uint8Array(32).fill(3),
      payload: () => new Uint8Array(20),
    })!
  const { message } = started()
  for (let at = 0; at < message.length; at++) {
    const altered = message.slice()
    altered[at]! ^= 1 << (at % 8)
    t.is(respond({ ...shared, staticSecret: secret, message: altered }), undefined, `first message, octet ${at}`)
  }
  const answer = respond({ ...shared, staticSecret: secret, message })!.answer(
    new Uint8Array(32).fill(5),
    new Uint8Array(9),
  )
  for (let at = 0; at < answer.message.length; at++) {
    const altered = answer.message.slice()
    altered[at]! ^= 1 << (at % 8)
    t.is(started().finish(altered), undefined, `second message, octet ${at}`)
  }
  for (let length = 0; length < message.length; length++) {
    t.is(respond({ ...shared, staticSecret: secret, message: message.subarray(0, length) }), undefined)
  }
})
