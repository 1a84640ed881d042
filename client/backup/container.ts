/**
 * A backup: the master secret of an identity, sealed under a password, a dongle, or both.
 *
 *     container = header 2 || salt 16 || ChaCha20-Poly1305(key, nonce, master secret 32) 48        66 octets
 *     header    = 0x01 || factors (high half) and profile (low half)
 *     stretched = 32 octets of the profile's password hash (password, salt)
 *     key 32 || nonce 12 = HKDF(stretched || dongle, salt, "sotto/1/backup" || header)
 *
 * Factors: 1 password, 2 dongle, 3 both; without a password its place is empty, without a dongle likewise. Profiles: 0 is
 * PBKDF2 with 100,000 iterations, which is read and never written, 1 PBKDF2 with 600,000, 2 Argon2id with 64 MiB, 3 with
 * 256 MiB. Key and nonce are drawn by the salt, so each is used once. Associated data: header || salt.
 */
import { concat, empty, type Random, utf8, wipe } from '#protocol/bytes.ts'
import { chacha20poly1305 } from '#protocol/crypto/aead.ts'
import { type Argon2Cost, argon2id } from '#protocol/crypto/argon2id.ts'
import { hkdfSha256 } from '#protocol/crypto/hash.ts'
import { pbkdf2Sha256 } from '#protocol/crypto/pbkdf2.ts'
import { SottoError } from '#protocol/errors.ts'
import { MASTER_LENGTH } from '../chat/identity.ts'

export const CONTAINER_LENGTH = 66
export const DONGLE_LENGTH = 32
const VERSION = 1
const HEADER = 2
const SALT = 16
const KEY = 32
const NONCE = 12

export const Profile = { pbkdf2Old: 0, pbkdf2: 1, argon2id: 2, argon2idStrong: 3 } as const
export type Profile = (typeof Profile)[keyof typeof Profile]
const Factor = { password: 1, dongle: 2 } as const

/** What opens a backup: at least one of the two. */
export interface Unlock {
  /** As typed; other spellings of the same letters are made one (NFKC), so that another keyboard will do. */
  readonly password?: string
  /** `DONGLE_LENGTH` octets. */
  readonly dongle?: Uint8Array
}

/** What a container asks for. */
export interface Needs {
  readonly password: boolean
  readonly dongle: boolean
  readonly profile: Profile
}

const argon = (memoryKiB: number): Argon2Cost => ({ memoryKiB, passes: 3, parallelism: 1, length: KEY })

/** Two guesses a second on one core and 64 MiB each, for who has the backup and not the password. */
const stretches: Readonly<Record<Profile, (password: Uint8Array, salt: Uint8Array) => Uint8Array>> = {
  [Profile.pbkdf2Old]: (password, salt) => pbkdf2Sha256(password, salt, 100_000, KEY),
  [Profile.pbkdf2]: (password, salt) => pbkdf2Sha256(password, salt, 600_000, KEY),
  [Profile.argon2id]: (password, salt) => argon2id(password, salt, argon(65_536)),
  [Profile.argon2idStrong]: (password, salt) => argon2id(password, salt, argon(262_144)),
}

/**
 * @throws RangeError for a master secret of another length, an old profile, or no factor at all
 */
export function sealBackup(
  master: Uint8Array,
  unlock: Unlock,
  profile: Exclude<Profile, typeof Profile.pbkdf2Old>,
  random: Random,
): Uint8Array {
  if (master.length !== MASTER_LENGTH) throw new RangeError('not a master secret')
  const factors =
    (unlock.password === undefined ? 0 : Factor.password) | (unlock.dongle === undefined ? 0 : Factor.dongle)
  if (factors === 0) throw new RangeError('a backup needs a password or a dongle')
  const head = concat(Uint8Array.of(VERSION, (factors << 4) | profile), random(SALT))
  return concat(head, cipherOf(head, unlock).seal(master))
}

/**
 * What it takes to open this container.
 * @throws SottoError E_BACKUP_FORMAT, E_BACKUP_VERSION
 */
export function needsOf(container: Uint8Array): Needs {
  if (container.length !== CONTAINER_LENGTH) throw malformed('it has another length')
  const [version = 0, kind = 0] = container
  if (version !== VERSION) {
    throw new SottoError('E_BACKUP_VERSION', `The backup has version ${version}; this Sotto reads version ${VERSION}.`)
  }
  const [factors, profile] = [kind >> 4, kind & 15]
  if (factors < 1 || factors > 3 || profile > Profile.argon2idStrong) throw malformed('it asks for what does not exist')
  const asks = (factor: number): boolean => (factors & factor) !== 0
  return { password: asks(Factor.password), dongle: asks(Factor.dongle), profile: profile as Profile }
}

/**
 * The master secret. Blocks while the password is stretched: half a second, two for the strongest profile.
 * @throws SottoError E_BACKUP_LOCKED where password or dongle is missing or not the right one, E_BACKUP_FORMAT,
 *   E_BACKUP_VERSION
 */
export function openBackup(container: Uint8Array, unlock: Unlock): Uint8Array {
  const needs = needsOf(container)
  if (needs.password && unlock.password === undefined) throw locked('It asks for its password.')
  if (needs.dongle && unlock.dongle === undefined)
    throw locked('It asks for its dongle as well: name it with --dongle.')
  const used: Unlock = {
    ...(needs.password && unlock.password !== undefined ? { password: unlock.password } : {}),
    ...(needs.dongle && unlock.dongle !== undefined ? { dongle: unlock.dongle } : {}),
  }
  const head = container.subarray(0, HEADER + SALT)
  const master = cipherOf(head, used).open(container.subarray(HEADER + SALT))
  if (master !== undefined) return master
  const factors = [...(needs.password ? ['password'] : []), ...(needs.dongle ? ['dongle'] : [])]
  throw locked(`The ${factors.join(' or the ')} is not the one it was made with.`)
}

interface OneCipher {
  seal(plaintext: Uint8Array): Uint8Array
  open(sealed: Uint8Array): Uint8Array | undefined
}

function cipherOf(head: Uint8Array, { password, dongle }: Unlock): OneCipher {
  const [header, salt] = [head.subarray(0, HEADER), head.subarray(HEADER)]
  if (dongle !== undefined && dongle.length !== DONGLE_LENGTH) throw new RangeError('not a dongle')
  const typed = utf8((password ?? '').normalize('NFKC'))
  const stretched = password === undefined ? empty : stretches[(header[1]! & 15) as Profile](typed, salt)
  const secret = concat(stretched, dongle ?? empty)
  const derived = hkdfSha256(secret, salt, concat(utf8('sotto/1/backup'), header), KEY + NONCE)
  wipe(typed, stretched, secret)
  const [key, nonce] = [derived.subarray(0, KEY), derived.subarray(KEY)]
  return {
    seal: (plaintext) => chacha20poly1305.seal(key, nonce, plaintext, head),
    open: (sealed) => chacha20poly1305.open(key, nonce, sealed, head),
  }
}

const locked = (what: string): SottoError => new SottoError('E_BACKUP_LOCKED', `The backup does not open. ${what}`)

export const malformed = (what: string): SottoError => new SottoError('E_BACKUP_FORMAT', `This is no backup: ${what}.`)
