/** What a visitor's client loads first: the page, and where it is a browser what the page asks for. */
import type { CompiledTemplate } from '#engine/compile.ts'
import type { HttpRequest } from '#engine/template.ts'
import type { Permit } from '#firewall/permit.ts'
import { latin1 } from '#protocol/bytes.ts'
import type { Answer } from './carrier.ts'

/** Octets of a page that are looked at, and what is loaded of it: a page of the decoy, or of whoever stands in its place. */
const PAGE_OCTETS = 131_072
const PARTS = 8

export type PartKind = 'style' | 'script' | 'image'

export interface Part {
  readonly kind: PartKind
  /** Path and query. */
  readonly target: string
}

/** The page of a template. */
export function pageRequest(template: CompiledTemplate): HttpRequest {
  return { method: 'GET', target: template.page, headers: template.pageHeaders, body: undefined }
}

/** What comes first on each new connection: programs ask for what they want, visitors come through the page. */
export function firstRequest(template: CompiledTemplate): HttpRequest | undefined {
  return template.family === 'node' ? undefined : pageRequest(template)
}

/**
 * Loads what the page asks for, all at once, as browsers do. What does not come through is left: the page is shown without
 * it. Never rejects.
 */
export async function loadParts(input: {
  readonly permit: Permit
  readonly template: CompiledTemplate
  readonly host: string
  readonly page: Answer
  readonly signal: AbortSignal
  readonly timeoutMs: number
}): Promise<void> {
  const { permit, template, host, page, signal, timeoutMs } = input
  const { family, pageParts } = template
  const isPage = page.status === 200 && /^text\/html\b/i.test(page.header('content-type') ?? '')
  if (pageParts === undefined || !isPage) return
  const parts = partsOf(latin1(page.body.subarray(0, PAGE_OCTETS)), `https://${host}${template.page}`)
  const load = ({ kind, target }: Part): Promise<unknown> => {
    const headers = pageParts[kind].map(([name, value]) => [name, value.replaceAll('{{host}}', host)] as const)
    return permit.exchange({ method: 'GET', target, headers, body: undefined }, { family, timeoutMs, signal })
  }
  await Promise.allSettled(parts.map(load))
}

const tag = /<(link|script|img)\b([^<>]{0,1024})>/gi
const attribute = /([a-z-]{1,32})\s{0,8}=\s{0,8}(?:"([^"]{0,512})"|'([^']{0,512})'|([^\s"'>]{1,512}))/gi

/** Styles, scripts and pictures of the site itself that an HTML page names, in its order. */
export function partsOf(html: string, url: string): Part[] {
  const parts = new Map<string, PartKind>()
  for (const [, name, inside] of html.matchAll(tag)) {
    const found = new Map(
      [...inside!.matchAll(attribute)].map(([, key, ...values]) => [
        key!.toLowerCase(),
        values.find((v) => v !== undefined)!,
      ]),
    )
    const kind = kindOf(name!.toLowerCase(), found.get('rel')?.toLowerCase() ?? '')
    const target = kind && targetOf(found.get('src') ?? found.get('href'), url)
    if (target !== undefined && kind !== undefined && !parts.has(target)) parts.set(target, kind)
  }
  return [...parts].slice(0, PARTS).map(([target, kind]) => ({ kind, target }))
}

function kindOf(name: string, rel: string): PartKind | undefined {
  if (name === 'script') return 'script'
  if (name === 'img') return 'image'
  if (rel === 'stylesheet') return 'style'
  return /\bicon\b/.test(rel) ? 'image' : undefined
}

function targetOf(reference: string | undefined, page: string): string | undefined {
  if (reference === undefined || !URL.canParse(reference, page)) return undefined
  const url = new URL(reference, page)
  return url.origin === new URL(page).origin ? url.pathname + url.search : undefined
}
