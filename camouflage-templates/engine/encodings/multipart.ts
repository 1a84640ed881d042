/** RFC 7578 form data: text before and after the one part that is a file. */

import type { Pattern } from '../pattern.ts'
import { joinPatterns } from '../pattern.ts'
import type { Path } from '../source.ts'
import type { MultipartData, MultipartPart } from '../template.ts'

export interface MultipartDraft {
  readonly head: Pattern
  /** The part whose content is a file; undefined where all are texts. */
  readonly file: { readonly part: MultipartPart; readonly path: Path } | undefined
  readonly tail: Pattern
}

/** `parse` turns a text of the template, found at a path below `path`, into a pattern. */
export function draftMultipart(
  data: MultipartData,
  path: Path,
  parse: (text: string, path: Path) => Pattern,
): MultipartDraft {
  const boundary = parse(data.boundary, [...path, 'boundary'])
  const before: (Pattern | string)[] = []
  const after: (Pattern | string)[] = []
  let file: MultipartDraft['file']
  for (const [index, part] of data.parts.entries()) {
    const at = [...path, 'parts', index]
    const side = file === undefined ? before : after
    const headers = part.headers.flatMap(([name, value], row) => {
      return [`${name}: `, parse(value, [...at, 'headers', row, 1]), '\r\n']
    })
    side.push('--', boundary, '\r\n', ...headers, '\r\n')
    if (part.text !== undefined) side.push(parse(part.text, [...at, 'text']), '\r\n')
    else {
      if (file !== undefined) throw new RangeError('only one part that is a file')
      file = { part, path: at }
      after.push('\r\n')
    }
  }
  const last = file === undefined ? before : after
  last.push('--', boundary, '--\r\n')
  return { head: joinPatterns(...before), file, tail: joinPatterns(...after) }
}
