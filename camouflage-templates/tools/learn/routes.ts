/** Exchanges that are one kind of call: the same method, parameters and members; paths that differ in what is no word. */
import type { Exchange } from './har.ts'
import { parseJson, skeletonOf } from './json.ts'
import { LearnLimits } from './limits.ts'

export interface Route {
  readonly method: string
  /** As a person would write it, with * for what differs. */
  readonly name: string
  readonly exchanges: readonly Exchange[]
}

/** Those with the most exchanges first. */
export function findRoutes(exchanges: readonly Exchange[]): Route[] {
  const groups = new Map<string, Exchange[]>()
  for (const exchange of exchanges) {
    const key = keyOf(exchange)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [exchange])
    else if (group.length < LearnLimits.samples) group.push(exchange)
  }
  return [...groups.values()]
    .sort((a, b) => b.length - a.length)
    .slice(0, LearnLimits.routes)
    .map((group) => ({ method: group[0]!.method, name: nameOf(group), exchanges: group }))
}

function keyOf({ method, url, request, response }: Exchange): string {
  const segments = segmentsOf(url)
  const ending = /\.[a-z0-9]{1,5}$/i.exec(url.pathname)?.[0] ?? ''
  const parameters = [...url.searchParams.keys()].join('&')
  return [
    ...[method, segments.length, segments.map(formOf).join('/'), ending, parameters],
    ...[response.status, request.type, bodyKey(request), response.type, bodyKey(response)],
  ].join('\n')
}

/** The segment, or a star where it looks like an identifier or a file; pictures in albums are of one route as well. */
function formOf(segment: string, at: number, all: readonly string[]): string {
  const last = at === all.length - 1
  const file = /\.[a-z0-9]{1,5}$/i.test(segment)
  const album = at > 0 && at === all.length - 2 && /\.[a-z0-9]{1,5}$/i.test(all.at(-1)!)
  const identifier = /\d/.test(segment) && !/^v\d+$/.test(segment)
  return identifier || (last && file) || album ? '*' : segment
}

function bodyKey({ type, body }: Exchange['request']): string {
  if (body !== undefined && type.endsWith('urlencoded')) {
    return pairsOf(body)
      .map(([name]) => name)
      .join('&')
  }
  if (body === undefined || !type.endsWith('json')) return ''
  return skeletonOf(parseJson(body))
}

/** Names and values of a query or a form, as they are encoded. */
export function pairsOf(text: string): [string, string][] {
  if (text === '') return []
  return text.split('&').map((pair) => {
    const [name, ...value] = pair.split('=')
    return [name!, value.join('=')]
  })
}

export function segmentsOf(url: URL): string[] {
  return url.pathname.slice(1).split('/')
}

function nameOf(group: readonly Exchange[]): string {
  const all = group.map(({ url }) => segmentsOf(url))
  const path = all[0]!.map((segment, at) => (all.every((each) => each[at] === segment) ? segment : '*'))
  return `${group[0]!.method} /${path.join('/')}`
}
