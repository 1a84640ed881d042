/**
 * What the broker keeps: the allow-list with pinned keys, cohort secrets and credentials, in one sealed file.
 *
 *     vault.key   32 random octets
 *     vault       version 1 u8 || nonce 24 || XChaCha20-Poly1305(list), associated data = label || version
 *
 * The key lies beside the file: it guards against copies of the file alone (backups, synchronised folders), not against
 * who can read the whole folder. Whatever does not open is left as it is.
 */
import { join } from 'node:path'
import * as v from 'valibot'
import type { Random } from '#protocol/bytes.ts'
import { concat, utf8, wipe } from '#protocol/bytes.ts'
import { BOX_NONCE_LENGTH, KEY_LENGTH, TAG_LENGTH } from '#protocol/constants.ts'
import { xchacha20poly1305 } from '#protocol/crypto/aead.ts'
import { hmacSha256 } from '#protocol/crypto/hash.ts'
import { SottoError } from '#protocol/errors.ts'
import { decodeMessage, encodeMessage } from '#protocol/services/codec.ts'
import { readPrivate, replacePrivate, unreadable } from './folder.ts'
import { octets } from './octets.ts'
import type { Endpoint, Endpoints } from './policy.ts'

const VERSION = 1
const HEADER = 1 + BOX_NONCE_LENGTH
/** Larger than any list within the limits can become. */
const FILE_LIMIT = 131_072
const associated: Uint8Array = concat(utf8('sotto/1/vault'), Uint8Array.of(VERSION))

const secret = (length: number) =>
  v.custom<Uint8Array>((value) => value instanceof Uint8Array && value.length === length)

const endpointSchema = v.strictObject({
  id: v.string(),
  kind: v.picklist(['gateway', 'tracker', 'peer', 'proxy']),
  name: v.string(),
  host: v.string(),
  port: v.number(),
  template: v.string(),
  expires: v.number(),
  source: v.picklist(['invite', 'card']),
  root: v.exactOptional(secret(KEY_LENGTH)),
  addresses: v.array(v.string()),
  key: secret(KEY_LENGTH),
  cohort: secret(KEY_LENGTH),
  certificate: v.nullable(secret(32)),
  invite: secret(16),
  code: v.nullable(secret(16)),
  credential: v.strictObject({ id: secret(16), key: secret(KEY_LENGTH) }),
})

export class Vault {
  private readonly path: string
  private readonly key: Uint8Array
  private readonly random: Random
  private list: Endpoints
  private writing: Promise<void> = Promise.resolve()
  private closed = false

  private constructor(path: string, key: Uint8Array, random: Random, list: Endpoints) {
    this.path = path
    this.key = key
    this.random = random
    this.list = list
  }

  /**
   * Opens the vault in `folder`, which exists and is private; makes an empty one where there is none.
   * @throws SottoError E_STATE_UNREADABLE, E_DISK_FULL
   */
  static async open(folder: string, random: Random): Promise<Vault> {
    const path = join(folder, 'vault')
    const keyPath = join(folder, 'vault.key')
    const sealed = await readPrivate(path, FILE_LIMIT)
    const stored = await readPrivate(keyPath, KEY_LENGTH)
    if (stored === undefined && sealed !== undefined) throw unreadable(keyPath, 'it is missing')
    if (stored !== undefined && stored.length !== KEY_LENGTH) throw unreadable(keyPath, 'it has a wrong length')
    const key = stored ?? random(KEY_LENGTH)
    if (stored === undefined) await replacePrivate(keyPath, key)
    return new Vault(path, key, random, sealed === undefined ? new Map() : openList(path, key, sealed))
  }

  get endpoints(): Endpoints {
    return this.list
  }

  /**
   * Computes the next list from the present one and stores it; only then it becomes the present one. Changes queue up.
   * @throws SottoError E_DISK_FULL, E_STATE_UNREADABLE, E_FIREWALL_GONE after `close`, or what `change` throws; the
   *   present list stays
   */
  update(change: (endpoints: Endpoints) => Endpoints): Promise<void> {
    // The key is wiped by then: what it sealed, nobody could open.
    if (this.closed) return Promise.reject(new SottoError('E_FIREWALL_GONE', 'The firewall was closed.'))
    const done = this.writing.then(async () => {
      const next = change(this.list)
      if (next === this.list) return
      await replacePrivate(this.path, this.seal(next))
      this.list = next
    })
    this.writing = done.catch(() => {})
    return done
  }

  /** A secret of this folder for one purpose. Not after `close`. */
  derive(purpose: string): Uint8Array {
    return hmacSha256(this.key, utf8(purpose))
  }

  /** Waits for what is being written, then forgets the key. */
  async close(): Promise<void> {
    this.closed = true
    await this.writing
    wipe(this.key)
  }

  private seal(endpoints: Endpoints): Uint8Array {
    const nonce = this.random(BOX_NONCE_LENGTH)
    const plaintext = encodeMessage([...endpoints.values()].map(toStored))
    const sealed = concat(Uint8Array.of(VERSION), nonce, xchacha20poly1305.seal(this.key, nonce, plaintext, associated))
    wipe(plaintext)
    return sealed
  }
}

function openList(path: string, key: Uint8Array, sealed: Uint8Array): Endpoints {
  if (sealed[0] !== VERSION) throw unreadable(path, 'it was written by another version')
  if (sealed.length < HEADER + TAG_LENGTH) throw unreadable(path, 'it was cut off')
  const plaintext = xchacha20poly1305.open(key, sealed.subarray(1, HEADER), sealed.subarray(HEADER), associated)
  if (plaintext === undefined) throw unreadable(path, 'it does not open with the key beside it')
  const list = v.safeParse(v.array(endpointSchema), decodeMessage(octets(plaintext)))
  wipe(plaintext)
  if (!list.success) throw unreadable(path, 'its content has another shape')
  return new Map(list.output.map((stored) => [stored.id, toEndpoint(stored)]))
}

type Stored = v.InferOutput<typeof endpointSchema>

function toStored(endpoint: Endpoint): Stored {
  const { certificate = null, code = null, addresses, ...rest } = endpoint
  return { ...rest, addresses: [...addresses], certificate, code }
}

function toEndpoint(stored: Stored): Endpoint {
  return { ...stored, certificate: stored.certificate ?? undefined, code: stored.code ?? undefined }
}
