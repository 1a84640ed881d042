/** Header sets and their order, out of many samples. */
import type { Family } from '#engine/template.ts'
import { families } from '../families.ts'
import type { DraftText } from './draft.ts'
import { mostCommon } from './json.ts'
import type { Notebook } from './notebook.ts'
import { findOpaque } from './opaque.ts'
import { isCredential, personalReason } from './personal.ts'
import { learnText, looksLikeKey } from './values.ts'

type Headers = readonly (readonly [string, string])[]

/** Written by dialer and gateway, or about one connection or one cache. */
const foreign =
  /^(accept-ch|age|alt-svc|connection|content-encoding|content-length|cookie|date|expect|forwarded|host|if-.*|keep-alive|nel|pragma-.*|proxy-.*|range|report-to|server|server-timing|set-cookie|te|trailer|transfer-encoding|upgrade|via|x-forwarded-.*|x-powered-by|x-real-ip|x-runtime)$/i
/** Headers of answers that belong to the kind of answer. The site's server adds the others to every answer by itself. */
const ofAnswers =
  /^(content-type|content-disposition|content-language|cache-control|pragma|etag|vary|x-content-type-options)$/i

/** Headers that say what client this is, and of what kind the message. */
const ordinary =
  /^(accept.*|content-type|user-agent|sec-(ch|fetch)-.*|upgrade-insecure-requests|priority|origin|referer|cache-control|pragma|vary|x-content-type-options)$/

export interface HeaderInput {
  /** Of each sample. */
  readonly samples: readonly Headers[]
  readonly direction: 'request' | 'response'
  readonly family: Family
  /** Host names, with ports, that stand for the gateway's. */
  readonly hosts: ReadonlySet<string>
  readonly where: string
  readonly notebook: Notebook
}

/** Names and values in the order of the wire, as far as the recording tells it. */
export function learnHeaders(input: HeaderInput): DraftText[] {
  const { samples, direction, notebook, where } = input
  const names = orderOf(samples)
  const lists = direction === 'request' && isAlphabetic(names) ? byFamily(names, input.family) : names
  if (lists !== names) {
    notebook.note('open', 'headers', `the recording sorts them: they stand as ${input.family} writes them`)
  }
  return lists.flatMap((name): DraftText[] => {
    const lower = name.toLowerCase()
    if (isCredential(lower)) {
      notebook.note('dropped', `${where}: header ${lower}`, 'proves who somebody is')
      return []
    }
    if (foreign.test(lower) || (direction === 'response' && !ofAnswers.test(lower))) return []
    const values = samples.flatMap((headers) =>
      headers.filter(([each]) => each.toLowerCase() === lower).map(([, value]) => value),
    )
    if (values.length < 0.9 * samples.length) return []
    return learnHeader(name, lower, values, input)
  })
}

function learnHeader(name: string, lower: string, values: readonly string[], input: HeaderInput): DraftText[] {
  const { notebook, where, hosts } = input
  const place = `${where}: header ${lower}`
  const own = (value: string): string => ownHost(value, hosts, lower === 'referer')
  const cleaned = values.map((value) => own(value.replaceAll('HeadlessChrome', 'Chrome')).trim())
  if (values.some((value) => value.includes('HeadlessChrome'))) {
    notebook.note('open', 'headers', 'the recording is of a headless browser: «Headless» is left out')
  }
  // The most common one: a route's first request after a page may differ in its referer.
  const value = mostCommon(cleaned)
  const steady = cleaned.filter((each) => each === value).length >= 0.8 * cleaned.length
  const reason = ordinary.test(lower) ? undefined : constantReason(lower, value)
  if (steady && reason === undefined && /^[\x20-\x7e]*$/.test(value)) {
    if (!ordinary.test(lower)) notebook.note('kept', place, `«${value}»`)
    return [{ name, pieces: [value] }]
  }
  if (findOpaque(cleaned) !== undefined || lower === 'etag' || lower === 'content-type') {
    return [{ name, pieces: learnText(cleaned, { name: lower, where: place, notebook }) }]
  }
  notebook.note('dropped', place, (steady ? reason : undefined) ?? 'a value that differs')
  return []
}

/** Why a header that never differs is left out all the same. */
function constantReason(name: string, value: string): string | undefined {
  return personalReason(name, value) ?? (looksLikeKey(value) ? 'a constant that looks like a key' : undefined)
}

/** Addresses of the site are addresses of the gateway; a referer keeps its path where that has no parameters. */
function ownHost(value: string, hosts: ReadonlySet<string>, referer: boolean): string {
  if (!URL.canParse(value) || !/^https?:/.test(value)) return value
  const url = new URL(value)
  if (!hosts.has(url.host)) return value
  if (!referer) return 'https://{{host}}'
  return `https://{{host}}${/\d/.test(url.pathname) ? '/' : url.pathname}`
}

/** Names in the order of the sample that has the most of them, written as there. */
function orderOf(samples: readonly Headers[]): string[] {
  const fullest = samples.reduce((best, each) => (each.length > best.length ? each : best))
  const names = fullest.map(([name]) => name)
  return names.filter((name, at) => names.findIndex((other) => other.toLowerCase() === name.toLowerCase()) === at)
}

/** Some exporters sort: capitals first, as octets compare. */
function isAlphabetic(names: readonly string[]): boolean {
  const sorted = (list: readonly string[]): boolean => list.every((name, at) => at === 0 || name >= list[at - 1]!)
  return names.length > 4 && (sorted(names) || sorted(names.map((name) => name.toLowerCase())))
}

/** The family's order that knows the most of them; those it does not know come behind the content type or the first one. */
function byFamily(names: readonly string[], family: Family): string[] {
  const navigation = names.some((name) => name.toLowerCase() === 'upgrade-insecure-requests')
  const orders = families[family].orders.filter((order) => order.includes('upgrade-insecure-requests') === navigation)
  const order = orders[0] ?? families[family].orders[0]!
  const rank = (name: string): number => order.indexOf(name.toLowerCase())
  const known = names.filter((name) => rank(name) >= 0).sort((a, b) => rank(a) - rank(b))
  const unknown = names.filter((name) => rank(name) < 0)
  const at = known.findIndex((name) => name.toLowerCase() === 'content-type') + 1
  return [...known.slice(0, at || 1), ...unknown, ...known.slice(at || 1)]
}
