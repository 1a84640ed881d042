/**
 * The password of the state folder. `<state>/firewall/password` holds one secret, drawn when the first password is set; the
 * key files of broker and core are locked under it (locked-key.ts). So another password changes one file, and none is ever
 * half changed:
 *
 *     file      version u8 = 1 || kind u8 || content
 *     content   kind 0   secret 32: the password was taken away again
 *               kind 1   salt 16 || ChaCha20-Poly1305(key, nonce, secret 32), associated data = what stands before the box
 *     key 32 || nonce 12 = HKDF-SHA-256(Argon2id(password in NFKC, salt; 64 MiB, 3 passes, 1 lane, 32), salt, "sotto/1/password")
 *
 * Key and nonce are drawn by the salt, so each is used once.
 */
import { concat, empty, type Random, utf8, wipe } from '#protocol/bytes.ts'
import { KEY_LENGTH, TAG_LENGTH } from '#protocol/constants.ts'
import { chacha20poly1305 } from '#protocol/crypto/aead.ts'
import { argon2id } from '#protocol/crypto/argon2id.ts'
import { hkdfSha256 } from '#protocol/crypto/hash.ts'
import { SottoError } from '#protocol/errors.ts'
import { readPrivate, unreadable } from './folder.ts'
import { PasswordLimits } from './limits.ts'
import { passwordPath } from './options.ts'

const VERSION = 1
const Kind = { open: 0, password: 1 } as const
const HEADER = 2
const SALT = 16
const NONCE = 12
const OPEN_LENGTH = HEADER + KEY_LENGTH
const SEALED_LENGTH = HEADER + SALT + KEY_LENGTH + TAG_LENGTH
/** A third of a second and 64 MiB for each guess of who has the folder. */
const COST = { memoryKiB: 65_536, passes: 3, parallelism: 1, length: KEY_LENGTH } as const

/**
 * What the folder holds of a password; undefined where none was ever set.
 * @throws SottoError E_STATE_UNREADABLE
 */
export async function readPasswordFile(folder: string): Promise<Uint8Array | undefined> {
  const path = passwordPath(folder)
  const content = await readPrivate(path, SEALED_LENGTH)
  if (content === undefined) return undefined
  const [version, kind] = content
  const length = kind === Kind.open ? OPEN_LENGTH : kind === Kind.password ? SEALED_LENGTH : undefined
  if (version !== VERSION || content.length !== length)
    throw unreadable(path, 'it was cut off, or is of another version')
  return content
}

/** True where the secret comes by a password alone. */
export const needsPassword = (file: Uint8Array): boolean => file[1] === Kind.password

/** The secret, to be wiped; undefined for a wrong password, or a file that was changed. Takes a third of a second. */
export function openPasswordFile(file: Uint8Array, password: string): Uint8Array | undefined {
  if (!needsPassword(file)) return file.slice(HEADER)
  const head = file.subarray(0, HEADER + SALT)
  return withCipher(head, password, (key, nonce) => chacha20poly1305.open(key, nonce, file.subarray(head.length), head))
}

/** The file for a secret; without a password it is in the clear there. */
export function sealPasswordFile(secret: Uint8Array, password: string | undefined, random: Random): Uint8Array {
  if (password === undefined) return concat(Uint8Array.of(VERSION, Kind.open), secret)
  const head = concat(Uint8Array.of(VERSION, Kind.password), random(SALT))
  const box = withCipher(head, password, (key, nonce) => chacha20poly1305.seal(key, nonce, secret, head))
  return concat(head, box)
}

function withCipher<T>(head: Uint8Array, password: string, use: (key: Uint8Array, nonce: Uint8Array) => T): T {
  const salt = head.subarray(HEADER)
  const typed = utf8(password.normalize('NFKC'))
  const stretched = argon2id(typed, salt, COST)
  const drawn = hkdfSha256(stretched, salt, utf8('sotto/1/password'), KEY_LENGTH + NONCE)
  try {
    return use(drawn.subarray(0, KEY_LENGTH), drawn.subarray(KEY_LENGTH))
  } finally {
    for (const part of [typed, stretched, drawn]) wipe(part)
  }
}

/** What locks the key of one half: neither can open the other's with its own. */
export function keyUnder(secret: Uint8Array, half: 'broker' | 'core'): Uint8Array {
  return hkdfSha256(secret, empty, utf8(`sotto/1/password/${half}`), KEY_LENGTH)
}

/** @throws SottoError E_PASSWORD_WEAK */
export function requireGood(password: string): void {
  const length = [...password.normalize('NFKC')].length
  const { least, most } = PasswordLimits
  if (length < least)
    throw new SottoError('E_PASSWORD_WEAK', `A password of this folder has at least ${least} characters.`)
  if (length > most)
    throw new SottoError('E_PASSWORD_WEAK', `A password of this folder has at most ${most} characters.`)
}
