/** What `sotto templates delegate|pack|rotate|status|rollback|history` do, on the state folder. */
import { existsSync, statSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { compileTemplate } from '#engine/compile.ts'
import { loadTemplate } from '#engine/load.ts'
import type { Millis } from '#protocol/bytes.ts'
import { hex } from '#protocol/bytes.ts'
import { SottoError } from '#protocol/errors.ts'
import type { PackManifest } from '#protocol/pack.ts'
import { sealPack, WHOLE_SHARE } from '#protocol/pack.ts'
import { builtinIds, builtinText } from '../../camouflage-templates/builtin.ts'
import type { HistoryEntry, PackRecord, PackState } from '../packs/records.ts'
import { liveHashes, recordOf } from '../packs/rotation.ts'
import type { GatewayState } from '../state.ts'
import { stateFault } from '../store/faults.ts'
import {
  CLOCK_SECONDS,
  certificateEnd,
  certify,
  installCertificate,
  readSigningKey,
  signingPublicLine,
} from './signing-key.ts'
import { withState } from './with-state.ts'

const DAY_SECONDS = 86_400

/** As commands print it. */
export interface PackInfo {
  readonly hash: string
  readonly serial: number
  readonly templates: readonly string[]
  readonly from: string
  readonly until: string
  readonly ttl: number
  readonly overlap: number
  /** Percent of the members. */
  readonly canary: number
  readonly floor: number
  readonly verdict: PackRecord['verdict']
  /** Members who said so since the gateway was started. */
  readonly applied: number
  readonly failed: number
}

export interface PackStatus {
  readonly floor: number
  /** null: the templates of gateway.yaml. */
  readonly current: PackInfo | null
  readonly canary: (PackInfo & { readonly since: string; readonly over: string }) | null
  readonly retiring: readonly (PackInfo & { readonly over: string })[]
  /** Kept and not in use, newest last. */
  readonly others: readonly PackInfo[]
  /** When the certificate of the signing key ends; null: none can sign. */
  readonly certificate: string | null
}

const iso = (at: Millis): string => new Date(at).toISOString()

function infoOf({ hash, manifest, templates, verdict, applied, failed }: PackRecord): PackInfo {
  const { serial, floor, from, until, ttl, overlap, canary } = manifest
  return {
    hash: hex(hash),
    ...{ serial, templates, from: iso(from * 1000), until: iso(until * 1000), ttl, overlap },
    ...{ canary: (canary * 100) / WHOLE_SHARE, floor, verdict, applied, failed },
  }
}

export interface DelegateOptions {
  readonly state: string
  readonly days: number
  readonly rootKey: string | undefined
  /** Line of a signing key's public half: makes its certificate here, where the root key is. */
  readonly key: string | undefined
  /** Line, or file with a line, of a certificate that was made elsewhere. */
  readonly certificate: string | undefined
}

export type Delegated =
  | { readonly kind: 'certificate' | 'public'; readonly line: string }
  | { readonly kind: 'installed'; readonly until: string }

/**
 * Lets the signing key of this gateway sign packs. With the root key here: in one step. With the root key elsewhere: first
 * the public half is printed, then (there) the certificate, then (here) it is installed.
 * @throws SottoError E_PACK_KEY, E_STATE_UNREADABLE, E_CONFIG, E_DISK_FULL
 */
export async function delegate(options: DelegateOptions, now: Millis): Promise<Delegated> {
  const { state: folder, days, key, certificate } = options
  const rootFile = options.rootKey ?? join(folder, 'pack-root.key')
  if (key !== undefined) return { kind: 'certificate', line: await certify(key, rootFile, days, now) }
  return await withState(folder, async ({ packRoot }) => {
    const line = await signingPublicLine(folder)
    if (certificate === undefined && !existsSync(rootFile)) return { kind: 'public', line }
    const made = certificate === undefined ? await certify(line, rootFile, days, now) : await lineIn(certificate)
    const { until } = await installCertificate(folder, made, packRoot)
    return { kind: 'installed', until: iso(until * 1000) }
  })
}

const lineIn = async (text: string): Promise<string> => (existsSync(text) ? await readFile(text, 'utf8') : text)

export interface PackOptions {
  readonly state: string
  /** Ids of built-in templates, files, or folders that hold one; none: the templates of gateway.yaml. */
  readonly templates: readonly string[]
  readonly days: number
  /** Seconds. */
  readonly ttl: number
  readonly overlap: number
  /** Percent of the members. */
  readonly canary: number
  /** Serial; undefined: that of the pack in use, so that one step back stays possible. */
  readonly floor: number | undefined
  /** undefined: the next one. */
  readonly serial: number | undefined
  /** File that gets the pack as well. */
  readonly out: string | undefined
}

/**
 * Makes a pack, signs it, checks it as a member would, and keeps it for `rotate`.
 * @throws SottoError E_PACK_KEY, E_USAGE, E_TEMPLATE, E_STATE_UNREADABLE, E_CONFIG, E_DISK_FULL
 */
export async function makePack(options: PackOptions, now: Millis): Promise<PackInfo> {
  return await withState(options.state, async ({ folder, packs, packRoot, config }) => {
    const { seed, certificate } = await readSigningKey(folder, packRoot, now)
    const names = options.templates.length === 0 ? config.templates : options.templates
    const templates = await Promise.all(names.map(textOf))
    const kept = packs.state()
    const inUse = kept.current === null ? undefined : recordOf(kept, kept.current)
    const from = Math.max(Math.floor(now / 1000) - CLOCK_SECONDS, certificate.from)
    const manifest: PackManifest = {
      serial: serialFor(kept, options.serial),
      floor: Math.max(kept.floor, options.floor ?? inUse?.manifest.serial ?? 0),
      from,
      until: Math.min(from + options.days * DAY_SECONDS, certificate.until),
      ...{ ttl: options.ttl, overlap: options.overlap, canary: (options.canary * WHOLE_SHARE) / 100 },
    }
    const bytes = sealed(() => sealPack(seed, { certificate, manifest, templates }))
    const record = await packs.add(bytes, now)
    if (options.out !== undefined) await writePack(options.out, bytes)
    return infoOf(record)
  })
}

/** A serial is used once: after an old copy of the store was restored, members know higher ones. */
function serialFor({ lastSerial }: PackState, wanted: number | undefined): number {
  if (wanted === undefined || wanted > lastSerial) return wanted ?? lastSerial + 1
  throw new SottoError('E_USAGE', `--serial must be higher than ${lastSerial}, which the newest pack has.`)
}

function sealed(make: () => Uint8Array): Uint8Array {
  try {
    return make()
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause
    throw new SottoError('E_USAGE', `This cannot be packed: ${cause.message}.`, { cause })
  }
}

async function writePack(file: string, bytes: Uint8Array): Promise<void> {
  await writeFile(file, bytes).catch((error: unknown) => {
    throw fileFault(error, `write ${file}`)
  })
}

/** Text of a built-in template, of a file, or of the one in a folder. A fault of it is told with the file's own name. */
async function textOf(name: string): Promise<string> {
  const known = builtinIds()
  if (known.includes(name)) return builtinText(name)
  const file = statSync(name, { throwIfNoEntry: false })?.isDirectory() ? join(name, 'template.yaml') : name
  if (!existsSync(file)) {
    throw new SottoError('E_USAGE', `There is no template and no file ${JSON.stringify(file)}.`, {
      next: `Name a file, a folder with a template.yaml, or one of ${known.join(', ')}.`,
    })
  }
  const text = await readFile(file, 'utf8')
  compileTemplate(loadTemplate(text, file))
  return text
}

export interface RotateChoice {
  readonly state: string
  /** Serial or beginning of the hash; undefined: the newest. */
  readonly pack: string | undefined
  /** Pack that was made elsewhere. */
  readonly file: string | undefined
  readonly now: boolean
  readonly watchSeconds: number
}

/**
 * Begins to use a pack: canaries first, then everybody. A running gateway takes it up within a quarter of a second.
 * @throws SottoError E_PACK_*, E_TEMPLATE, E_STATE_UNREADABLE, E_CONFIG, E_DISK_FULL
 */
export async function rotatePack(choice: RotateChoice, now: Millis): Promise<PackStatus> {
  return await withState(choice.state, async (state) => {
    const { packs } = state
    const name = choice.file === undefined ? choice.pack : hex((await packs.add(await fileOf(choice.file), now)).hash)
    await packs.rotate(name, { atOnce: choice.now, watchMs: choice.watchSeconds * 1000, now })
    return await statusOf(state)
  })
}

/** A file that the operator has named is none of the state. */
function fileFault(error: unknown, doing: string): SottoError {
  const fault = stateFault(error, doing)
  return fault.code === 'E_DISK_FULL' ? fault : new SottoError('E_FILE', fault.message, { cause: error })
}

async function fileOf(file: string): Promise<Uint8Array> {
  try {
    return new Uint8Array(await readFile(file))
  } catch (error) {
    throw fileFault(error, `read ${file}`)
  }
}

/** @throws SottoError E_PACK_*, E_STATE_UNREADABLE, E_CONFIG, E_DISK_FULL */
export async function rollBackPack(folder: string, pack: string | undefined, now: Millis): Promise<PackStatus> {
  return await withState(folder, async (state) => {
    await state.packs.rollBack(pack, now)
    return await statusOf(state)
  })
}

/** @throws SottoError E_STATE_UNREADABLE, E_CONFIG */
export async function packStatus(folder: string): Promise<PackStatus> {
  return await withState(folder, statusOf)
}

async function statusOf({ packs, folder, packRoot }: GatewayState): Promise<PackStatus> {
  const state = packs.state()
  const info = (hash: Uint8Array): PackInfo => infoOf(recordOf(state, hash)!)
  const live = liveHashes(state).map(hex)
  const end = await certificateEnd(folder, packRoot)
  const { canary } = state
  return {
    floor: state.floor,
    current: state.current === null ? null : info(state.current),
    canary: canary === null ? null : { ...info(canary.hash), since: iso(canary.since), over: iso(canary.until) },
    retiring: state.retiring.map(({ hash, until }) => ({ ...info(hash), over: iso(until) })),
    others: state.packs.filter(({ hash }) => !live.includes(hex(hash))).map(infoOf),
    certificate: end === undefined ? null : iso(end * 1000),
  }
}

export interface HistoryLine {
  readonly at: string
  readonly event: HistoryEntry['event']
  readonly serial: number
  readonly hash: string
  readonly by: HistoryEntry['by']
  readonly note: string
}

/** Oldest first. @throws SottoError E_STATE_UNREADABLE, E_CONFIG */
export async function packHistory(folder: string): Promise<HistoryLine[]> {
  return await withState(folder, async ({ packs }) =>
    packs.history().map(({ at, hash, ...line }) => ({ ...line, at: iso(at), hash: hex(hash) })),
  )
}
