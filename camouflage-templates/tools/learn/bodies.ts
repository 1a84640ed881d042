/** Bodies of one route as a text, a file, or a form. */
import { SottoError } from '#protocol/errors.ts'
import type { DraftBody, DraftFile, DraftPart } from './draft.ts'
import type { RecordedMessage } from './har.ts'
import { learnJson, parseJson, styleOf } from './json.ts'
import { SAMPLES_LEAST } from './limits.ts'
import type { Notebook } from './notebook.ts'
import { readPicture } from './picture.ts'
import { pairsOf } from './routes.ts'
import type { Piece } from './values.ts'
import { learnText } from './values.ts'

export interface BodyInput {
  readonly samples: readonly RecordedMessage[]
  readonly where: string
  readonly notebook: Notebook
}

/** Why a route cannot be a shape: said to the operator, and learning goes on with the other routes. */
export class Unusable extends SottoError {
  constructor(reason: string) {
    super('E_LEARN', reason)
  }
}

/** undefined for messages without a body. @throws Unusable for bodies that no encoding of templates writes */
export function learnBody(input: BodyInput): DraftBody | undefined {
  const { samples } = input
  const { type } = samples[0]!
  if (samples.every(({ length }) => length === 0)) return undefined
  if (type === 'image/png') return { kind: 'file', file: picture(samples) }
  if (type === 'application/octet-stream') return { kind: 'file', file: octets(samples) }
  if (type === 'multipart/form-data') return learnForm(input)
  if (type === 'application/x-www-form-urlencoded') return learnPairs(input)
  if (type === 'application/json' || type.endsWith('+json')) return learnJsonBody(input)
  throw new Unusable(`${type || 'a body without a type'} is no kind of body that templates write`)
}

function learnJsonBody({ samples, where, notebook }: BodyInput): DraftBody {
  const bodies = samples.flatMap(({ body }) => (body === undefined ? [] : [body]))
  const values = bodies.map(parseJson)
  const whole = values.filter((value) => value !== undefined)
  if (whole.length < SAMPLES_LEAST) {
    throw new Unusable(`the recording has ${whole.length} of its bodies, ${SAMPLES_LEAST} are needed`)
  }
  const at = values.findIndex((value) => value !== undefined)
  const style = styleOf(bodies[at]!, values[at])
  return { kind: 'text', pieces: learnJson(whole, style, { where, name: '', notebook }) }
}

/** Names are those of the first; the route has only bodies with the same ones. Values stay as they are encoded. */
function learnPairs({ samples, where, notebook }: BodyInput): DraftBody {
  const bodies = samples.flatMap(({ body }) => (body === undefined ? [] : [pairsOf(body)]))
  if (bodies.length < SAMPLES_LEAST) {
    throw new Unusable(`the recording has ${bodies.length} of its bodies, ${SAMPLES_LEAST} are needed`)
  }
  const pieces = bodies[0]!.flatMap(([name], at): Piece[] => {
    const field = { name, where: `${where}: ${name}`, notebook, typed: true }
    const values = bodies.map((pairs) => pairs[at]?.[1] ?? '')
    return [`${at === 0 ? '' : '&'}${name}=`, ...learnText(values, field)]
  })
  return { kind: 'text', pieces }
}

/** Octets that are not text say nothing of anybody once others stand there; lengths are all that is kept. */
function octets(samples: readonly RecordedMessage[]): DraftFile {
  return { kind: 'raw', lengths: samples.map(({ length }) => length), chunks: [], idat: 0 }
}

function picture(samples: readonly RecordedMessage[]): DraftFile {
  const read = samples.map(({ body }) => (body === undefined ? undefined : readPicture(body)))
  const first = read.find((each) => each !== undefined)
  return {
    kind: 'png',
    lengths: samples.map(({ length }) => length),
    chunks: first?.chunks ?? [],
    idat: first?.idat ?? 8_192,
  }
}

// ---- forms -------------------------------------------------------------------------------------------------------------

interface RecordedPart {
  readonly headers: readonly (readonly [string, string])[]
  readonly content: string
}

function learnForm({ samples, where, notebook }: BodyInput): DraftBody {
  const forms = samples.flatMap((sample) => {
    const boundary = boundaryOf(sample)
    const parts = sample.body === undefined || boundary === undefined ? undefined : readForm(sample.body, boundary)
    return parts === undefined || parts.length === 0 ? [] : [{ parts, boundary: boundary!, length: sample.length }]
  })
  if (forms.length < SAMPLES_LEAST) {
    throw new Unusable('the recording does not have the parts of its forms: some browsers leave out uploads of files')
  }
  const count = forms[0]!.parts.length
  const alike = forms.filter(({ parts }) => parts.length === count)
  const parts = Array.from({ length: count }, (_, at) => {
    const column = alike.map((form) => ({ part: form.parts[at]!, form }))
    return learnPart(column, where, notebook)
  })
  const place = { name: 'boundary', where: `${where}: boundary`, notebook }
  return {
    kind: 'form',
    boundary: boundaryPieces(
      alike.map(({ boundary }) => boundary),
      place,
    ),
    parts,
  }
}

/** What all boundaries begin with, and the rest drawn. */
function boundaryPieces(
  values: readonly string[],
  place: Parameters<typeof learnText>[1],
): DraftPart['headers'][number]['pieces'] {
  const first = values[0]!
  let same = 0
  while (same < first.length && values.every((value) => value[same] === first[same])) same++
  const rest = values.map((value) => value.slice(same))
  return rest.every((value) => /^[A-Za-z0-9]+$/.test(value))
    ? [
        first.slice(0, same),
        { hole: { run: /^\d+$/.test(rest.join('')) ? 'digits' : 'base62', length: lengths(rest) } },
      ]
    : learnText(values, place)
}

const lengths = (values: readonly string[]): [number, number] => {
  const all = values.map((value) => value.length)
  return [Math.min(...all), Math.max(...all)]
}

type Column = readonly { part: RecordedPart; form: { parts: readonly RecordedPart[]; length: number } }[]

function learnPart(column: Column, where: string, notebook: Notebook): DraftPart {
  const disposition = dispositionOf(column[0]!.part)
  const name = /\bname="([^"]*)"/.exec(disposition)?.[1] ?? ''
  const place = { name, where: `${where}: part ${name}`, notebook }
  const type = column[0]!.part.headers.find(([each]) => each.toLowerCase() === 'content-type')?.[1]
  const headers = column[0]!.part.headers.map(([header], at) => {
    const values = column.map(({ part }) => part.headers[at]?.[1] ?? '')
    return {
      name: header,
      pieces: header.toLowerCase() === 'content-disposition' ? dispositionPieces(values, name, place) : [values[0]!],
    }
  })
  if (type === 'image/png' || type === 'application/octet-stream') {
    // The recording's text of a file is often damaged or left out: what the rest leaves of the length is the file's.
    const files = column.map(({ form, part }) => Math.max(part.content.length, form.length - overheadOf(form.parts)))
    return {
      headers,
      content: { kind: type === 'image/png' ? 'png' : 'raw', lengths: files, chunks: [], idat: 65_445 },
    }
  }
  if (type !== undefined) throw new Unusable(`a part of type ${type} is no kind of file that templates write`)
  return {
    headers,
    content: {
      name,
      pieces: learnText(
        column.map(({ part }) => part.content),
        place,
      ),
    },
  }
}

const dispositionOf = (part: RecordedPart): string =>
  part.headers.find(([name]) => name.toLowerCase() === 'content-disposition')?.[1] ?? ''

/** A file's name is drawn; its ending stays. */
function dispositionPieces(
  values: readonly string[],
  name: string,
  place: Parameters<typeof learnText>[1],
): DraftPart['headers'][number]['pieces'] {
  const files = values.map((value) => /; filename="([^"]*)"/.exec(value)?.[1])
  const start = `form-data; name="${name}"`
  if (files[0] === undefined) return [start]
  const pieces = learnText(
    files.map((file) => file ?? ''),
    { ...place, name: 'filename', where: `${place.where}: filename` },
  )
  return [`${start}; filename="`, ...pieces, '"']
}

/** Octets of a form beside the contents of its files, nearly. */
function overheadOf(parts: readonly RecordedPart[]): number {
  return parts.reduce((sum, { headers, content }) => {
    const isPartFile = headers.some(([name]) => name.toLowerCase() === 'content-type')
    const head = headers.reduce((length, [name, value]) => length + name.length + value.length + 4, 0)
    return sum + head + 60 + (isPartFile ? 0 : content.length)
  }, 60)
}

function boundaryOf({ headers }: RecordedMessage): string | undefined {
  const type = headers.find(([name]) => name.toLowerCase() === 'content-type')?.[1]
  return /boundary="?([^";]+)/.exec(type ?? '')?.[1]
}

function readForm(body: string, boundary: string): RecordedPart[] {
  const pieces = body.split(`--${boundary}`).slice(1, -1)
  return pieces.flatMap((piece) => {
    const end = piece.indexOf('\r\n\r\n')
    if (end < 0) return []
    const headers = piece
      .slice(2, end)
      .split('\r\n')
      .map((line) => {
        const colon = line.indexOf(':')
        return [line.slice(0, colon), line.slice(colon + 1).trim()] as const
      })
    return [{ headers, content: piece.slice(end + 4, -2) }]
  })
}
