/** YAML with positions: plain data, and the line of everything in it. No anchors, aliases or tags: data, never tricks. */

import type { Document } from 'yaml'
import { isAlias, isMap, isNode, isPair, isScalar, isSeq, LineCounter, parseDocument, visit } from 'yaml'
import { TemplateLimits } from './limits.ts'
import { TemplateError } from './template-error.ts'

/** Keys and indexes from the document's root. */
export type Path = readonly (string | number)[]

export interface Source {
  readonly file: string
  /** Line of the value at `path`, or of the nearest thing around it that exists. */
  line(path: Path): number
}

/** @throws TemplateError always */
export function refuse(source: Source, path: Path, expectation: string, cause?: unknown): never {
  throw new TemplateError({ file: source.file, line: source.line(path), path: path.join('.') }, expectation, cause)
}

/**
 * Plain data out of YAML text, and where it stood.
 * @throws TemplateError too long, not YAML, or YAML with anchors, aliases, tags or several documents
 */
export function readSource(text: string, file: string): { data: unknown; source: Source } {
  const refuseLine = (line: number, expectation: string, cause?: unknown): never => {
    throw new TemplateError({ file, line, path: '' }, expectation, cause)
  }
  if (text.length > TemplateLimits.fileBytes) refuseLine(1, `at most ${TemplateLimits.fileBytes} characters`)
  const lines = new LineCounter()
  try {
    const document = parseDocument(text, { schema: 'core', lineCounter: lines, strict: true, uniqueKeys: true })
    const fault = document.errors[0] ?? document.warnings[0]
    if (fault) refuseLine(lines.linePos(fault.pos[0]).line, 'valid YAML', fault)
    const trick = findTrick(document)
    if (trick !== undefined) refuseLine(lines.linePos(trick).line, 'plain YAML without anchors, aliases and tags')
    return { data: document.toJS(), source: { file, line: (path) => lineOf(document, lines, path) } }
  } catch (cause) {
    if (cause instanceof TemplateError) throw cause
    return refuseLine(1, 'YAML of ordinary depth', cause)
  }
}

function findTrick(document: Document): number | undefined {
  let found: number | undefined
  visit(document, (_, node) => {
    if (isPair(node) && isNode(node.key) && !isScalar(node.key)) {
      found = node.key.range?.[0] ?? 0
      return visit.BREAK
    }
    if (!isNode(node)) return undefined
    const plain = !isAlias(node) && node.anchor === undefined && node.tag === undefined
    if (plain) return undefined
    found = node.range?.[0] ?? 0
    return visit.BREAK
  })
  return found
}

function lineOf(document: Document, lines: LineCounter, path: Path): number {
  let node: unknown = document.contents
  let offset = document.contents?.range?.[0] ?? 0
  for (const key of path) {
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(key))
      if (!pair) break
      offset = isScalar(pair.key) ? (pair.key.range?.[0] ?? offset) : offset
      node = pair.value
    } else if (isSeq(node)) {
      node = node.items[Number(key)]
      if (!isNode(node)) break
      offset = node.range?.[0] ?? offset
    } else break
  }
  return lines.linePos(offset).line
}
