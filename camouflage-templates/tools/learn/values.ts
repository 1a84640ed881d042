/**
 * From all samples of one field to what stands there in the template: constants, decoration, or a place where sealed
 * octets may stand. Values themselves are copied only where they are words of a protocol.
 */

import { TemplateLimits } from '#engine/limits.ts'
import type { HoleData } from '#engine/template.ts'
import type { Notebook } from './notebook.ts'
import type { Opaque } from './opaque.ts'
import { findOpaque } from './opaque.ts'
import { personalReason } from './personal.ts'

/** Text as it is, decoration, or a place for sealed octets. */
export type Piece = string | { readonly hole: HoleData } | { readonly opaque: Opaque }

export interface Field {
  /** Of the member, parameter or header. */
  readonly name: string
  /** For notes. */
  readonly where: string
  readonly notebook: Notebook
  /** Words are never copied, not even one of a few: somebody may have typed them. */
  readonly typed?: boolean
}

/** A word of a protocol rather than of a person. */
const keyword = /^[A-Za-z][A-Za-z0-9_.:/+-]{0,39}$|^[0-9]{1,4}$/
/** A document of a query language, which is part of the application. */
const program = /^\s*(query|mutation|subscription|fragment)\b|^\s*\{\s*\w+/
/** Parameters of queries and forms whose words are the application's. */
const protocolName =
  /^(v|ver|version|api[-_]?version|format|fmt|output|alt|transport|eio|client|platform|device|fit|crop|auto|mode|action|op|do|method)$/i
/** Names of constants that look random and belong to the application, not to a session. */
const buildConstant = /hash|sha\d*|digest|build|revision|version|release/i
/** Different words that may count as a choice. */
const CHOICES = 12

export function learnText(values: readonly string[], field: Field): readonly Piece[] {
  const personal = values.map((value) => personalReason(field.name, value)).find((reason) => reason !== undefined)
  const opaque = findOpaque(values)
  // A sealed value that differs each time says nothing of anybody, whatever its name.
  if (opaque !== undefined) return [{ opaque }]
  if (personal !== undefined) return replaced(values, field, personal)
  if (new Set(values).size === 1) return constant(values[0]!, field)
  return choice(values, field) ?? segments(values, field) ?? replaced(values, field, 'words that differ')
}

function constant(value: string, field: Field): readonly Piece[] {
  if (value === '') return ['']
  const random = looksLikeKey(value)
  if (field.typed && !/^\d{1,4}$/.test(value) && !protocolName.test(field.name)) {
    return replaced([value], field, 'a word that somebody may have typed')
  }
  const keep = random ? buildConstant.test(field.name) : keyword.test(value) || program.test(value)
  if (!keep) return replaced([value], field, random ? 'a constant that looks like a key' : 'words')
  field.notebook.note('kept', field.where, `«${value.length > 60 ? `${value.slice(0, 57)}...` : value}»`)
  return [value]
}

/** A constant that belongs to a session or a device, not to the application. */
export function looksLikeKey(value: string): boolean {
  return /^[A-Za-z0-9+/=_-]{16,}$/.test(value) && /\d/.test(value)
}

function choice(values: readonly string[], field: Field): readonly Piece[] | undefined {
  const counts = new Map<string, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  const words = [...counts.keys()].sort()
  const repeats = counts.size <= CHOICES && values.length >= 1.5 * counts.size
  if (field.typed || !repeats || !words.every((word) => keyword.test(word) && !/\d{5}/.test(word))) return undefined
  field.notebook.note('kept', field.where, `one of ${words.map((word) => `«${word}»`).join(', ')}`)
  return [{ hole: { oneOf: weighted(counts) } }]
}

/** As often as they came, rounded, so that few alternatives are tried. */
function weighted(counts: ReadonlyMap<string, number>): string[] {
  const least = Math.min(...counts.values())
  return [...counts].flatMap(([word, count]) => Array<string>(Math.min(4, Math.round(count / least))).fill(word))
}

/** Values of one form: the same separators around runs of letters and digits. */
function segments(values: readonly string[], field: Field): readonly Piece[] | undefined {
  const split = values.map((value) => value.split(/([^A-Za-z0-9]+)/))
  const form = (parts: readonly string[]): string => parts.filter((_, at) => at % 2 === 1).join('\0')
  const same = split.every((parts) => parts.length === split[0]!.length && form(parts) === form(split[0]!))
  // More separators than this are sentences, not identifiers.
  if (!same || split[0]!.length > 2 * 8 || /\s/.test(values[0]!)) return undefined
  const pieces = split[0]!.map((separator, at): Piece | undefined => {
    return at % 2 === 1
      ? separator
      : segment(
          split.map((parts) => parts[at]!),
          field,
        )
  })
  return pieces.includes(undefined) ? undefined : (pieces as Piece[])
}

function segment(values: readonly string[], field: Field): Piece | undefined {
  const distinct = [...new Set(values)]
  if (distinct.length === 1) {
    const plain = distinct[0]!.length < 16
    if (plain && distinct[0] !== '') field.notebook.note('kept', field.where, `«${distinct[0]}» in every value`)
    return plain ? distinct[0]! : run(values)
  }
  if (distinct.every((value) => /^(0|[1-9]\d{0,8})$/.test(value)))
    return { hole: { number: span(distinct.map(Number)) } }
  // Letters alone are words unless no two are alike and none could be spoken; only digits make that certain.
  const digits = distinct.filter((value) => /\d/.test(value)).length
  return digits >= distinct.length / 2 ? run(values) : undefined
}

/** undefined where it has to be something longer or other than identifiers are. */
function run(values: readonly string[]): Piece | undefined {
  const length = span(values.map((value) => value.length))
  if (length[0] === 0 || length[1] > TemplateLimits.runLength) return undefined
  const all = values.join('')
  if (!/^[A-Za-z0-9]+$/.test(all)) return undefined
  const name = /^\d+$/.test(all)
    ? 'digits'
    : /^[0-9a-f]+$/.test(all)
      ? 'hex'
      : /^[0-9a-z]+$/.test(all)
        ? 'base36'
        : 'base62'
  return { hole: { run: name, length } }
}

/** Something of the same form and length instead; nothing where it was words. */
function replaced(values: readonly string[], { where, notebook }: Field, reason: string): readonly Piece[] {
  notebook.note('dropped', where, reason)
  const filled = run(values)
  if (filled !== undefined && values.some((value) => /\d/.test(value))) return [filled]
  notebook.note(
    'open',
    where,
    'is empty in the template: give it texts of your own (oneOf) where the real one is never empty',
  )
  return ['']
}

export function span(values: readonly number[]): [number, number] {
  return [Math.min(...values), Math.max(...values)]
}

/** Numbers of JSON, as text. */
export function learnNumber(values: readonly number[], field: Field): readonly Piece[] {
  const personal = personalReason(field.name, '')
  const distinct = new Set(values)
  if (distinct.size === 1 && personal === undefined && Math.abs(values[0]!) < 10_000) {
    field.notebook.note('kept', field.where, `${values[0]}`)
    return [String(values[0])]
  }
  if (values.every((value) => Number.isInteger(value) && value >= 0)) return wholeNumber(values, field, personal)
  field.notebook.note('dropped', field.where, personal ?? 'fractions and negative numbers')
  return ['0']
}

function wholeNumber(values: readonly number[], field: Field, personal: string | undefined): readonly Piece[] {
  const [least, most] = span(values)
  const hidden = personal !== undefined || least === most
  if (hidden) field.notebook.note('dropped', field.where, personal ?? 'a number that identifies something')
  const digits = String(most).length
  const range: [number, number] = hidden ? [10 ** (digits - 1), 10 ** digits - 1] : [least, most]
  if (range[1] < 2 ** 31) return [{ hole: { number: range } }]
  // Times in milliseconds and the like: the beginning, which changes in years, and digits behind it.
  field.notebook.note('open', field.where, 'is a large number or a time: its last digits are drawn at random')
  const start = String(most).slice(0, Math.max(1, digits - 10))
  const rest = digits - start.length
  return [start, { hole: { run: 'digits', length: [rest, rest] } }]
}
