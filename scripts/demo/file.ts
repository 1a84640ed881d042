/** A file from one member to the other, who fetches it, puts it into a folder, and has what was sent. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { randomBytes } from '#protocol/crypto/random.ts'
import { SottoError } from '#protocol/errors.ts'

/** Octets: 16 pieces, and a look that carries files does it at once. */
const SIZE = 500_000
const NAME = 'plan.bin'
/** The look in which it goes. */
export const FILE_LOOK = 'downloads'

/** A running `sotto chat --json --files FOLDER`. */
export interface Exchanger {
  /** As the other calls them. */
  readonly name: string
  readonly folder: string
  say(command: object): void
  /** Resolves with the first line from now on for which `wanted` is true; rejects after `ms`. */
  hear(wanted: (line: Record<string, unknown>) => boolean, ms: number): Promise<Record<string, unknown>>
}

/** The folder that a member shares, made. */
export function filesFolder(state: string, member: string): string {
  const folder = join(state, `${member}-files`)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  return folder
}

/** @returns milliseconds until it was saved. @throws SottoError E_INTERNAL where it is not what was sent, or takes too long */
export async function exchangeFile(from: Exchanger, to: Exchanger, ms: number, octets: number = SIZE): Promise<number> {
  const content = randomBytes(octets)
  writeFileSync(join(from.folder, NAME), content)
  const began = performance.now()
  const told = to.hear(({ type, message }) => type === 'message' && hasFile(message), ms)
  from.say({ file: to.name, path: NAME })
  const { message } = (await told) as { message: { id: string } }
  const here = to.hear(({ type, file }) => type === 'file' && isHere(file, message.id), ms)
  to.say({ fetch: from.name, message: message.id })
  const { file } = (await here) as { file: { id: string } }
  const saved = to.hear(({ type }) => type === 'saved', ms)
  to.say({ save: file.id })
  const { path } = (await saved) as { path: string }
  if (!readFileSync(path).equals(content)) throw new SottoError('E_INTERNAL', 'the file is not what was sent')
  return performance.now() - began
}

const isHere = (file: unknown, of: string): boolean => {
  const { state, message } = file as { state: string; message?: string }
  return state === 'done' && message === of
}

const hasFile = (message: unknown): boolean => (message as { file?: object }).file !== undefined
