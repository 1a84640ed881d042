/** Published values of Signal's protocol version 3: the same start, ratchet and message keys, byte for byte. */
import test from 'ava'
import { concat, fastEqual, fromHex, hex, utf8 } from '#protocol/bytes.ts'
import { x25519Agree, x25519PublicKey } from '#protocol/crypto/x25519.ts'
import { readVectors } from '#test/helpers/vectors.ts'
import { displayDigits, fingerprintDigest } from './fingerprint.ts'
import {
  decodeFields,
  encodeFields,
  type Field,
  messageKeys,
  pad,
  signalV3,
  startRoot,
  typed,
  unpad,
  untyped,
} from './fixtures/signal-v3.ts'
import { joinAgreements, keyPair } from './keys.ts'
import { type ActiveRatchet, openStep, sealStep, startReceiving, startSending } from './ratchet.ts'

interface Step {
  readonly op: 'sendMessage' | 'receiveMessage'
  readonly smsText?: string
  readonly endSession?: boolean
  readonly expectedCiphertext?: string
  readonly ourBaseKey?: string
  readonly ourEphemeralKey?: string
  readonly ourIdentityKey?: string
  readonly registrationId?: number
  readonly getKeys?: { identityKey: string; devices: Device[] }
  readonly message?: string
  readonly type?: number
  readonly ourPreKey?: string
  readonly ourSignedPreKey?: string
  readonly newEphemeralKey?: string
  readonly expectedSmsText?: string
  readonly expectTerminateSession?: boolean
}

interface Device {
  readonly preKey: { keyId: number; publicKey: string }
  readonly signedPreKey: { keyId: number; publicKey: string }
}

interface Session {
  state: ActiveRatchet
  /** Fields of the first message, for as long as nothing was received. */
  first: [number, Field][] | undefined
}

const bytes = (text: string | undefined): Uint8Array => fromHex(text!)!
const now = 0
/** Signal's version 3 knows of none. */
const healing = undefined

/** One person of a vector: sessions by base key, the newest last. */
class Person {
  private readonly sessions = new Map<string, Session>()
  private identity: Uint8Array | undefined

  run(step: Step): string {
    if (step.ourIdentityKey !== undefined) this.identity = bytes(step.ourIdentityKey)
    return step.op === 'sendMessage' ? this.send(step) : this.receive(step)
  }

  private contexts(remote: Uint8Array): { sendContext: Uint8Array; receiveContext: Uint8Array } {
    const own = typed(x25519PublicKey(this.identity!))
    return { sendContext: concat(own, typed(remote)), receiveContext: concat(typed(remote), own) }
  }

  private send(step: Step): string {
    if (step.getKeys !== undefined) this.start(step, step.getKeys.devices[0]!, untyped(bytes(step.getKeys.identityKey)))
    const session = [...this.sessions.values()].at(-1)!
    const content: [number, Field] = step.endSession ? [4, 1] : [1, utf8(step.smsText!)]
    const sealed = sealStep(signalV3, session.state, pad(encodeFields([content])))
    session.state = sealed.state
    if (session.first === undefined) return hex(sealed.message)
    const fields = session.first.toSpliced(3, 0, [4, sealed.message])
    return hex(concat(Uint8Array.of(0x33), encodeFields(fields)))
  }

  private start(step: Step, device: Device, identity: Uint8Array): void {
    const base = bytes(step.ourBaseKey)
    const signed = untyped(bytes(device.signedPreKey.publicKey))
    const joined = joinAgreements([
      [this.identity!, signed],
      [base, identity],
      [base, signed],
      [base, untyped(bytes(device.preKey.publicKey))],
    ])
    const own = keyPair(bytes(step.ourEphemeralKey))
    const state = startSending(signalV3, {
      root: startRoot(joined!),
      remote: signed,
      own,
      healing,
      ...this.contexts(identity),
    })
    const basePublic = typed(x25519PublicKey(base))
    const first: [number, Field][] = [
      [1, device.preKey.keyId],
      [2, basePublic],
      [3, typed(x25519PublicKey(this.identity!))],
      [5, step.registrationId!],
      [6, device.signedPreKey.keyId],
    ]
    this.sessions.set(hex(basePublic), { state: state!, first })
  }

  private receive(step: Step): string {
    const message = bytes(step.message)
    const fresh = step.newEphemeralKey === undefined ? new Uint8Array(32).fill(9) : bytes(step.newEphemeralKey)
    const inner = step.type === 3 ? this.acceptFirst(step, decodeFields(message.slice(1))) : message
    for (const session of [...this.sessions.values()].reverse()) {
      const opened = openStep(signalV3, session.state, inner, { random: () => fresh, now })
      if (opened.kind !== 'opened') continue
      session.state = opened.state
      session.first = undefined
      const fields = decodeFields(unpad(opened.plaintext))
      return fields.get(4) === 1 ? 'end of session' : new TextDecoder().decode(fields.get(1) as Uint8Array)
    }
    return 'refused'
  }

  private acceptFirst(step: Step, fields: ReadonlyMap<number, Field>): Uint8Array {
    const [base, identity] = [fields.get(2) as Uint8Array, untyped(fields.get(3) as Uint8Array)]
    if (!this.sessions.has(hex(base))) {
      const signed = bytes(step.ourSignedPreKey)
      const joined = joinAgreements([
        [signed, identity],
        [this.identity!, untyped(base)],
        [signed, untyped(base)],
        [bytes(step.ourPreKey), untyped(base)],
      ])
      const state = startReceiving({
        root: startRoot(joined!),
        own: keyPair(signed),
        healing,
        ...this.contexts(identity),
      })
      this.sessions.set(hex(base), { state: state as ActiveRatchet, first: undefined })
    }
    return fields.get(4) as Uint8Array
  }
}

const expected = (step: Step): string =>
  step.expectedCiphertext ?? step.expectedSmsText ?? (step.expectTerminateSession ? 'end of session' : 'nothing')

test('start, ratchet and messages', (t) => {
  const vectors = readVectors('signal-v3/x3dh-doubleratchet-v3.json') as
    | { tests: { name: string; steps: Step[] }[] }
    | undefined
  if (vectors === undefined) {
    t.pass('the published vectors are not here')
    return
  }
  let steps = 0
  for (const vector of vectors.tests) {
    const person = new Person()
    for (const [i, step] of vector.steps.entries()) {
      t.is(person.run(step), expected(step), `${vector.name}, step ${i}`)
      steps++
    }
  }
  t.true(vectors.tests.length >= 11 && steps >= 60, `${steps} steps of ${vectors.tests.length} vectors`)
})

interface Units {
  readonly chain_key: { chain_key: string; cipher_key: string; mac_key: string; next_chain_key: string }
  readonly x25519: Record<'alice_public' | 'alice_private' | 'bob_public' | 'bob_private' | 'shared', string>
  readonly fingerprint: Record<
    'alice_identity' | 'bob_identity' | 'alice_id' | 'bob_id' | 'displayable' | 'alice_scannable_v2',
    string
  >
}

test('single values: chain keys, agreement, fingerprint', (t) => {
  const units = readVectors('signal-v3/libsignal-unit-kats.json') as Units | undefined
  if (units === undefined) {
    t.pass('the published vectors are not here')
    return
  }
  const step = signalV3.nextMessage(bytes(units.chain_key.chain_key))
  t.is(hex(step.chain), units.chain_key.next_chain_key)
  t.is(hex(messageKeys(step.message).cipher), units.chain_key.cipher_key)
  t.is(hex(messageKeys(step.message).mac), units.chain_key.mac_key)

  const { x25519, fingerprint } = units
  t.is(hex(x25519PublicKey(bytes(x25519.alice_private))), x25519.alice_public)
  t.is(hex(x25519Agree(bytes(x25519.alice_private), bytes(x25519.bob_public))!), x25519.shared)
  t.is(hex(x25519Agree(bytes(x25519.bob_private), bytes(x25519.alice_public))!), x25519.shared)

  const alice = fingerprintDigest(bytes(fingerprint.alice_identity), utf8(fingerprint.alice_id))
  const bob = fingerprintDigest(bytes(fingerprint.bob_identity), utf8(fingerprint.bob_id))
  t.is(displayDigits(alice, bob), fingerprint.displayable)
  t.is(displayDigits(bob, alice), fingerprint.displayable)
  const scannable = bytes(fingerprint.alice_scannable_v2)
  t.true(fastEqual(scannable.slice(6, 38), alice.slice(0, 32)))
  t.true(fastEqual(scannable.slice(-32), bob.slice(0, 32)))
})
