/**
 * The state folder of a gateway, mode 0700:
 *
 *     gateway.yaml     what the operator decides (config.ts)
 *     gateway.key      static X25519 key, pinned in every invite                            0600
 *     store.key        opens the store                                                      0600
 *     pack-root.key    vouches for keys that sign template packs; belongs on another machine 0600
 *     pack-root.pub    its public half, in every invite
 *     pack-signing.*   key that signs packs here, with its certificate (admin/signing-key.ts)
 *     store/           members, mail (store/store.ts)
 *     files/           sealed files of members, in a store of their own (services/blobs/disk.ts)
 *     gateways.list    further gateways, signed for members (services/gateways.ts)
 *     trackers.list    trackers that members ask through this gateway (services/tracker/relay.ts)
 *     tracker/         the tracker that this gateway is as well, where it is one (services/tracker/state.ts)
 *     acme-account.key  the gateway's account at a certificate authority (acme/keeper.ts)     0600
 *     made.json        what `gateway init` has written beside all this (deploy/made.ts)         0600
 */
import { existsSync } from 'node:fs'
import { chmod, mkdir, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { ed25519PublicKey } from '#protocol/crypto/ed25519.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import { x25519PublicKey } from '#protocol/crypto/x25519.ts'
import { type GatewayConfig, loadConfig } from './config.ts'
import { EXPIRY_TABLE } from './expiry-clock.ts'
import { Members } from './members.ts'
import { MEMBER_TABLES } from './members-records.ts'
import { Packs } from './packs/packs.ts'
import { PACK_TABLES } from './packs/records.ts'
import { BLOB_TABLES } from './services/blobs/disk.ts'
import { BlobLimits } from './services/blobs/limits.ts'
import { CARD_TABLES } from './services/cards/cards.ts'
import { GATEWAY_LIST_FILE } from './services/gateways.ts'
import { MAILBOX_TABLES } from './services/mailbox/mailbox.ts'
import { PREKEY_TABLES } from './services/prekeys/prekeys.ts'
import { TRACKER_LIST_FILE } from './services/tracker/relay.ts'
import { stateFault, unreadable } from './store/faults.ts'
import { HOLDER_TABLE } from './store/holder.ts'
import {
  createFileOnce,
  createPublicFile,
  createSecretFile,
  readPublicFile,
  readSecretFile,
  type SecretKind,
} from './store/secret-file.ts'
import { openStore, type Store } from './store/store.ts'
import { USED_CONTACT_TABLES } from './used-contacts.ts'

export const CONFIG_FILE = 'gateway.yaml'
export const STORE_FOLDER = 'store'
export const FILES_FOLDER = 'files'
const gatewayKind: SecretKind = { name: 'gateway-key', length: 32 }
const storeKind: SecretKind = { name: 'store-key', length: 32 }
export const rootKind: SecretKind = { name: 'pack-root-key', length: 32 }
const rootPublicKind: SecretKind = { name: 'pack-root-public', length: 32 }

/** Everything a state folder may hold that is of no use to anybody but the gateway. */
export const STATE_FILES: readonly string[] = [
  CONFIG_FILE,
  'gateway.key',
  'store.key',
  'pack-root.key',
  'pack-root.pub',
  'pack-signing.key',
  'pack-signing.cert',
  'certificate.pem',
  'tls.key',
  'acme-account.key',
  GATEWAY_LIST_FILE,
  TRACKER_LIST_FILE,
]

/** Every table a gateway keeps. */
export const STATE_TABLES: readonly string[] = [
  ...[HOLDER_TABLE, EXPIRY_TABLE, ...MEMBER_TABLES, ...USED_CONTACT_TABLES],
  ...[...MAILBOX_TABLES, ...PREKEY_TABLES, ...CARD_TABLES, ...PACK_TABLES],
]

export interface GatewayState {
  readonly folder: string
  readonly config: GatewayConfig
  /** X25519. */
  readonly gatewaySecret: Uint8Array
  readonly gatewayKey: Uint8Array
  /** Ed25519 key that packs are signed under. */
  readonly packRoot: Uint8Array
  readonly store: Store
  readonly members: Members
  readonly packs: Packs
  /** Opens the store of files, made where it is missing; who opens it closes it. @throws SottoError as `openState` */
  openFiles(): Promise<Store>
  close(): Promise<void>
}

/**
 * Opens what `initState` has made. Several processes may have it open; a gateway that runs also takes it by `holdStore`.
 * @throws SottoError E_CONFIG, E_STATE_UNREADABLE, E_DISK_FULL
 */
export async function openState(folder: string): Promise<GatewayState> {
  if (!existsSync(join(folder, CONFIG_FILE)))
    throw unreadable(`There is no gateway in ${folder}: run sotto gateway init.`)
  await requirePrivateFolder(folder)
  const config = await loadConfig(join(folder, CONFIG_FILE))
  const gatewaySecret = await readSecretFile(join(folder, 'gateway.key'), gatewayKind)
  const key = await readSecretFile(join(folder, 'store.key'), storeKind)
  const packRoot = await readPublicFile(join(folder, 'pack-root.pub'), rootPublicKind)
  const limits = config.storeBytes === undefined ? {} : { bytes: config.storeBytes }
  const store = await openStore({ folder: join(folder, STORE_FOLDER), key, tables: STATE_TABLES, limits })
  return {
    ...{ folder, config, gatewaySecret, packRoot, store },
    gatewayKey: x25519PublicKey(gatewaySecret),
    members: new Members(store, randomBytes),
    packs: new Packs(store, packRoot),
    openFiles: () => openFiles(folder, key, config),
    close: () => store.close(),
  }
}

/** Apart from the mail, so that files never take its room. */
function openFiles(folder: string, key: Uint8Array, { fileBytes }: GatewayConfig): Promise<Store> {
  const limits = { bytes: fileBytes ?? BlobLimits.storeBytes }
  return openStore({ folder: join(folder, FILES_FOLDER), key, tables: BLOB_TABLES, limits, create: true })
}

/**
 * Makes whatever is missing and leaves alone whatever is there; run again, it completes a making that broke off.
 * Returns the names of what it made.
 * @param configText written to gateway.yaml where there is none
 * @param before makes what the configuration names, once there is a folder for it; returns the names
 * @throws SottoError E_STATE_UNREADABLE where a key has gone missing beside a store, E_CONFIG, E_DISK_FULL
 */
export async function initState(
  folder: string,
  configText: string,
  before: () => Promise<readonly string[]> = async () => [],
): Promise<string[]> {
  await preparePrivateFolder(folder)
  const made: string[] = [...(await before())]
  const missing = (name: string): boolean => !existsSync(join(folder, name))
  const make = async (name: string, write: (file: string) => Promise<void>): Promise<void> => {
    if (!missing(name)) return
    await write(join(folder, name))
    made.push(name)
  }
  const storeFolder = join(folder, STORE_FOLDER)
  if (existsSync(join(storeFolder, 'data.mdb')))
    refuseLostKeys(folder, ['gateway.key', 'store.key', 'pack-root.pub'].filter(missing))
  await make('gateway.key', (file) => createSecretFile(file, gatewayKind, randomBytes(32)))
  await make('store.key', (file) => createSecretFile(file, storeKind, randomBytes(32)))
  if (missing('pack-root.pub')) {
    await make('pack-root.key', (file) => createSecretFile(file, rootKind, randomBytes(32)))
    const seed = await readSecretFile(join(folder, 'pack-root.key'), rootKind)
    await make('pack-root.pub', (file) => createPublicFile(file, rootPublicKind, ed25519PublicKey(seed)))
  }
  await make(CONFIG_FILE, (file) => createFileOnce(file, configText, 0o644))
  // Opened in any case: that completes a store whose making broke off.
  if (missing(STORE_FOLDER)) made.push(STORE_FOLDER)
  const key = await readSecretFile(join(folder, 'store.key'), storeKind)
  await (await openStore({ folder: storeFolder, key, tables: STATE_TABLES, create: true })).close()
  await (await openState(folder)).close()
  return made
}

/** New keys would lock out every member and make the store unreadable. */
function refuseLostKeys(folder: string, lost: readonly string[]): void {
  if (lost.length === 0) return
  throw unreadable(`${lost.join(' and ')} is missing in ${folder}, but its store is there: restore it from a copy.`)
}

async function preparePrivateFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    if ((await readdir(folder)).length === 0) await chmod(folder, 0o700)
  } catch (error) {
    throw stateFault(error, `make ${folder}`)
  }
  await requirePrivateFolder(folder)
}

async function requirePrivateFolder(folder: string): Promise<void> {
  const { mode } = await stat(folder)
  if ((mode & 0o077) === 0) return
  throw unreadable(`Others may enter ${folder}: its mode must be 0700 (chmod 700 ${folder}).`)
}
