/**
 * One visit of a browser, and the same visit by a dialer of ours: the page with what belongs to it, then each kind of
 * request that templates make. Then connections end, so that more are opened: resumed ones, and fresh ones to other names.
 */
import type { ClientData } from '../../camouflage-templates/dress.ts'
import type { BrowserName } from './browsers.ts'
import { visit } from './browsers.ts'
import type { Answer, SeenConnection } from './recorder.ts'
import { RECORDED_HOST, startRecorder } from './recorder.ts'

export interface PlannedRequest {
  readonly kind: 'page' | 'style' | 'script' | 'image' | 'fetch'
  readonly method: 'GET' | 'POST'
  readonly target: string
  /** Fields that the script sets. */
  readonly sets: Readonly<Record<string, string>>
  /** Octets. */
  readonly body?: number
}

/** What a visit asks for, in this order. Those without `sets` by what the page names, the others by its script. */
export const PLAN: readonly PlannedRequest[] = [
  { kind: 'page', method: 'GET', target: '/', sets: {} },
  { kind: 'style', method: 'GET', target: '/site.css', sets: {} },
  { kind: 'script', method: 'GET', target: '/site.js', sets: {} },
  { kind: 'fetch', method: 'GET', target: '/poll?a=1', sets: {} },
  { kind: 'fetch', method: 'GET', target: '/sealed', sets: { authorization: 'Bearer x' } },
  { kind: 'fetch', method: 'POST', target: '/send', sets: { 'content-type': 'application/json' }, body: 700 },
  { kind: 'fetch', method: 'POST', target: '/send', sets: { 'content-type': 'application/json' }, body: 700 },
  { kind: 'fetch', method: 'POST', target: '/send', sets: { 'content-type': 'application/octet-stream' }, body: 2_500 },
  { kind: 'image', method: 'GET', target: '/picture.png', sets: {} },
  { kind: 'fetch', method: 'GET', target: '/poll?a=2', sets: {} },
]

/** Connections of each kind: fresh ones, resumed ones. */
export const CONNECTIONS = 10

export const isPlanned = (target: string): boolean => PLAN.some((each) => each.target === target)

/** Names that only make a browser open a fresh connection. */
const otherName = (index: number): string => `fresh-${index}.example.org`

function script(port: number, { fresh, resumed }: Connections): string {
  const fetches = PLAN.filter(({ kind }) => kind === 'fetch').map(({ method, target, sets, body }) => {
    const init = { method, headers: sets }
    return `await fetch(${JSON.stringify(target)}, {...${JSON.stringify(init)}${body ? `, body: 'x'.repeat(${body})` : ''}})`
  })
  const last = fetches.pop()!
  const others = Array.from({ length: fresh }, (_, i) => {
    return `await fetch('https://${otherName(i)}:${port}/other', {mode: 'no-cors'}).catch(() => {})`
  })
  const again = Array.from({ length: resumed }, (_, i) => `await fetch('/again?${i}').catch(() => {})`)
  return `(async () => {
    ${fetches.join('\n')}
    await new Promise((done) => { const i = new Image(); i.onload = i.onerror = done; i.src = '/picture.png' })
    ${last}
    ${others.join('\n')}
    ${again.join('\n')}
    await fetch('/done').catch(() => fetch('/done'))
  })()`
}

/** How many connections more the page opens. */
export interface Connections {
  /** To names that nobody was at yet. */
  readonly fresh: number
  /** After one to the same name has ended. */
  readonly resumed: number
}

/** The site of the visit. */
export function siteOf(port: () => number, connections: Connections): (path: string) => Answer | undefined {
  const page = `<!doctype html><html><head><link rel="icon" href="data:,"><link rel="stylesheet" href="/site.css">
<script src="/site.js" defer></script></head><body>A page.</body></html>`
  return (path) => {
    if (path === '/') return { type: 'text/html', body: page }
    if (path === '/site.css') return { type: 'text/css', body: 'p { color: #333 }' }
    if (path === '/site.js') return { type: 'text/javascript', body: script(port(), connections) }
    if (path === '/again') return { type: 'application/json', body: '{}', closes: true }
    return /^\/(poll|sealed|send|done|other)$/.test(path) ? { type: 'application/json', body: '{}' } : undefined
  }
}

/** Visits, each of a browser started anew, until one comes to its end. */
const VISITS = 3

/** Everything that the installed browser shows of itself. */
export async function recordBrowser(name: BrowserName, alpn: readonly string[]): Promise<readonly SeenConnection[]> {
  for (let visits = 1; ; visits++) {
    try {
      return await recordVisit(name, alpn)
    } catch (error) {
      if (visits === VISITS) throw error
    }
  }
}

async function recordVisit(name: BrowserName, alpn: readonly string[]): Promise<readonly SeenConnection[]> {
  let port = 0
  const isH2 = alpn.includes('h2')
  const connections = {
    fresh: isH2 && name === 'chromium' ? CONNECTIONS - 1 : 0,
    // The first of them ends the connection that was there before.
    resumed: isH2 ? CONNECTIONS + 1 : 0,
  }
  const recorder = await startRecorder(
    siteOf(() => port, connections),
    alpn,
  )
  port = recorder.port
  try {
    await visit(name, recorder, '/done')
    return recorder.seen
  } finally {
    await recorder.close()
  }
}

/** Header fields of a planned request, as templates of the client have them. */
export function fieldsOf(client: ClientData, planned: PlannedRequest, port: number): [string, string][] {
  const { kind, method, sets } = planned
  const names = Object.keys(sets).join()
  const list =
    kind === 'page'
      ? client.page
      : kind === 'fetch'
        ? client.fetch.find((each) => {
            const empty = each.headers.filter(([, value]) => value === '').map(([name]) => name)
            return each.method === method && empty.join() === names
          })!.headers
        : client.parts[kind]
  const host = `${RECORDED_HOST}:${port}`
  return list.map(([name, value]) => [name, value === '' ? sets[name]! : value.replaceAll('{{host}}', host)])
}
