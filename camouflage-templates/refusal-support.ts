/** Templates that are refused: a sound one with one thing changed, and what the refusal has to say. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { compileTemplate } from '#engine/compile.ts'
import { loadTemplate } from '#engine/load.ts'
import { TemplateError } from '#engine/template-error.ts'

const read = (file: string): string => readFileSync(join(import.meta.dirname, file), 'utf8')

export const bases: Readonly<
  Record<'chat' | 'gallery' | 'beacon' | 'all' | 'containers' | 'video' | 'socketio', string>
> = {
  chat: read('templates/support-chat/template.yaml'),
  gallery: read('templates/gallery/template.yaml'),
  beacon: read('templates/beacon/template.yaml'),
  all: read('fixtures/combinations.yaml'),
  containers: read('fixtures/containers.yaml'),
  video: read('templates/video/template.yaml'),
  socketio: read('templates/socketio/template.yaml'),
}

export interface Bad {
  readonly base?: keyof typeof bases
  /** What is replaced, by what; the first place. */
  readonly from: string
  readonly to: string
  /** Beginning of the line that is named: the last one down to the change, else the first. Default: the changed one. */
  readonly line?: string
  /** Beginning of the line from which on the named one is looked for instead. */
  readonly section?: string
  readonly path: string
  readonly expected: string
}

export function refusalOf(text: string): TemplateError | undefined {
  try {
    compileTemplate(loadTemplate(text, 'bad.yaml'))
    return undefined
  } catch (error) {
    if (error instanceof TemplateError) return error
    throw error
  }
}

export function checkRefusal(t: ExecutionContext, bad: Bad): void {
  const { base = 'chat', from, to, path, expected } = bad
  const at = bases[base].indexOf(from)
  t.true(at >= 0, 'the base has changed')
  const text = bases[base].slice(0, at) + to + bases[base].slice(at + from.length)
  const refusal = refusalOf(text)
  const line = lineOf(text, text.slice(0, at).split('\n').length - 1, bad)
  t.deepEqual({ path: refusal?.path, expected: refusal?.expectation, line: refusal?.line }, { path, expected, line })
  t.is(refusal?.code, 'E_TEMPLATE')
  t.is(refusal?.message, `bad.yaml:${line}: ${path || 'template'}: expected ${expected}`)
}

/** Counted from 1. `changed` from 0. */
function lineOf(text: string, changed: number, { line, section }: Bad): number {
  if (line === undefined) return changed + 1
  const lines = text.split('\n')
  const start = section === undefined ? 0 : lines.findIndex((each) => each.startsWith(section))
  const before = section === undefined ? lines.findLastIndex((each, at) => at <= changed && each.startsWith(line)) : -1
  return 1 + (before >= 0 ? before : lines.findIndex((each, at) => at >= start && each.startsWith(line)))
}
