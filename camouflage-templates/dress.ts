/**
 * A template for another client than the one it was written for: what is said stays, the client's own headers are put
 * around it as the client itself puts them, and what its story needs besides is changed (a JSON merge patch, RFC 7396).
 */
import type { Family, HeaderData, PagePartsData, ShapeData, TemplateData } from '#engine/template.ts'

/** Headers of one client, as recorded from it: `clients/<name>.yaml`. */
export interface ClientData {
  readonly family: Family
  readonly page: readonly HeaderData[]
  readonly parts: PagePartsData
  /** Of requests that scripts make; the values of what the script sets are empty. */
  readonly fetch: readonly { readonly method: string; readonly headers: readonly HeaderData[] }[]
}

/** `templates/<id>/variant.yaml`. */
export interface VariantData {
  /** Id of the template that it is a variant of. */
  readonly base: string
  /** Name of the client. */
  readonly client: string
  /** Shapes that the page shows as pictures, instead of a script asking for them. */
  readonly pictures?: readonly string[]
  /** Merged into the template. */
  readonly change?: Readonly<Record<string, unknown>>
}

/** Headers of the client it was written for, and none of the script's own. */
const ofClient: ReadonlySet<string> = new Set([
  ...['accept', 'accept-encoding', 'accept-language', 'cache-control', 'pragma', 'referer', 'user-agent'],
  ...['sec-fetch-mode', 'sec-fetch-site', 'sec-fetch-dest'],
])

/** @throws RangeError where the client was never recorded making such a request */
export function dress(id: string, base: TemplateData, variant: VariantData, client: ClientData): unknown {
  const { family, page, parts } = client
  const changed = merged(base, variant.change ?? {}) as TemplateData
  const shapes = Object.entries(changed.shapes).map(([name, shape]) => {
    const isPicture = variant.pictures?.includes(name) ?? false
    return [name, { ...shape, request: dressed(shape.request, isPicture ? parts.image : undefined, client) }] as const
  })
  return {
    ...changed,
    ...{ id, family, page: { path: changed.page.path, headers: page, parts } },
    shapes: Object.fromEntries(shapes),
  }
}

function dressed(
  request: ShapeData['request'],
  fixed: readonly HeaderData[] | undefined,
  client: ClientData,
): ShapeData['request'] {
  const own = new Map(
    request.headers
      .map(([name, value]) => [name.toLowerCase(), value] as const)
      .filter(([name]) => !ofClient.has(name)),
  )
  const headers = fixed ?? headersOf(client, request.method, own)
  return { ...request, headers: headers.map(([name, value]) => [name, own.get(name.toLowerCase()) ?? value]) }
}

/** The recorded request in which the script set the same. */
function headersOf(client: ClientData, method: string, own: ReadonlyMap<string, string>): readonly HeaderData[] {
  const wanted = [...own.keys()].sort().join()
  const found = client.fetch.find((each) => {
    const empty = each.headers.filter(([, value]) => value === '').map(([name]) => name.toLowerCase())
    return each.method === method && empty.sort().join() === wanted
  })
  if (found === undefined) throw new RangeError(`${client.family} was not recorded setting ${wanted} in a ${method}`)
  return found.headers
}

/** RFC 7396 section 2. */
function merged(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch
  const out: Record<string, unknown> = isObject(target) ? { ...target } : {}
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete out[key]
    else out[key] = merged(out[key], value)
  }
  return out
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
