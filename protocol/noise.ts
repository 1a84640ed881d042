/**
 * Noise NK and NKpsk0 over X25519, ChaCha20-Poly1305, SHA-256 (Noise Protocol Framework revision 34).
 *
 *     <- s
 *     ...
 *     -> [psk], e, es        32-octet ephemeral key || sealed payload
 *     <- e, ee               32-octet ephemeral key || sealed payload
 *
 * Each step computes on its own state and hands out the next step only if everything held: there is no handshake object
 * that could be used twice or out of order.
 */
import { concat, empty, utf8, wipe } from './bytes.ts'
import { KEY_LENGTH } from './constants.ts'
import { chacha20poly1305 } from './crypto/aead.ts'
import { hmacSha256, sha256 } from './crypto/hash.ts'
import { x25519Agree, x25519PublicKey } from './crypto/x25519.ts'

/** Keys for transport messages: initiator to responder, responder to initiator; and the transcript hash. */
export interface NoiseResult {
  readonly initiatorKey: Uint8Array
  readonly responderKey: Uint8Array
  readonly hash: Uint8Array
}

/** CipherState and SymmetricState of section 5, together: an NK handshake never needs one without the other. */
class SymmetricState {
  private chainingKey: Uint8Array
  private hash: Uint8Array
  private key: Uint8Array | undefined
  private counter = 0

  constructor(name: string, prologue: Uint8Array) {
    const label = utf8(name)
    this.hash = label.length <= 32 ? concat(label, new Uint8Array(32 - label.length)) : sha256(label)
    this.chainingKey = this.hash
    this.mixHash(prologue)
  }

  get transcript(): Uint8Array {
    return this.hash
  }

  mixHash(data: Uint8Array): void {
    this.hash = sha256(this.hash, data)
  }

  mixKey(input: Uint8Array): void {
    const [chainingKey, key] = expand(this.chainingKey, input, 2)
    this.chainingKey = chainingKey!
    this.key = key!
    this.counter = 0
  }

  mixKeyAndHash(input: Uint8Array): void {
    const [chainingKey, hash, key] = expand(this.chainingKey, input, 3)
    this.chainingKey = chainingKey!
    this.mixHash(hash!)
    this.key = key!
    this.counter = 0
  }

  /** The public key of an `e` token: in a handshake with a psk it is mixed into the key too (section 9.2). */
  mixEphemeral(publicKey: Uint8Array, withPsk: boolean): void {
    this.mixHash(publicKey)
    if (withPsk) this.mixKey(publicKey)
  }

  encryptAndHash(plaintext: Uint8Array): Uint8Array {
    const sealed = chacha20poly1305.seal(this.key!, nonce(this.counter++), plaintext, this.hash)
    this.mixHash(sealed)
    return sealed
  }

  decryptAndHash(sealed: Uint8Array): Uint8Array | undefined {
    const plaintext = chacha20poly1305.open(this.key!, nonce(this.counter++), sealed, this.hash)
    if (plaintext !== undefined) this.mixHash(sealed)
    return plaintext
  }

  split(): NoiseResult {
    const [initiatorKey, responderKey] = expand(this.chainingKey, empty, 2)
    wipe(this.chainingKey)
    return { initiatorKey: initiatorKey!, responderKey: responderKey!, hash: this.hash }
  }
}

/** HKDF of section 4.3: `count` outputs of 32 octets. */
function expand(chainingKey: Uint8Array, input: Uint8Array, count: 2 | 3): Uint8Array[] {
  const secret = hmacSha256(chainingKey, input)
  const outputs: Uint8Array[] = []
  for (let i = 1; i <= count; i++) outputs.push(hmacSha256(secret, outputs.at(-1) ?? empty, Uint8Array.of(i)))
  return outputs
}

/** 4 zero octets, then the counter in little-endian order (section 12.3). Two messages at most, so one octet suffices. */
function nonce(counter: number): Uint8Array {
  const bytes = new Uint8Array(12)
  bytes[4] = counter
  return bytes
}

function start(prologue: Uint8Array, responderStatic: Uint8Array, psk: Uint8Array | undefined): SymmetricState {
  const pattern = psk === undefined ? 'NK' : 'NKpsk0'
  const state = new SymmetricState(`Noise_${pattern}_25519_ChaChaPoly_SHA256`, prologue)
  state.mixHash(responderStatic) // <- s
  if (psk !== undefined) state.mixKeyAndHash(psk) // psk
  return state
}

export interface InitiatorInput {
  readonly prologue: Uint8Array
  readonly responderStatic: Uint8Array
  readonly psk?: Uint8Array
  /** 32 fresh random octets. */
  readonly ephemeral: Uint8Array
  /** Receives the transcript hash up to here, so that a proof in the payload can be bound to this handshake. */
  readonly payload: (transcript: Uint8Array) => Uint8Array
}

export interface InitiatorStep {
  readonly message: Uint8Array
  /** undefined where the answer is not authentic. */
  finish(answer: Uint8Array): (NoiseResult & { readonly payload: Uint8Array }) | undefined
}

/** First message. undefined where the pinned key is not a usable public key. */
export function initiate(input: InitiatorInput): InitiatorStep | undefined {
  const withPsk = input.psk !== undefined
  const state = start(input.prologue, input.responderStatic, input.psk)
  const publicKey = x25519PublicKey(input.ephemeral)
  state.mixEphemeral(publicKey, withPsk) // e
  const shared = x25519Agree(input.ephemeral, input.responderStatic)
  if (shared === undefined) return undefined
  state.mixKey(shared) // es
  const message = concat(publicKey, state.encryptAndHash(input.payload(state.transcript)))
  return { message, finish: (answer) => finishInitiator(state, input.ephemeral, withPsk, answer) }
}

function finishInitiator(
  state: SymmetricState,
  ephemeral: Uint8Array,
  withPsk: boolean,
  answer: Uint8Array,
): (NoiseResult & { readonly payload: Uint8Array }) | undefined {
  if (answer.length < KEY_LENGTH) return undefined
  const publicKey = answer.subarray(0, KEY_LENGTH)
  state.mixEphemeral(publicKey, withPsk) // e
  const shared = x25519Agree(ephemeral, publicKey)
  if (shared === undefined) return undefined
  state.mixKey(shared) // ee
  const payload = state.decryptAndHash(answer.subarray(KEY_LENGTH))
  return payload === undefined ? undefined : { ...state.split(), payload }
}

export interface ResponderInput {
  readonly prologue: Uint8Array
  readonly staticSecret: Uint8Array
  readonly psk?: Uint8Array
  readonly message: Uint8Array
}

export interface ResponderStep {
  readonly payload: Uint8Array
  /** Transcript hash that the initiator's payload callback saw. */
  readonly transcript: Uint8Array
  answer(ephemeral: Uint8Array, payload: Uint8Array): NoiseResult & { readonly message: Uint8Array }
}

/** Opens a first message. undefined where it is not authentic. */
export function respond(input: ResponderInput): ResponderStep | undefined {
  if (input.message.length < KEY_LENGTH) return undefined
  const withPsk = input.psk !== undefined
  const state = start(input.prologue, x25519PublicKey(input.staticSecret), input.psk)
  const remote = input.message.slice(0, KEY_LENGTH)
  state.mixEphemeral(remote, withPsk) // e
  const shared = x25519Agree(input.staticSecret, remote)
  if (shared === undefined) return undefined
  state.mixKey(shared) // es
  const transcript = state.transcript
  const payload = state.decryptAndHash(input.message.subarray(KEY_LENGTH))
  if (payload === undefined) return undefined
  return {
    payload,
    transcript,
    answer: (ephemeral, reply) => finishResponder(state, remote, withPsk, ephemeral, reply),
  }
}

function finishResponder(
  state: SymmetricState,
  remote: Uint8Array,
  withPsk: boolean,
  ephemeral: Uint8Array,
  payload: Uint8Array,
): NoiseResult & { readonly message: Uint8Array } {
  const publicKey = x25519PublicKey(ephemeral)
  state.mixEphemeral(publicKey, withPsk) // e
  // `remote` agreed with the static key, so it is no low-order point and agrees with every key.
  state.mixKey(x25519Agree(ephemeral, remote)!) // ee
  const message = concat(publicKey, state.encryptAndHash(payload))
  return { ...state.split(), message }
}
