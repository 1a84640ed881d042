/**
 * First contact of a member with a gateway, and the key agreement of a running session. Spec section 4.
 *
 * First contact, as content of a cohort box (recognition.ts):
 *
 *     request   binding 16 || Noise NKpsk0 message 1, payload = claim
 *     answer    Noise NKpsk0 message 2, payload = reply
 *     claim     version 1 || kind 1 || credential id 16 || proof || hello
 *               kind 1 (redeem):      proof = one-time code 16 || credential key 32
 *               kind 2 (credential):  proof = HMAC-SHA-256(credential key, "sotto/1/member" || transcript) 32
 *
 * The gateway is authenticated by its pinned key, the member inside the encrypted payload, bound to the transcript.
 */

import type { Millis, Random } from './bytes.ts'
import { concat, constantTimeEqual, utf8, wipe } from './bytes.ts'
import { BINDING_LENGTH, KEY_LENGTH, PROTOCOL_VERSION } from './constants.ts'
import { hkdfSha256, hmacSha256 } from './crypto/hash.ts'
import * as noise from './noise.ts'
import type { CohortKeys } from './recognition.ts'
import { firstToken, maskKeyOf, openBox, sealBox } from './recognition.ts'

export const CREDENTIAL_ID_LENGTH = 16
export const CODE_LENGTH = 16
/** Octets that each side may add to the handshake: `hello` and `reply`. */
export const HELLO_MAX = 64

const REDEEM = 1
const CREDENTIAL = 2
const CLAIM_HEADER = 2 + CREDENTIAL_ID_LENGTH
const prologue: Uint8Array = concat(utf8('sotto/1/first'), Uint8Array.of(PROTOCOL_VERSION))

/** What the client shows. `redeem` until the gateway has once answered it. */
export type Membership =
  | {
      readonly kind: 'redeem'
      readonly code: Uint8Array
      readonly credentialId: Uint8Array
      readonly credentialKey: Uint8Array
    }
  | { readonly kind: 'credential'; readonly credentialId: Uint8Array; readonly credentialKey: Uint8Array }

/** What the gateway has to judge. */
export type Claim =
  | Extract<Membership, { kind: 'redeem' }>
  | {
      readonly kind: 'credential'
      readonly credentialId: Uint8Array
      readonly proof: Uint8Array
      readonly transcript: Uint8Array
    }

/** Secret that both ends derive every key of the young session from. */
export interface HandshakeKeys {
  readonly root: Uint8Array
}

/** Proof of a credential for one handshake. */
export function membershipProof(credentialKey: Uint8Array, transcript: Uint8Array): Uint8Array {
  return hmacSha256(credentialKey, utf8('sotto/1/member'), transcript)
}

/** Constant time in the proof. */
export function provesMembership(claim: Extract<Claim, { kind: 'credential' }>, credentialKey: Uint8Array): boolean {
  return constantTimeEqual(claim.proof, membershipProof(credentialKey, claim.transcript))
}

export interface FirstContactInput {
  /** Pinned X25519 key of the gateway. */
  readonly gatewayKey: Uint8Array
  readonly cohort: CohortKeys
  /** At most `HELLO_MAX` octets for the session layer of the other side. */
  readonly hello: Uint8Array
  readonly membership: Membership
  /** `requestBinding` of the request that will carry it. */
  readonly binding: Uint8Array
  /** Octets the parcel must have. */
  readonly length: number
  /** The gateway's clock, as well as the client knows it. */
  readonly now: Millis
  readonly random: Random
}

export interface FirstContact {
  readonly token: Uint8Array
  readonly parcel: Uint8Array
  /** undefined where the answer is not authentic: the gateway did not recognise us, or somebody else answered. */
  finish(parcel: Uint8Array): { readonly keys: HandshakeKeys; readonly reply: Uint8Array } | undefined
}

/** @throws RangeError where `length` is too short or the pinned key is unusable */
export function initiate(input: FirstContactInput): FirstContact {
  const { cohort, random } = input
  const step = noise.initiate({
    prologue,
    responderStatic: input.gatewayKey,
    psk: cohort.psk,
    ephemeral: random(KEY_LENGTH),
    payload: (transcript) => encodeClaim(input.membership, transcript, input.hello),
  })
  if (step === undefined) throw new RangeError('the pinned gateway key is not a usable X25519 key')
  const token = firstToken(cohort, maskKeyOf(input.gatewayKey), input.now, random)
  const content = concat(input.binding, step.message)
  return {
    token,
    parcel: sealBox({ key: cohort.request, token }, content, input.length, random),
    finish: (parcel) => {
      const answer = openBox({ key: cohort.answer, token }, parcel)
      const result = answer === undefined ? undefined : step.finish(answer)
      return result === undefined ? undefined : { keys: deriveRoot(result), reply: result.payload }
    },
  }
}

export interface FirstContactRequest {
  readonly claim: Claim
  readonly hello: Uint8Array
  /** Seals the answer into exactly `length` octets. `reply` has at most `HELLO_MAX` octets. */
  answer(input: { readonly reply: Uint8Array; readonly length: number; readonly random: Random }): {
    readonly parcel: Uint8Array
    readonly keys: HandshakeKeys
  }
}

/** Gateway's side. undefined for anything but an authentic first contact of this cohort in this very request. */
export function openFirstContact(input: {
  readonly gatewaySecret: Uint8Array
  readonly cohort: CohortKeys
  readonly binding: Uint8Array
  readonly token: Uint8Array
  readonly parcel: Uint8Array
}): FirstContactRequest | undefined {
  const { cohort, token } = input
  const content = openBox({ key: cohort.request, token }, input.parcel)
  if (content === undefined || content.length < BINDING_LENGTH) return undefined
  if (!constantTimeEqual(content.subarray(0, BINDING_LENGTH), input.binding)) return undefined
  const message = content.subarray(BINDING_LENGTH)
  const step = noise.respond({ prologue, staticSecret: input.gatewaySecret, psk: cohort.psk, message })
  const decoded = step === undefined ? undefined : decodeClaim(step.payload, step.transcript)
  if (step === undefined || decoded === undefined) return undefined
  return {
    ...decoded,
    answer: ({ reply, length, random }) => {
      const result = step.answer(random(KEY_LENGTH), reply)
      const parcel = sealBox({ key: cohort.answer, token }, result.message, length, random)
      return { parcel, keys: deriveRoot(result) }
    },
  }
}

function encodeClaim(membership: Membership, transcript: Uint8Array, hello: Uint8Array): Uint8Array {
  if (hello.length > HELLO_MAX) throw new RangeError(`hello has ${hello.length} octets, at most ${HELLO_MAX}`)
  const redeem = membership.kind === 'redeem'
  const proof = redeem
    ? concat(membership.code, membership.credentialKey)
    : membershipProof(membership.credentialKey, transcript)
  const kind = redeem ? REDEEM : CREDENTIAL
  return concat(Uint8Array.of(PROTOCOL_VERSION, kind), membership.credentialId, proof, hello)
}

function decodeClaim(payload: Uint8Array, transcript: Uint8Array): { claim: Claim; hello: Uint8Array } | undefined {
  const [version, kind] = payload
  if (version !== PROTOCOL_VERSION || (kind !== REDEEM && kind !== CREDENTIAL)) return undefined
  const helloAt = CLAIM_HEADER + (kind === REDEEM ? CODE_LENGTH + KEY_LENGTH : KEY_LENGTH)
  if (payload.length < helloAt || payload.length > helloAt + HELLO_MAX) return undefined
  const credentialId = payload.slice(2, CLAIM_HEADER)
  const proof = payload.slice(CLAIM_HEADER, helloAt)
  const hello = payload.slice(helloAt)
  if (kind === CREDENTIAL) return { claim: { kind: 'credential', credentialId, proof, transcript }, hello }
  const code = proof.slice(0, CODE_LENGTH)
  return { claim: { kind: 'redeem', code, credentialId, credentialKey: proof.slice(CODE_LENGTH) }, hello }
}

function deriveRoot(result: noise.NoiseResult): HandshakeKeys {
  const root = hkdfSha256(concat(result.initiatorKey, result.responderKey), result.hash, utf8('sotto/1/root'), 32)
  wipe(result.initiatorKey, result.responderKey)
  return { root }
}

const rekeyPrologue = (prologueOfSession: Uint8Array): Uint8Array => concat(utf8('sotto/1/rekey'), prologueOfSession)

export interface RekeyInitiation {
  readonly first: Uint8Array
  /** 32 octets that the session mixes with its ML-KEM secret; undefined where the answer is not authentic. */
  finish(reply: Uint8Array): Uint8Array | undefined
}

/** A fresh NKpsk0 inside a running session. `prologue` is the session's own transcript, so that it fits no other. */
export function initiateRekey(input: {
  readonly gatewayKey: Uint8Array
  readonly cohort: CohortKeys
  readonly prologue: Uint8Array
  readonly random: Random
}): RekeyInitiation {
  const step = noise.initiate({
    prologue: rekeyPrologue(input.prologue),
    responderStatic: input.gatewayKey,
    psk: input.cohort.psk,
    ephemeral: input.random(KEY_LENGTH),
    payload: () => new Uint8Array(0),
  })
  if (step === undefined) throw new RangeError('the pinned gateway key is not a usable X25519 key')
  return {
    first: step.message,
    finish: (reply) => {
      const result = step.finish(reply)
      return result === undefined ? undefined : deriveRoot(result).root
    },
  }
}

/** Gateway's side of `initiateRekey`. */
export function respondRekey(input: {
  readonly gatewaySecret: Uint8Array
  readonly cohort: CohortKeys
  readonly prologue: Uint8Array
  readonly message: Uint8Array
  readonly random: Random
}): { readonly reply: Uint8Array; readonly secret: Uint8Array } | undefined {
  const step = noise.respond({
    prologue: rekeyPrologue(input.prologue),
    staticSecret: input.gatewaySecret,
    psk: input.cohort.psk,
    message: input.message,
  })
  if (step === undefined) return undefined
  const result = step.answer(input.random(KEY_LENGTH), new Uint8Array(0))
  return { reply: result.message, secret: deriveRoot(result).root }
}
