/** A template ready for use: checked as a whole, holes and texts turned into patterns. */
import { crc32 } from 'node:zlib'
import type { Context } from './context.ts'
import { createContext } from './context.ts'
import { draftHeaders } from './headers.ts'
import { TemplateLimits } from './limits.ts'
import { holesOf } from './pattern.ts'
import type { Shape } from './shape.ts'
import { compileShape } from './shape.ts'
import type { Socket } from './socket.ts'
import { compileSocket } from './socket.ts'
import type { Path } from './source.ts'
import type { Family, HeaderData, Kind, PagePartsData, RhythmData, Template, TemplateData } from './template.ts'

export type { Form, Shape } from './shape.ts'
export type { SizeClasses } from './sizes.ts'
export type { Socket } from './socket.ts'

export interface CompiledTemplate {
  readonly id: string
  /** Only a dialer of this family may carry it. */
  readonly family: Family
  /** Path of the page a visitor's client loads first on a connection. */
  readonly page: string
  readonly pageHeaders: readonly (readonly [string, string])[]
  /** Headers of what a browser loads with the page; undefined for programs. `{{host}}` stands for the gateway's name. */
  readonly pageParts: PagePartsData | undefined
  /** Id, version and a checksum of the content: differs wherever two ends mean different templates. */
  readonly bindingId: string
  readonly rhythm: RhythmData
  readonly shapes: readonly Shape[]
  /** Carries the same over a WebSocket, where there can be one. */
  readonly socket?: Socket
  /** Several kinds may share a shape. */
  shape(kind: Kind): Shape
}

/** @throws TemplateError (`E_TEMPLATE`) naming the line that gives away, does not fit the limits, or is in doubt */
export function compileTemplate(template: Template): CompiledTemplate {
  const { data } = template
  const context = createContext(template)
  const bindingId = bindingOf(data)
  const shapes = new Map<string, Shape>()
  for (const [name, shape] of Object.entries(data.shapes)) {
    shapes.set(name, compileShape(context, data, bindingId, name, shape))
  }
  const socket = data.socket && compileSocket(context, data, bindingId, data.socket)
  checkKinds(context, data, shapes)
  checkUnused(context, data)
  checkPage(context, data)
  return Object.freeze<CompiledTemplate>({
    id: data.id,
    family: data.family,
    page: data.page.path,
    pageHeaders: data.page.headers,
    pageParts: data.page.parts,
    bindingId,
    rhythm: data.rhythm,
    shapes: Object.freeze([...shapes.values()]),
    ...(socket === undefined ? {} : { socket }),
    shape: (kind) => shapes.get(data.kinds[kind])!,
  })
}

/** Two files that say the same in the same order have the same one, whatever their comments and layout. */
function bindingOf(data: TemplateData): string {
  const checksum = crc32(JSON.stringify(data)).toString(16).padStart(8, '0')
  return `${data.id}@${data.version}#${checksum}`
}

function checkKinds(context: Context, data: TemplateData, shapes: ReadonlyMap<string, Shape>): void {
  for (const [kind, name] of Object.entries(data.kinds)) {
    if (!shapes.has(name)) context.refuse(['kinds', kind], 'the name of a shape')
  }
  const { firstContact, textClass } = TemplateLimits
  const roomy = [...shapes.values()].some((shape) => shape.up.max >= firstContact && shape.down.max >= firstContact)
  if (!roomy) context.refuse(['shapes'], `a shape that carries ${firstContact} octets each way, for a first contact`)
  const [from, to] = textClass
  const expectation = `a class of ${from} to ${to} octets, for a text message`
  const carriesText = (classes: readonly number[]): boolean => classes.some((each) => each >= from && each <= to)
  const { send, poll } = data.kinds
  if (!carriesText(shapes.get(send)!.up.classes)) context.refuse(['shapes', send, 'request', 'classes'], expectation)
  if (!carriesText(shapes.get(poll)!.down.classes)) context.refuse(['shapes', poll, 'response', 'classes'], expectation)
}

/** What a page's own requests say is the same each time, but for the gateway's name. */
function checkPage(context: Context, { page }: TemplateData): void {
  const lists: [Path, readonly HeaderData[]][] = [[['page', 'headers'], page.headers]]
  for (const [kind, headers] of Object.entries(page.parts ?? {})) lists.push([['page', 'parts', kind], headers])
  for (const [path, headers] of lists) {
    for (const [index, { pattern }] of draftHeaders(context, headers, path).entries()) {
      const isPlain = holesOf(pattern).every((hole) => hole.name === 'host')
      if (!isPlain || (path.length === 2 && holesOf(pattern).length > 0)) {
        context.refuse([...path, index, 1], path.length === 2 ? 'a text without holes' : 'no hole but {{host}}')
      }
    }
  }
}

function checkUnused(context: Context, data: TemplateData): void {
  const hole = Object.keys(data.holes).find((name) => !context.used.has(name))
  if (hole !== undefined) context.refuse(['holes', hole], 'a hole that some text uses')
  const shape = Object.keys(data.shapes).find((name) => !Object.values(data.kinds).includes(name))
  if (shape !== undefined) context.refuse(['shapes', shape], 'a shape that kinds name')
}
