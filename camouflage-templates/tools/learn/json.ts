/** JSON bodies of one route as one text of the template: the same members in the same order, values as `values.ts` says. */
import { LearnLimits } from './limits.ts'
import type { Notebook } from './notebook.ts'
import type { Piece } from './values.ts'
import { learnNumber, learnText } from './values.ts'

export interface JsonPlace {
  /** Way through the document, for notes. */
  readonly where: string
  readonly name: string
  readonly notebook: Notebook
}

/** undefined where it is none, or is larger or deeper than is looked into. */
export function parseJson(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text)
    return countFields(value, 0) <= LearnLimits.fields ? value : undefined
  } catch {
    return undefined
  }
}

function countFields(value: unknown, depth: number): number {
  if (typeof value !== 'object' || value === null) return 1
  if (depth > LearnLimits.depth) return Number.POSITIVE_INFINITY
  return Object.values(value).reduce((sum: number, each) => sum + countFields(each, depth + 1), 1)
}

/**
 * What two bodies must have in common to be of one route: names of members and nesting, and values that are whole
 * documents or operation names, by which applications tell their calls apart on one path.
 */
export function skeletonOf(value: unknown, name = ''): string {
  if (Array.isArray(value)) return '[]'
  if (typeof value === 'object' && value !== null) {
    return `{${Object.entries(value)
      .map(([key, each]) => `${key}:${skeletonOf(each, key)}`)
      .join(',')}}`
  }
  return typeof value === 'string' && /^(operation(name)?|query|method|action|op)$/i.test(name)
    ? JSON.stringify(value)
    : '.'
}

/** Separators as the samples write them. */
export interface JsonStyle {
  readonly colon: string
  readonly comma: string
}

export function styleOf(text: string, value: unknown): JsonStyle {
  const compact = text.length === JSON.stringify(value).length || !/": /.test(text)
  return compact ? { colon: ':', comma: ',' } : { colon: ': ', comma: ', ' }
}

/** `values` of one place in all samples. */
export function learnJson(values: readonly unknown[], style: JsonStyle, place: JsonPlace): Piece[] {
  const kinds = values.map(kindOf)
  const kind = mostCommon(kinds)
  const alike = values.filter((_, at) => kinds[at] === kind)
  if (kind === 'object') return learnObject(alike as object[], style, place)
  if (kind === 'array') return learnArray(alike as unknown[][], style, place)
  if (kind === 'string') return quoted(learnText(alike as string[], place))
  if (kind === 'number') return [...learnNumber(alike as number[], place)]
  if (kind === 'boolean') return learnBoolean(alike as boolean[])
  return ['null']
}

function learnObject(values: readonly object[], style: JsonStyle, place: JsonPlace): Piece[] {
  const members = Object.keys(values[0]!).flatMap((key, at): Piece[] => {
    const below = values.map((value) => (value as Record<string, unknown>)[key])
    const inner = { ...place, name: key, where: `${place.where}.${key}` }
    return [
      ...(at === 0 ? [] : [style.comma]),
      ascii(JSON.stringify(key)),
      style.colon,
      ...learnJson(below, style, inner),
    ]
  })
  return ['{', ...members, '}']
}

/** As many items as most samples have, three at most; each learns from the items at its place. */
function learnArray(values: readonly unknown[][], style: JsonStyle, place: JsonPlace): Piece[] {
  const length = Math.min(3, mostCommon(values.map((value) => value.length)))
  const items = Array.from({ length }, (_, at): Piece[] => {
    const there = values.filter((value) => value.length > at).map((value) => value[at])
    return [
      ...(at === 0 ? [] : [style.comma]),
      ...learnJson(there, style, { ...place, where: `${place.where}[${at}]` }),
    ]
  })
  return ['[', ...items.flat(), ']']
}

function learnBoolean(values: readonly boolean[]): Piece[] {
  const share = values.filter((value) => value).length / values.length
  if (share === 0 || share === 1) return [String(share === 1)]
  const trues = Math.min(3, Math.max(1, Math.round(4 * share)))
  return [{ hole: { oneOf: [...Array<string>(trues).fill('true'), ...Array<string>(4 - trues).fill('false')] } }]
}

function quoted(pieces: readonly Piece[]): Piece[] {
  return [
    '"',
    ...pieces.map((piece) => (typeof piece === 'string' ? ascii(JSON.stringify(piece).slice(1, -1)) : piece)),
    '"',
  ]
}

/** Templates are ASCII; so is JSON where one likes. */
function ascii(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

function kindOf(value: unknown): 'object' | 'array' | 'string' | 'number' | 'boolean' | 'null' {
  if (value === null || value === undefined) return 'null'
  if (Array.isArray(value)) return 'array'
  return typeof value as 'object' | 'string' | 'number' | 'boolean'
}

export function mostCommon<T>(values: readonly T[]): T {
  const counts = new Map<T, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  return [...counts].reduce((best, each) => (each[1] > best[1] ? each : best))[0]
}
