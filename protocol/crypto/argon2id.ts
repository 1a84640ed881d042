/**
 * Argon2id version 1.3 (RFC 9106), without secret and associated data, on OpenSSL through node:crypto where it has it.
 */
import { argon2Sync } from 'node:crypto'
import { argon2id as noble } from '@noble/hashes/argon2.js'
import { nativeOr } from './native.ts'
import { plain } from './plain.ts'

export interface Argon2Cost {
  /** KiB, at least 8 for each lane, at most 1 GiB: more is a mistake or somebody else's number. */
  readonly memoryKiB: number
  readonly passes: number
  /** Lanes. The result depends on it, not only the time. */
  readonly parallelism: number
  /** Octets of the result, 4 to 1024. */
  readonly length: number
}

export type Argon2id = (password: Uint8Array, salt: Uint8Array, cost: Argon2Cost) => Uint8Array

const MEMORY_MAX = 1_048_576
const SALT_MIN = 8

function requireRange(what: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return
  throw new RangeError(`${what} of Argon2id is ${least} to ${most}, not ${value}`)
}

function requireCost(salt: Uint8Array, cost: Argon2Cost): void {
  requireRange('length of the salt', salt.length, SALT_MIN, 2 ** 32 - 1)
  requireRange('parallelism', cost.parallelism, 1, 255)
  requireRange('memory', cost.memoryKiB, 8 * cost.parallelism, MEMORY_MAX)
  requireRange('passes', cost.passes, 1, 2 ** 16)
  requireRange('length', cost.length, 4, 1024)
}

/** On noble alone. */
export const portableArgon2id: Argon2id = (password, salt, cost) => {
  requireCost(salt, cost)
  const { memoryKiB: m, passes: t, parallelism: p, length: dkLen } = cost
  return noble(password, salt, { m, t, p, dkLen })
}

const nativeArgon2id: Argon2id = (password, salt, cost) => {
  requireCost(salt, cost)
  const { memoryKiB: memory, passes, parallelism, length: tagLength } = cost
  const parameters = { message: password, nonce: salt, memory, passes, parallelism, tagLength }
  return plain(argon2Sync('argon2id', parameters))
}

const smallest: Argon2Cost = { memoryKiB: 8, passes: 1, parallelism: 1, length: 4 }

/**
 * Blocks for as long as it takes: a third of a second for 64 MiB and 3 passes in one lane.
 * @throws RangeError for a salt below 8 octets or a cost out of range
 */
export const argon2id: Argon2id = nativeOr(nativeArgon2id, portableArgon2id, (native) =>
  native(new Uint8Array(0), new Uint8Array(SALT_MIN), smallest),
)
