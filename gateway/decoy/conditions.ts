/** Conditional and range requests, decided as nginx decides them (RFC 9110 sections 13 and 14). Pure. */

export interface Validators {
  /** Strong, with its quotes. */
  readonly etag: string
  /** HTTP date. */
  readonly lastModified: string
}

export interface ConditionHeaders {
  readonly 'if-match'?: string | undefined
  readonly 'if-none-match'?: string | undefined
  readonly 'if-modified-since'?: string | undefined
  readonly 'if-unmodified-since'?: string | undefined
  readonly 'if-range'?: string | undefined
  readonly range?: string | undefined
}

/** 200: answer in full, or in ranges. */
export function judgeConditions(headers: ConditionHeaders, validators: Validators): 200 | 304 | 412 {
  const { 'if-match': match, 'if-unmodified-since': unmodified } = headers
  if (unmodified !== undefined && isLater(validators.lastModified, unmodified)) return 412
  if (match !== undefined && !names(match, validators.etag, false)) return 412
  const { 'if-none-match': noneMatch, 'if-modified-since': modified } = headers
  if (noneMatch === undefined && modified === undefined) return 200
  // "Exact" is nginx's default: the client shows the date that it was given.
  if (modified !== undefined && Date.parse(modified) !== Date.parse(validators.lastModified)) return 200
  if (noneMatch !== undefined && !names(noneMatch, validators.etag, true)) return 200
  return 304
}

function isLater(lastModified: string, date: string): boolean {
  const limit = Date.parse(date)
  return Number.isNaN(limit) || Date.parse(lastModified) > limit
}

function names(list: string, etag: string, weak: boolean): boolean {
  if (list.trim() === '*') return true
  return list.split(',').some((item) => {
    const tag = item.trim()
    return tag === etag || (weak && tag === `W/${etag}`)
  })
}

export interface ByteRange {
  readonly start: number
  /** Included. */
  readonly end: number
}

/** More than this many are answered in full. Attack: many tiny ranges, each with a header of its own. */
const RANGES_MAX = 16

/** 'all': answer in full. 'none': nothing of it exists (416). */
export function judgeRanges(
  headers: ConditionHeaders,
  validators: Validators,
  size: number,
): readonly ByteRange[] | 'all' | 'none' {
  const { range, 'if-range': condition } = headers
  if (range === undefined || !/^bytes=/i.test(range)) return 'all'
  if (condition !== undefined && !rangeApplies(condition, validators)) return 'all'
  const specs = range.slice(6).split(',', RANGES_MAX + 1)
  if (specs.length > RANGES_MAX) return 'all'
  const ranges: ByteRange[] = []
  for (const spec of specs) {
    const one = parseRange(spec.trim(), size)
    if (one === undefined) return 'none'
    if (one !== 'outside') ranges.push(one)
  }
  if (ranges.length === 0) return 'none'
  const total = ranges.reduce((sum, { start, end }) => sum + end - start + 1, 0)
  return total > size ? 'all' : ranges
}

function rangeApplies(condition: string, { etag, lastModified }: Validators): boolean {
  return condition.startsWith('"') ? condition === etag : Date.parse(condition) === Date.parse(lastModified)
}

/** undefined: not a range at all. */
function parseRange(spec: string, size: number): ByteRange | 'outside' | undefined {
  const match = /^([0-9]{0,15})-([0-9]{0,15})$/.exec(spec)
  if (match === null || spec === '-') return undefined
  const [, first, last] = match as unknown as [string, string, string]
  if (first === '') {
    const length = Math.min(Number(last), size)
    return length === 0 ? 'outside' : { start: size - length, end: size - 1 }
  }
  const start = Number(first)
  const end = last === '' ? size - 1 : Math.min(Number(last), size - 1)
  return start > end ? 'outside' : { start, end }
}
