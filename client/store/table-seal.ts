/**
 * How one table's content looks on disk.
 *
 *     name of a row or list   HMAC-SHA-256(name key, kind || octets) [0..16)
 *     value                   nonce 24, random || XChaCha20-Poly1305(value key, nonce, value)
 *                             associated data: table || 0 || name of the row || format version
 *
 * Both keys come from the device key and the table's name.
 */
import { concat, empty, type Random, utf8 } from '#protocol/bytes.ts'
import { xchacha20poly1305 } from '#protocol/crypto/aead.ts'
import { hkdfSha256, hmacSha256 } from '#protocol/crypto/hash.ts'

/** Bumped when the form of what is stored changes. */
export const FORMAT_VERSION = 1

const NAME_LENGTH = 16
const NONCE_LENGTH = 24
const ROW = Uint8Array.of(1)
const GROUP = Uint8Array.of(2)

export interface TableSeal {
  rowName(key: Uint8Array): Uint8Array
  groupName(group: Uint8Array): Uint8Array
  seal(name: Uint8Array, value: Uint8Array): Uint8Array
  /** undefined where the octets were not sealed for this row of this table. */
  open(name: Uint8Array, sealed: Uint8Array): Uint8Array | undefined
}

export function tableSeal(table: string, deviceKey: Uint8Array, random: Random): TableSeal {
  const key = (label: string): Uint8Array => hkdfSha256(deviceKey, empty, utf8(`sotto/1/store/${label}/${table}`), 32)
  const nameKey = key('name')
  const valueKey = key('value')
  const [before, version] = [utf8(`${table}\0`), Uint8Array.of(FORMAT_VERSION)]
  const associated = (name: Uint8Array): Uint8Array => concat(before, name, version)
  return {
    rowName: (row) => hmacSha256(nameKey, ROW, row).slice(0, NAME_LENGTH),
    groupName: (group) => hmacSha256(nameKey, GROUP, group).slice(0, NAME_LENGTH),
    seal(name, value) {
      const nonce = random(NONCE_LENGTH)
      return concat(nonce, xchacha20poly1305.seal(valueKey, nonce, value, associated(name)))
    },
    open(name, sealed) {
      if (sealed.length < NONCE_LENGTH) return undefined
      const nonce = sealed.subarray(0, NONCE_LENGTH)
      return xchacha20poly1305.open(valueKey, nonce, sealed.subarray(NONCE_LENGTH), associated(name))
    },
  }
}
