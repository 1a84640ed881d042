/**
 * Secrets in files of their own, mode 0600: one line, `sotto-<kind>:<base64url>`, so that no file can be taken for another.
 */
import { randomBytes } from 'node:crypto'
import { link, open, readFile, rename, stat, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { base64url, fromBase64url } from '#protocol/bytes.ts'
import { stateFault, unreadable } from './faults.ts'

export interface SecretKind {
  /** For example `store-key`. */
  readonly name: string
  /** Octets. */
  readonly length: number
}

/**
 * Writes the file whole or not at all, with mode 0600, flushed. Never replaces one.
 * @throws SottoError E_STATE_UNREADABLE where the file exists, E_DISK_FULL
 */
export async function createSecretFile(file: string, kind: SecretKind, secret: Uint8Array): Promise<void> {
  await createFileOnce(file, lineOf(kind, secret), 0o600)
}

/** As `createSecretFile`, for a value that everybody may read. */
export async function createPublicFile(file: string, kind: SecretKind, value: Uint8Array): Promise<void> {
  await createFileOnce(file, lineOf(kind, value), 0o644)
}

function lineOf(kind: SecretKind, value: Uint8Array): string {
  if (value.length !== kind.length) throw new RangeError(`a ${kind.name} has ${kind.length} octets`)
  return `sotto-${kind.name}:${base64url(value)}\n`
}

/**
 * As `createSecretFile`, for any text and mode.
 * @throws SottoError E_STATE_UNREADABLE where the file exists, E_DISK_FULL
 */
export async function createFileOnce(file: string, text: string, mode: number): Promise<void> {
  const draft = `${file}.${randomBytes(6).toString('hex')}.draft`
  try {
    await writeFlushed(draft, text, mode)
    // A link, unlike a rename, fails where the name is taken.
    await link(draft, file)
    await flushFolder(dirname(file))
  } catch (error) {
    throw stateFault(error, `write ${file}`)
  } finally {
    await unlink(draft).catch(() => undefined)
  }
}

/** As `createPublicFile`, in the place of what may be there. @throws SottoError E_STATE_UNREADABLE, E_DISK_FULL */
export async function replacePublicFile(file: string, kind: SecretKind, value: Uint8Array): Promise<void> {
  const draft = `${file}.${randomBytes(6).toString('hex')}.draft`
  try {
    await writeFlushed(draft, lineOf(kind, value), 0o644)
    await rename(draft, file)
    await flushFolder(dirname(file))
  } catch (error) {
    await unlink(draft).catch(() => undefined)
    throw stateFault(error, `write ${file}`)
  }
}

/** One line as these files have it, for carrying a public value to another machine. */
export function publicLine(kind: SecretKind, value: Uint8Array): string {
  return lineOf(kind, value)
}

/** The value of such a line; undefined for anything else. */
export function parsePublicLine(text: string, kind: SecretKind): Uint8Array | undefined {
  const prefix = `sotto-${kind.name}:`
  const value = text.startsWith(prefix) ? fromBase64url(text.slice(prefix.length).trimEnd()) : undefined
  return value?.length === kind.length ? value : undefined
}

async function writeFlushed(file: string, text: string, mode: number): Promise<void> {
  const handle = await open(file, 'wx', mode)
  try {
    await handle.writeFile(text)
    await handle.chmod(mode)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function flushFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/**
 * The secret in `file`.
 * @throws SottoError E_STATE_UNREADABLE where it is missing, open to others, cut off or of another kind; the text never
 * quotes what the file holds
 */
export async function readSecretFile(file: string, kind: SecretKind): Promise<Uint8Array> {
  await requirePrivate(file)
  return parseSecret(await readText(file), file, kind)
}

/** As `readSecretFile`, for a value that everybody may read. */
export async function readPublicFile(file: string, kind: SecretKind): Promise<Uint8Array> {
  return parseSecret(await readText(file), file, kind)
}

function parseSecret(text: string, file: string, kind: SecretKind): Uint8Array {
  const prefix = `sotto-${kind.name}:`
  if (!text.startsWith(prefix)) throw unreadable(`${file} does not hold a ${kind.name}.`)
  const secret = fromBase64url(text.slice(prefix.length).trimEnd())
  if (secret?.length !== kind.length) throw unreadable(`${file} is cut off or damaged.`)
  return secret
}

/** @throws SottoError E_STATE_UNREADABLE where group or others may read or write the file */
export async function requirePrivate(file: string): Promise<void> {
  const { mode } = await stat(file).catch((error: unknown) => {
    throw stateFault(error, `read ${file}`)
  })
  if ((mode & 0o077) === 0) return
  const found = (mode & 0o777).toString(8).padStart(4, '0')
  throw unreadable(`${file} is open to others: its mode is ${found} and must be 0600 (chmod 600 ${file}).`)
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    throw stateFault(error, `read ${file}`)
  }
}
