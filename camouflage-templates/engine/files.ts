/** Which encoding a file of the template means, and what it needs to know beside the classes. */
import type { Context } from './context.ts'
import type { Binary } from './encodings/binary.ts'
import { createEngineIo } from './encodings/engineio.ts'
import { createFmp4 } from './encodings/fmp4.ts'
import { createGrpcWeb } from './encodings/grpc-web.ts'
import { createNdjson } from './encodings/ndjson.ts'
import { createPng } from './encodings/png.ts'
import { raw } from './encodings/raw.ts'
import { createSegment } from './encodings/segment.ts'
import { createZip } from './encodings/zip.ts'
import type { Pattern } from './pattern.ts'
import { findAmbiguity } from './pattern.ts'
import type { Path } from './source.ts'
import type { FileData } from './template.ts'

export interface FileDraft {
  readonly path: Path
  /** Texts inside whose holes belong to the message. */
  readonly inner: readonly Pattern[]
  /** `classes`: octets for the file, ascending. @throws RangeError (completes "expected ...") */
  create(classes: readonly number[]): Binary
}

/** `path`: of the body or part that `content` is. @throws TemplateError */
export function draftFile(context: Context, content: FileData, path: Path): FileDraft {
  const { png, zip, segment, fmp4, ndjson, engineio, grpcWeb } = content
  const plain = (create: FileDraft['create']): FileDraft => ({ path, inner: [], create })
  if (png !== undefined) return plain((classes) => createPng(png, classes))
  if (segment !== undefined) return plain((classes) => createSegment(segment, classes))
  if (fmp4 !== undefined) return plain((classes) => createFmp4(fmp4, classes))
  if (engineio !== undefined) return plain((classes) => createEngineIo(engineio, classes))
  if (grpcWeb !== undefined) return plain(() => createGrpcWeb(grpcWeb))
  if (zip !== undefined) {
    const name = context.parse(zip.name, [...path, 'zip', 'name'])
    return { path, inner: [name], create: () => createZip(zip, name) }
  }
  if (ndjson !== undefined) {
    const at = [...path, 'ndjson', 'line']
    const line = context.parse(ndjson.line, at)
    const ambiguity = findAmbiguity(line, false)
    if (ambiguity !== undefined) context.refuse(at, ambiguity)
    return plain(() => createNdjson(line, ndjson.bytes))
  }
  return plain(() => raw)
}
