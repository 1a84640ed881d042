/**
 * The key of this device's state, 32 random octets in a file of its own beside the state: one line,
 * `sotto-device-key:<base64url>`, mode 0600. Whoever has both files has the state. Where the folder has a password, the line
 * is `sotto-locked-device-key:<base64url of the locked key>` (firewall/locked-key.ts), and the broker hands out what opens it.
 */
import { lockKey, openLockedKey } from '#firewall/locked-key.ts'
import { base64url, fromBase64url, type Random } from '#protocol/bytes.ts'
import { unreadable } from './faults.ts'
import { createSecretText, readSecretText, replaceSecretText } from './folder.ts'

const PREFIX = 'sotto-device-key:'
const LOCKED_PREFIX = 'sotto-locked-device-key:'
const LABEL = 'core'
const LENGTH = 32

/**
 * @param lock 32 octets where the folder has a password: then it never lies there in the clear
 * @throws SottoError E_DISK_FULL, E_STATE_UNREADABLE
 */
export function createDeviceKey(path: string, lock: Uint8Array | undefined, random: Random): void {
  const key = random(LENGTH)
  createSecretText(path, lock === undefined ? `${PREFIX}${base64url(key)}\n` : lockedLine(lock, key, random), random)
}

export interface DeviceKey {
  readonly key: Uint8Array
  readonly isLocked: boolean
}

/**
 * @param lock 32 octets where the folder has a password
 * @throws SottoError E_STATE_UNREADABLE; the text never quotes what the file holds
 */
export function readDeviceKey(path: string, lock: Uint8Array | undefined): DeviceKey {
  const text = readSecretText(path)
  if (text.startsWith(LOCKED_PREFIX)) {
    return { key: opened(path, text.slice(LOCKED_PREFIX.length), lock), isLocked: true }
  }
  if (!text.startsWith(PREFIX)) throw unreadable(`${path} holds no device key.`)
  const key = fromBase64url(text.slice(PREFIX.length).trimEnd())
  if (key?.length !== LENGTH) throw unreadable(`${path} is cut off or damaged.`)
  return { key, isLocked: false }
}

/**
 * Locks a key that lies there in the clear. What is returned overwrites that: to be called once the folder's own entry is
 * flushed, or a loss of power could leave the old file under the name, overwritten.
 * @throws SottoError E_DISK_FULL
 */
export function lockDeviceKey(path: string, lock: Uint8Array, key: Uint8Array, random: Random): () => void {
  return replaceSecretText(path, lockedLine(lock, key, random), random)
}

function lockedLine(lock: Uint8Array, key: Uint8Array, random: Random): string {
  return `${LOCKED_PREFIX}${base64url(lockKey(lock, LABEL, key, random))}\n`
}

function opened(path: string, text: string, lock: Uint8Array | undefined): Uint8Array {
  if (lock === undefined)
    throw unreadable(`${path} is locked, and the file with the password of the folder is missing.`)
  const locked = fromBase64url(text.trimEnd())
  const key = locked && openLockedKey(lock, LABEL, locked)
  if (key === undefined) throw unreadable(`${path} was changed, or is of another folder than its password.`)
  return key
}
