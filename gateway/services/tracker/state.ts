/**
 * The folder of a tracker, mode 0700, with two files:
 *
 *     tracker.yaml   listen (host:port; missing: only the gateway in whose folder this is), address, key     0600
 *     records.mdb    what people have published, sealed by them                                              0600
 *
 * The key is the tracker's name: with another one, nobody finds what is there.
 */
import { existsSync } from 'node:fs'
import { chmod, mkdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import * as v from 'valibot'
import { parse, stringify } from 'yaml'
import { type HostPort, hostPort, whole } from '#gateway/config-fields.ts'
import { stateFault, unreadable } from '#gateway/store/faults.ts'
import { createFileOnce, requirePrivate } from '#gateway/store/secret-file.ts'
import { base64url, fromBase64url } from '#protocol/bytes.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import { SottoError } from '#protocol/errors.ts'

export const TRACKER_FILE = 'tracker.yaml'
export const RECORDS_FILE = 'records.mdb'
/** In a gateway's state folder: the tracker that it is as well. */
export const TRACKER_FOLDER = 'tracker'
const GIBIBYTE: number = 1024 ** 3

export interface TrackerConfig {
  /** Where gateways' trunks arrive; undefined: nowhere. */
  readonly listen: HostPort | undefined
  /** Where gateways find it, if not where it listens: a domain name or an address. */
  readonly address: string | undefined
  /** X25519. */
  readonly secret: Uint8Array
  /** Octets of pages in use beyond which nobody new is taken in. */
  readonly bytes: number | undefined
}

const key = v.pipe(
  v.string('a key'),
  v.transform((text) => fromBase64url(text) ?? new Uint8Array(0)),
  v.check((bytes) => bytes.length === 32, 'a key of 32 octets'),
)

const schema = v.strictObject({
  listen: v.optional(hostPort(() => true, 'host:port, for example 0.0.0.0:7443')),
  address: v.optional(v.pipe(v.string('a name or an address'), v.nonEmpty('a name or an address'))),
  gigabytes: v.optional(whole(1, 20)),
  key,
})

export interface NewTracker {
  readonly listen?: string
  readonly address?: string
  readonly gigabytes?: number
}

/**
 * Makes the folder of a tracker; one that is there is left alone. Returns whether it made one.
 * @throws SottoError E_CONFIG, E_STATE_UNREADABLE, E_DISK_FULL
 */
export async function initTracker(folder: string, wanted: NewTracker): Promise<boolean> {
  const file = join(folder, TRACKER_FILE)
  if (existsSync(file)) return false
  const given = Object.fromEntries(Object.entries(wanted).filter(([, value]) => value !== undefined))
  const text = stringify({ ...given, key: base64url(randomBytes(32)) })
  parseTracker(text, file)
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    await chmod(folder, 0o700)
  } catch (error) {
    throw stateFault(error, `make ${folder}`)
  }
  await createFileOnce(file, text, 0o600)
  return true
}

/** @throws SottoError E_CONFIG, E_STATE_UNREADABLE; the text never quotes the key */
export async function loadTracker(folder: string): Promise<TrackerConfig> {
  const file = join(folder, TRACKER_FILE)
  if (!existsSync(file)) throw unreadable(`There is no tracker in ${folder}: run sotto tracker init.`)
  const { mode } = await stat(folder)
  if ((mode & 0o077) !== 0) throw unreadable(`Others may enter ${folder}: its mode must be 0700 (chmod 700 ${folder}).`)
  await requirePrivate(file)
  return parseTracker(await readFile(file, 'utf8'), file)
}

function parseTracker(text: string, file: string): TrackerConfig {
  const parsed = v.safeParse(schema, readYaml(text, file), { abortEarly: true })
  if (!parsed.success) {
    const [issue] = parsed.issues
    const field = issue.path?.map(({ key: name }) => String(name)).join('.') ?? 'file'
    const what = issue.expected === 'never' ? 'there is no such field' : `expected ${issue.message}`
    throw new SottoError('E_CONFIG', `${file}: ${field}: ${what}.`)
  }
  const { listen, address, gigabytes, key: secret } = parsed.output
  return { listen, address, secret, bytes: gigabytes === undefined ? undefined : gigabytes * GIBIBYTE }
}

function readYaml(text: string, file: string): unknown {
  try {
    return parse(text)
  } catch {
    // The parser's own words quote the line, and the key may stand there.
    throw new SottoError('E_CONFIG', `${file}: expected lines of YAML.`)
  }
}
