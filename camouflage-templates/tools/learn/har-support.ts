/** Recordings made up for tests, and what every learned template has to be. */
import type { ExecutionContext } from 'ava'
import { compileTemplate } from '#engine/compile.ts'
import { loadTemplate } from '#engine/load.ts'
import { receiveRequest, receiveResponse, requestOf, responseOf } from '../../test-support.ts'
import type { Learned } from './learn.ts'

export interface MadeUp {
  readonly method?: string
  readonly url: string
  readonly type?: string
  readonly body?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly status?: number
  readonly answerType?: string
  readonly answer?: string
  readonly answerHeaders?: Readonly<Record<string, string>>
  readonly waitMs?: number
}

const nodeHeaders = {
  accept: '*/*',
  'accept-language': '*',
  'sec-fetch-mode': 'cors',
  'user-agent': 'node',
  'accept-encoding': 'br, gzip, deflate',
}

/** One exchange after another; the page of the site first. */
export function makeHar(exchanges: readonly MadeUp[], headers: Readonly<Record<string, string>> = nodeHeaders): string {
  const page: MadeUp = { url: '/', answerType: 'text/html', answer: '<!doctype html>' }
  let clock = Date.UTC(2026, 0, 1)
  const entries = [page, ...exchanges].map((exchange) => {
    const waitMs = exchange.waitMs ?? 5
    const began = clock
    clock += waitMs + 20
    return entryOf(exchange, headers, began, waitMs)
  })
  return JSON.stringify({ log: { version: '1.2', creator: { name: 'test' }, entries } })
}

function entryOf(made: MadeUp, common: Readonly<Record<string, string>>, began: number, waitMs: number): object {
  const { method = 'GET', type, body, headers, status = 200, answerType = 'application/json', answer = '{}' } = made
  const list = (all: Readonly<Record<string, string>>): object[] =>
    Object.entries(all).map(([name, value]) => ({ name, value }))
  // Where the client's own headers name the type, it stands where they have it.
  const sent = Object.entries(common).flatMap(([name, value]): [string, string][] => {
    if (name !== 'Content-Type') return [[name, value]]
    return type === undefined ? [] : [[name, type]]
  })
  const first: Record<string, string> = type === undefined || 'Content-Type' in common ? {} : { 'content-type': type }
  const answerHeaders = { 'content-type': answerType, 'cache-control': 'no-store', ...made.answerHeaders }
  return {
    startedDateTime: new Date(began).toISOString(),
    time: waitMs,
    request: {
      ...{ method, url: new URL(made.url, 'https://site.example').href, bodySize: body?.length ?? 0 },
      headers: list({ ...first, ...headers, ...Object.fromEntries(sent) }),
      ...(body === undefined ? {} : { postData: { mimeType: type, text: body } }),
    },
    response: {
      ...{ status, headers: list(answerHeaders), bodySize: answer.length },
      content: { size: answer.length, mimeType: answerType, text: answer },
    },
    timings: { send: 0, wait: waitMs, receive: 0 },
  }
}

/** The engine takes it, and every class of every shape comes back as it was sent. */
export function checkCarries(t: ExecutionContext, { text }: Learned): void {
  const compiled = compileTemplate(loadTemplate(text, 'learned.yaml'))
  for (const shape of compiled.shapes) {
    for (const length of shape.up.classes) {
      const request = requestOf(shape, length, length)
      t.deepEqual(
        receiveRequest(shape, request),
        { token: request.token, parcel: request.parcel },
        `${shape.name} ${length}`,
      )
    }
    for (const length of shape.down.classes) {
      const response = responseOf(shape, length, length)
      t.deepEqual(receiveResponse(shape, response), response.parcel, `${shape.name} ${length}`)
    }
  }
}

/** Every value of the recording that is nobody's business: credentials, queries, texts of bodies. */
export function secretsIn(har: string): string[] {
  const { entries } = (JSON.parse(har) as { log: { entries: Entry[] } }).log
  const found = new Set<string>()
  const add = (value: string): void => void (value.length >= 6 && found.add(value))
  for (const { request, response } of entries) {
    for (const { name, value } of [...request.headers, ...response.headers]) {
      if (/^(cookie|set-cookie|authorization)$/i.test(name)) add(value)
    }
    for (const value of new URL(request.url).searchParams.values()) add(value)
    for (const text of [request.postData?.text, response.content.text]) for (const value of stringsIn(text)) add(value)
  }
  return [...found]
}

interface Entry {
  readonly request: {
    readonly url: string
    readonly headers: readonly { name: string; value: string }[]
    readonly postData?: { readonly text?: string }
  }
  readonly response: {
    readonly headers: readonly { name: string; value: string }[]
    readonly content: { readonly text?: string }
  }
}

/** Of JSON, other than names of calls and hashes of an application's own queries. */
function stringsIn(text: string | undefined): string[] {
  const collect = (value: unknown, name: string): string[] => {
    if (typeof value === 'string') return /^(operationName|sha256Hash)$/.test(name) ? [] : [value]
    if (typeof value !== 'object' || value === null) return []
    return Object.entries(value).flatMap(([key, each]) => collect(each, key))
  }
  try {
    return collect(JSON.parse(text ?? ''), '')
  } catch {
    return []
  }
}
