/**
 * What the broker keeps: the allow-list with pinned keys, cohort secrets and credentials, and what takes its latest
 * changes back, in one sealed file (sealed.ts).
 *
 *     vault.key   32 random octets, or those locked under the password of the folder (locked-key.ts)
 *     vault       version 2: the index, then the endpoints on the list, then those that were removed
 *
 * Without a password the key lies beside the file: it guards against copies of the file alone (backups, synchronised
 * folders), not against who can read the whole folder. Whatever does not open is left as it is.
 */
import { dirname, join } from 'node:path'
import * as v from 'valibot'
import type { Random } from '#protocol/bytes.ts'
import { empty, utf8, wipe } from '#protocol/bytes.ts'
import { KEY_LENGTH } from '#protocol/constants.ts'
import { hmacSha256 } from '#protocol/crypto/hash.ts'
import { SottoError } from '#protocol/errors.ts'
import { parsePeerOffer } from '#protocol/peer-offer.ts'
import { decodeMessage } from '#protocol/services/codec.ts'
import { readPrivate, replacePrivate, replaceSecret, unreadable } from './folder.ts'
import type { Kept } from './journal.ts'
import { CHANGE_KINDS, nothingKept } from './journal.ts'
import { LOCKED_KEY_LENGTH, lockKey, openLockedKey } from './locked-key.ts'
import { ENDPOINT_KINDS, ENDPOINT_SOURCES } from './permit.ts'
import type { Endpoint, Endpoints } from './policy.ts'
import type { SealedKind } from './sealed.ts'
import { openMessages, openSealed, sealMessages } from './sealed.ts'

const KIND: SealedKind = { label: 'sotto/1/vault', version: 2 }
/** Of the locked key. */
const LABEL = 'broker'
/** The first one held a single message without its length: the list of endpoints. */
const OLD_KIND: SealedKind = { label: 'sotto/1/vault', version: 1 }
/** Larger than anything within the limits can become. */
const FILE_LIMIT = 262_144
const secret = (length: number) =>
  v.custom<Uint8Array>((value) => value instanceof Uint8Array && value.length === length)

const endpointSchema = v.strictObject({
  id: v.string(),
  kind: v.picklist(ENDPOINT_KINDS),
  name: v.string(),
  host: v.string(),
  port: v.number(),
  template: v.string(),
  expires: v.number(),
  source: v.picklist(ENDPOINT_SOURCES),
  root: v.exactOptional(secret(KEY_LENGTH)),
  peer: v.exactOptional(v.strictObject({ root: secret(KEY_LENGTH), version: v.number() })),
  addresses: v.array(v.string()),
  key: secret(KEY_LENGTH),
  cohort: secret(KEY_LENGTH),
  certificate: v.nullable(secret(32)),
  invite: secret(16),
  code: v.nullable(secret(16)),
  credential: v.strictObject({ id: secret(16), key: secret(KEY_LENGTH) }),
})

const isOffer = (value: unknown): boolean => value instanceof Uint8Array && parsePeerOffer(value) !== undefined

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0))

const indexSchema = v.strictObject({
  endpoints: count,
  lists: v.array(v.strictObject({ root: secret(KEY_LENGTH), version: count })),
  offers: v.exactOptional(v.array(v.strictObject({ name: v.string(), offer: v.custom<Uint8Array>(isOffer) }))),
  changes: v.array(
    v.strictObject({
      at: v.number(),
      kind: v.picklist(CHANGE_KINDS),
      added: v.array(v.string()),
      removed: count,
    }),
  ),
})

export class Vault {
  private readonly path: string
  private readonly key: Uint8Array
  private readonly random: Random
  private present: Kept
  private writing: Promise<void> = Promise.resolve()
  private closed = false

  private constructor(path: string, key: Uint8Array, random: Random, present: Kept) {
    this.path = path
    this.key = key
    this.random = random
    this.present = present
  }

  /**
   * Opens the vault in `folder`, which exists and is private; makes an empty one where there is none.
   * @param lock 32 octets where the folder has a password; a key that is not locked yet is locked then
   * @throws SottoError E_STATE_UNREADABLE, E_DISK_FULL
   */
  static async open(folder: string, random: Random, lock?: Uint8Array): Promise<Vault> {
    const { path, keyPath, sealed, stored } = await readFiles(folder)
    const key = stored === undefined ? random(KEY_LENGTH) : openKey(keyPath, stored, lock)
    const vault = new Vault(path, key, random, sealed === undefined ? nothingKept : openKept(path, key, sealed))
    if (lock !== undefined && stored?.length !== LOCKED_KEY_LENGTH) await vault.lockWith(lock)
    else if (stored === undefined) await replacePrivate(keyPath, key)
    return vault
  }

  /**
   * As `open`, and nothing is made or written: for looking while another process holds the folder. What is looked at may
   * be a moment old. undefined where there is no vault.
   * @throws SottoError E_STATE_UNREADABLE
   */
  static async look(folder: string, lock?: Uint8Array): Promise<Vault | undefined> {
    const { path, keyPath, sealed, stored } = await readFiles(folder)
    if (sealed === undefined || stored === undefined) return undefined
    const key = openKey(keyPath, stored, lock)
    const vault = new Vault(path, key, () => empty, openKept(path, key, sealed))
    vault.closed = true
    return vault
  }

  get kept(): Kept {
    return this.present
  }

  get endpoints(): Endpoints {
    return this.present.endpoints
  }

  /**
   * Computes what is to be kept from what is, and stores it; only then it becomes the present. Changes queue up.
   * @throws SottoError E_DISK_FULL, E_STATE_UNREADABLE, E_FIREWALL_GONE after `close`, or what `change` throws; the
   *   present stays
   */
  update(change: (kept: Kept) => Kept): Promise<void> {
    // The key is wiped by then: what it sealed, nobody could open.
    if (this.closed) return Promise.reject(new SottoError('E_FIREWALL_GONE', 'The firewall was closed.'))
    const done = this.writing.then(async () => {
      const next = change(this.present)
      if (next === this.present) return
      await replacePrivate(this.path, this.seal(next))
      this.present = next
    })
    this.writing = done.catch(() => {})
    return done
  }

  /** From now on nobody opens the vault without these 32 octets. @throws SottoError E_DISK_FULL, E_STATE_UNREADABLE */
  async lockWith(lock: Uint8Array): Promise<void> {
    await replaceSecret(keyPathOf(dirname(this.path)), lockKey(lock, LABEL, this.key, this.random))
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

  private seal({ endpoints, lists, offers, changes }: Kept): Uint8Array {
    const index = {
      endpoints: endpoints.size,
      lists,
      offers,
      changes: changes.map(({ removed, ...change }) => ({ ...change, removed: removed.length })),
    }
    const all = [...endpoints.values(), ...changes.flatMap(({ removed }) => removed)].map(toStored)
    return sealMessages(KIND, this.key, this.random, [index, ...all])
  }
}

interface Files {
  readonly path: string
  readonly keyPath: string
  readonly sealed: Uint8Array | undefined
  readonly stored: Uint8Array | undefined
}

const keyPathOf = (folder: string): string => join(folder, 'vault.key')

async function readFiles(folder: string): Promise<Files> {
  const path = join(folder, 'vault')
  const keyPath = keyPathOf(folder)
  const sealed = await readPrivate(path, FILE_LIMIT)
  const stored = await readPrivate(keyPath, LOCKED_KEY_LENGTH)
  if (stored === undefined && sealed !== undefined) throw unreadable(keyPath, 'it is missing')
  const lengths: readonly unknown[] = [undefined, KEY_LENGTH, LOCKED_KEY_LENGTH]
  if (!lengths.includes(stored?.length)) throw unreadable(keyPath, 'it has a wrong length')
  return { path, keyPath, sealed, stored }
}

function openKey(path: string, stored: Uint8Array, lock: Uint8Array | undefined): Uint8Array {
  if (stored.length === KEY_LENGTH) return stored
  if (lock === undefined)
    throw unreadable(path, 'it is locked, and the file with the password of the folder is missing')
  const key = openLockedKey(lock, LABEL, stored)
  if (key === undefined) throw unreadable(path, 'it was changed, or is of another folder than its password')
  return key
}

function openKept(path: string, key: Uint8Array, sealed: Uint8Array): Kept {
  if (sealed[0] === OLD_KIND.version) return openOld(path, key, sealed)
  if (sealed[0] !== KIND.version) throw unreadable(path, 'it was written by another version')
  const messages = openMessages(KIND, key, sealed)
  if (messages === undefined) throw unreadable(path, 'it was cut off, or does not open with the key beside it')
  const kept = keptIn(messages)
  if (kept === undefined) throw unreadable(path, 'its content has another shape')
  return kept
}

function openOld(path: string, key: Uint8Array, sealed: Uint8Array): Kept {
  const plaintext = openSealed(OLD_KIND, key, sealed)
  const list = v.safeParse(v.array(endpointSchema), plaintext && decodeMessage(plaintext))
  if (plaintext === undefined || !list.success) throw unreadable(path, 'it does not open with the key beside it')
  wipe(plaintext)
  return { ...nothingKept, endpoints: mapOf(list.output.map(toEndpoint)) }
}

function keptIn([first, ...rest]: readonly unknown[]): Kept | undefined {
  const index = v.safeParse(indexSchema, first)
  const stored = v.safeParse(v.array(endpointSchema), rest)
  if (!index.success || !stored.success) return undefined
  const all = stored.output.map(toEndpoint)
  let at = index.output.endpoints
  const changes = index.output.changes.map(({ removed, ...change }) => {
    at += removed
    return { ...change, removed: all.slice(at - removed, at) }
  })
  if (at !== all.length) return undefined
  // There were none before contacts had nodes.
  const { lists, offers = [] } = index.output
  return { endpoints: mapOf(all.slice(0, index.output.endpoints)), lists, offers, changes }
}

const mapOf = (endpoints: readonly Endpoint[]): Endpoints => new Map(endpoints.map((each) => [each.id, each]))

type Stored = v.InferOutput<typeof endpointSchema>

function toStored(endpoint: Endpoint): Stored {
  const { certificate = null, code = null, addresses, ...rest } = endpoint
  return { ...rest, addresses: [...addresses], certificate, code }
}

function toEndpoint(stored: Stored): Endpoint {
  return { ...stored, certificate: stored.certificate ?? undefined, code: stored.code ?? undefined }
}
