/** The templates that a command line names: a built-in one by its id, a file, or a folder. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { CompiledTemplate } from '#engine/compile.ts'
import { compileTemplate } from '#engine/compile.ts'
import { loadTemplate } from '#engine/load.ts'
import { SottoError } from '#protocol/errors.ts'
import { builtinFile, builtinIds, builtinText } from '../builtin.ts'

export interface Found {
  readonly file: string
  readonly text: string
}

const FILE = 'template.yaml'
/** Octets that are read at all; the loader has the limit of a template. */
const MOST = 1_048_576

/** One or, in a folder of folders, several. @throws SottoError E_USAGE where there is none */
export function findTemplates(what: string): Found[] {
  if (builtinIds().includes(what) && !existsSync(what)) return [{ file: builtinFile(what), text: builtinText(what) }]
  const stat = statSync(what, { throwIfNoEntry: false })
  if (stat?.isFile()) return [read(what)]
  if (!stat?.isDirectory()) throw none(what)
  if (existsSync(join(what, FILE))) return [read(join(what, FILE))]
  const below = readdirSync(what)
    .sort()
    .map((name) => join(what, name, FILE))
    .filter((file) => existsSync(file))
  if (below.length === 0) throw none(what)
  return below.map(read)
}

/** @throws SottoError E_USAGE where there is none or several; TemplateError where it is refused */
export function findTemplate(what: string): Found & { readonly compiled: CompiledTemplate } {
  const [found, second] = findTemplates(what)
  if (found === undefined || second !== undefined)
    throw new SottoError('E_USAGE', `«${what}» holds several templates: name one`)
  return { ...found, compiled: compileTemplate(loadTemplate(found.text, found.file)) }
}

/** A sample of a message, from the folder beside the template; undefined where there is none. */
export function readSample(file: string, name: string): Buffer | undefined {
  const path = join(dirname(file), 'samples', basename(name))
  return existsSync(path) ? readFileSync(path) : undefined
}

function read(file: string): Found {
  const { size } = statSync(file)
  if (size > MOST) throw new SottoError('E_USAGE', `${file} has ${size} octets: that is no template`)
  return { file, text: readFileSync(file, 'utf8') }
}

const none = (what: string): SottoError =>
  new SottoError('E_USAGE', `there is no template «${what}»`, {
    next: `Name a file, a folder with a ${FILE}, or one of ${builtinIds().join(', ')}.`,
  })
