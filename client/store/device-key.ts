/**
 * The key of this device's state, 32 random octets in a file of its own beside the state: one line,
 * `sotto-device-key:<base64url>`, mode 0600. Whoever has both files has the state.
 */
import { base64url, fromBase64url, type Random } from '#protocol/bytes.ts'
import { unreadable } from './faults.ts'
import { createSecretText, readSecretText } from './folder.ts'

const PREFIX = 'sotto-device-key:'
const LENGTH = 32

/** @throws SottoError E_DISK_FULL, E_STATE_UNREADABLE */
export function createDeviceKey(path: string, random: Random): void {
  createSecretText(path, `${PREFIX}${base64url(random(LENGTH))}\n`, random)
}

/** @throws SottoError E_STATE_UNREADABLE; the text never quotes what the file holds */
export function readDeviceKey(path: string): Uint8Array {
  const text = readSecretText(path)
  if (!text.startsWith(PREFIX)) throw unreadable(`${path} holds no device key.`)
  const key = fromBase64url(text.slice(PREFIX.length).trimEnd())
  if (key?.length !== LENGTH) throw unreadable(`${path} is cut off or damaged.`)
  return key
}
