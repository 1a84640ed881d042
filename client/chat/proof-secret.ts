/**
 * What a person types as a secret, made into what a proof runs on.
 *
 *     salt   = SHA-256("sotto/1/proof/salt" || kind 1 || of)[0..16)    of: the chat (check), or the uid of who set the secret
 *     secret = Argon2id(normalised, salt; 64 MiB, 3 passes, 1 lane, 32 octets)
 *
 * A run itself leaves nothing to guess at. The stretching is for a device that is stolen: what it keeps of a password or an
 * answer costs a third of a second a guess. Nothing is stretched because of what others send.
 */
import { utf8, wipe } from '#protocol/bytes.ts'
import { type Argon2Cost, argon2id } from '#protocol/crypto/argon2id.ts'
import { sha256 } from '#protocol/crypto/hash.ts'
import { SottoError } from '#protocol/errors.ts'
import { ChatLimits } from './limits.ts'
import { type ProofKind, proofKinds } from './proof-body.ts'

export const PROOF_COST: Argon2Cost = { memoryKiB: 65_536, passes: 3, parallelism: 1, length: 32 }

/** Characters that a secret has at least; whoever may ask has few guesses, and a check is between people who know each other. */
const least: Readonly<Record<ProofKind, number>> = { check: 2, password: 8, answer: 3 }

/** Two people who write the same word differently have written the same: case, width and space do not count. */
export function normalised(text: string): string {
  return text.normalize('NFKC').toLowerCase().normalize('NFKC').replace(/\s+/gu, ' ').trim()
}

/** @throws SottoError E_PROOF_SECRET for too little or too much to be a secret */
export function stretchSecret(kind: ProofKind, text: string, of: Uint8Array, cost: Argon2Cost): Uint8Array {
  const plain = normalised(text)
  const typed = utf8(plain)
  const { length } = [...plain]
  if (length < least[kind]) throw unfit(`It has ${length} characters; ${least[kind]} is the least.`)
  if (typed.length > ChatLimits.proofBytes) throw unfit(`It has more than ${ChatLimits.proofBytes} octets.`)
  const salt = sha256(utf8('sotto/1/proof/salt'), Uint8Array.of(1 + proofKinds.indexOf(kind)), of).slice(0, 16)
  const secret = argon2id(typed, salt, cost)
  wipe(typed)
  return secret
}

const unfit = (what: string): SottoError => new SottoError('E_PROOF_SECRET', `This cannot be the secret. ${what}`)
