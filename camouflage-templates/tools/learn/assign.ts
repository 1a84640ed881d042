/** Decides which places of a message carry token and payload, and names what stands in all the others. */
import { TemplateLimits } from '#engine/limits.ts'
import type { BodyData, HeaderData, HoleData, MultipartPart, PngData } from '#engine/template.ts'
import { Unusable } from './bodies.ts'
import type { DraftFile, DraftMessage, DraftText } from './draft.ts'
import { isFile, opaqueOf } from './draft.ts'
import type { Notebook } from './notebook.ts'
import type { Opaque } from './opaque.ts'
import { quantileOf } from './rhythm.ts'
import { classesOf, picturesOf } from './sizes.ts'
import type { Piece } from './values.ts'
import { span } from './values.ts'

/** Octets of a token. */
const TOKEN = 16

/** Holes of one template. A hole stands once in a message; the same hole may serve several messages. */
export class Namer {
  readonly holes: Record<string, HoleData> = {}
  private used = new Set<string>()

  /** Begins another message. */
  next(): void {
    this.used = new Set()
  }

  name(wanted: string, data: HoleData): string {
    const base = wanted.replaceAll(/[^A-Za-z0-9]+(.)?/g, (_, next: string | undefined) => next?.toUpperCase() ?? '')
    const plain = (/^[A-Za-z]/.test(base) && base !== 'host' ? base : 'value').slice(0, 24)
    for (let n = 1; ; n++) {
      const name = n === 1 ? plain : `${plain}${n}`
      if (this.used.has(name)) continue
      const there = this.holes[name]
      if (there !== undefined && JSON.stringify(there) !== JSON.stringify(data)) continue
      this.holes[name] = data
      this.used.add(name)
      return name
    }
  }
}

export interface Assigned {
  readonly path: string
  readonly query: readonly HeaderData[]
  readonly headers: readonly HeaderData[]
  readonly body: BodyData | undefined
  readonly classes: readonly number[]
  /** Where the token stands, e.g. `cursor (16 octets, base64)`; undefined in an answer. */
  readonly token: string | undefined
  readonly payload: string
  /** Bits that differ from request to request in path and query, at the least. */
  readonly urlBits: number
}

export interface AssignInput {
  readonly draft: DraftMessage
  readonly direction: 'request' | 'response'
  readonly namer: Namer
  readonly where: string
  readonly notebook: Notebook
}

/** @throws Unusable saying what is missing */
export function assign(input: AssignInput): Assigned {
  const { draft, direction } = input
  const found = opaquesOf(draft)
  const token = direction === 'request' ? findToken(found) : undefined
  const file = fileOf(draft)
  const open =
    file === undefined
      ? findOpen(
          found.filter((each) => each !== token),
          input,
        )
      : undefined
  return new Assignment(input, token?.opaque, open?.opaque, file).result({
    token: token && describe(token),
    payload: file === undefined ? describe(open!) : `a file (${file.kind === 'png' ? 'PNG' : 'octets'})`,
  })
}

interface Found {
  readonly name: string
  readonly opaque: Opaque
}

function textsOf({ query, headers, path, body }: DraftMessage): DraftText[] {
  const all: DraftText[] = [{ name: 'path', pieces: path }, ...query, ...headers]
  if (body?.kind === 'text') all.push({ name: 'body', pieces: body.pieces })
  if (body?.kind === 'form') {
    for (const { content } of body.parts) if (!isFile(content)) all.push(content)
  }
  return all
}

function opaquesOf(draft: DraftMessage): Found[] {
  return textsOf(draft).flatMap(({ name, pieces }) =>
    pieces.flatMap((piece, at): Found[] => {
      const opaque = opaqueOf(piece)
      return opaque === undefined ? [] : [{ name: memberAt(pieces, at) ?? name, opaque }]
    }),
  )
}

/** The member of JSON in whose value a piece stands, or what a content type says of its form. */
function memberAt(pieces: readonly Piece[], at: number): string | undefined {
  const before = pieces
    .slice(0, at)
    .filter((piece) => typeof piece === 'string')
    .join('')
  if (/boundary=[^;]*$/.test(before)) return 'boundary'
  const member = /"([^"\\]+)"\s*:\s*"?[^",{}[\]]*$/.exec(before) ?? /(?:^|&)([^&=]+)=[^&=]*$/.exec(before)
  return member?.[1]
}

function describe({ name, opaque }: Found): string {
  const [least, most] = span(opaque.octets)
  return `${name} (${least === most ? least : `${least} to ${most}`} octets, ${opaque.encoding})`
}

function findToken(found: readonly Found[]): Found {
  const fixed = found.filter(({ opaque }) => span(opaque.octets)[0] === span(opaque.octets)[1])
  const exact = fixed.find(({ opaque }) => opaque.octets[0] === TOKEN)
  const longer = fixed.find(({ opaque }) => opaque.encoding === 'hex' && opaque.octets[0]! > TOKEN)
  const token = exact ?? longer
  if (token !== undefined) return token
  const there =
    found.length === 0 ? 'nothing in the request looks random' : `there is ${found.map(describe).join(', ')}`
  throw new Unusable(`no place for a token, which takes ${TOKEN} random octets of fixed length: ${there}`)
}

function findOpen(found: readonly Found[], { direction }: AssignInput): Found {
  const roomy = found.filter(({ opaque }) => span(opaque.octets)[1] >= TemplateLimits.smallestClass)
  const rank = ({ opaque }: Found): number => {
    const [least, most] = span(opaque.octets)
    return (least === most ? 0 : 1e9) + most
  }
  const best = roomy.toSorted((a, b) => rank(b) - rank(a))[0]
  if (best !== undefined) return best
  const there = found.length === 0 ? 'nothing else in it looks random' : `there is ${found.map(describe).join(', ')}`
  const least = TemplateLimits.smallestClass
  throw new Unusable(`no place for a payload of ${least} octets or more in the ${direction}: ${there}`)
}

function fileOf({ body }: DraftMessage): DraftFile | undefined {
  if (body?.kind === 'file') return body.file
  if (body?.kind !== 'form') return undefined
  return body.parts.map(({ content }) => content).find(isFile)
}

/** One message under way. */
class Assignment {
  private readonly input: AssignInput
  private readonly token: Opaque | undefined
  private readonly open: Opaque | undefined
  private readonly file: DraftFile | undefined
  /** Octets in places of fixed length. */
  private fixed = 0
  private bits = 0
  private readonly named = new Map<Piece, string>()

  constructor(input: AssignInput, token: Opaque | undefined, open: Opaque | undefined, file: DraftFile | undefined) {
    this.input = input
    this.token = token
    this.open = open
    this.file = file
    input.namer.next()
  }

  result(said: Pick<Assigned, 'token' | 'payload'>): Assigned {
    const { draft } = this.input
    const path = this.text({ name: 'path', pieces: draft.path }, true)
    const query = draft.query.map((text): HeaderData => [text.name, this.text(text, true)])
    const headers = draft.headers.map((text): HeaderData => [text.name, this.text(text)])
    const pictures = this.file?.kind === 'png' ? picturesOf(this.file.lengths) : undefined
    const body = this.body(pictures?.sizes)
    const carried = pictures?.classes ?? classesOf(this.file?.lengths ?? this.open!.octets)
    const classes = carried.map((length) => length + this.fixed)
    if (classes.length === 0) throw new Unusable('what could carry a payload is shorter than 96 octets, or too long')
    return { path, query, headers, body, classes, ...said, urlBits: this.bits }
  }

  private text({ name, pieces }: DraftText, inUrl = false): string {
    return pieces
      .map((piece, at) => (typeof piece === 'string' ? piece : this.hole(piece, memberAt(pieces, at) ?? name, inUrl)))
      .join('')
  }

  private hole(piece: Exclude<Piece, string>, name: string, inUrl: boolean): string {
    if ('opaque' in piece) return this.slot(piece.opaque, name, inUrl)
    if (inUrl) this.bits += bitsOf(piece.hole)
    // A piece that stands in two places, as a boundary does, is the same in both.
    const named = this.named.get(piece) ?? this.input.namer.name(name, piece.hole)
    this.named.set(piece, named)
    return `{{${named}}}`
  }

  private slot(opaque: Opaque, name: string, inUrl: boolean): string {
    const { namer } = this.input
    if (inUrl) this.bits += 8 * TOKEN
    if (opaque === this.open) return `{{${namer.name(name, { payload: opaque.encoding })}}}`
    if (opaque !== this.token) return this.exact(opaque, Math.round(quantileOf(opaque.octets, 0.5)), name)
    const token = `{{${namer.name(name, { token: opaque.encoding })}}}`
    const rest = opaque.octets[0]! - TOKEN
    return rest === 0 ? token : token + this.exact(opaque, rest, `${name}Rest`)
  }

  private exact({ encoding, octets }: Opaque, length: number, name: string): string {
    const { namer, notebook, where } = this.input
    const [least, most] = span(octets)
    if (least !== most)
      notebook.note('open', `${where}: ${name}`, `differs in length, and has always ${length} octets here`)
    this.fixed += length
    return `{{${namer.name(name, { payload: encoding, exact: length })}}}`
  }

  private body(sizes: PngData['sizes'] | undefined): BodyData | undefined {
    const { body } = this.input.draft
    if (body === undefined) return undefined
    if (body.kind === 'text') return { text: this.text({ name: 'body', pieces: body.pieces }) }
    if (body.kind === 'file') return fileData(body.file, sizes)
    const boundary = this.text({ name: 'boundary', pieces: body.boundary })
    const parts = body.parts.map(({ headers, content }): MultipartPart => {
      const lines = headers.map((text): HeaderData => [text.name, this.text({ ...text, name: 'file' })])
      return { headers: lines, ...(isFile(content) ? fileData(content, sizes) : { text: this.text(content) }) }
    })
    return { multipart: { boundary, parts } }
  }
}

function fileData({ kind, chunks, idat }: DraftFile, sizes: PngData['sizes'] | undefined): BodyData {
  return kind === 'raw' || sizes === undefined ? { raw: true } : { png: { sizes, chunks, idat } }
}

function bitsOf(hole: HoleData): number {
  if ('number' in hole) return Math.log2(hole.number[1] - hole.number[0] + 1)
  if ('oneOf' in hole) return Math.log2(new Set(hole.oneOf).size)
  const letters = { digits: 10, hex: 16, base36: 36, base62: 62 }
  return 'run' in hole ? hole.length[0] * Math.log2(letters[hole.run]) : 0
}
