/**
 * What runs in the browser, beside the page and out of its sight (an isolated world of the tab): exchanges by that page's
 * `fetch`. Self-contained: its text is sent over.
 */

/** Runs in a page: its types are not Node's. */
// biome-ignore lint/suspicious/noExplicitAny: the platform of a page is not ours
declare const fetch: any

export interface Begun {
  /** `opaqueredirect`: the browser does not say where to. */
  readonly type: string
  readonly status: number
  readonly headers: [string, string][]
}

export interface Piece {
  /** Base64. */
  readonly octets: string
  readonly done: boolean
}

export interface PageRequest {
  readonly method: string
  readonly url: string
  readonly headers: readonly (readonly [string, string])[]
  /** Base64; null: none. */
  readonly body: string | null
  /** null: the page's own address. */
  readonly referrer: string | null
}

/** Functions of one tab, by the number of the exchange. */
export interface PageFunctions {
  begin(id: number, request: PageRequest): Promise<Begun>
  /** The next octets of the answer. */
  read(id: number): Promise<Piece>
  abort(id: number): void
}

function pageFunctions(): PageFunctions {
  interface Exchange {
    readonly controller: AbortController
    reader?: ReadableStreamDefaultReader<Uint8Array>
    /** Octets to come; undefined where that is not known. */
    left?: number
  }
  const exchanges = new Map<number, Exchange>()
  const codec = Uint8Array as unknown as { fromBase64(text: string): Uint8Array }
  return {
    async begin(id, { method, url, headers, body, referrer }) {
      const exchange: Exchange = { controller: new AbortController() }
      exchanges.set(id, exchange)
      const response = await fetch(url, {
        ...{ method, headers, redirect: 'manual', signal: exchange.controller.signal },
        ...(body !== null && { body: codec.fromBase64(body) }),
        ...(referrer !== null && { referrer }),
      })
      const length = response.headers.get('content-length')
      if (length !== null && response.headers.get('content-encoding') === null) exchange.left = Number(length)
      exchange.reader = response.body?.getReader()
      return { type: response.type, status: response.status, headers: [...response.headers] }
    },
    async read(id) {
      const exchange = exchanges.get(id)
      const { value, done = true } = (await exchange?.reader?.read()) ?? {}
      if (exchange?.left !== undefined) exchange.left -= value?.length ?? 0
      const isOver = done || exchange?.left === 0
      if (isOver) exchanges.delete(id)
      const octets = value === undefined ? '' : (value as unknown as { toBase64(): string }).toBase64()
      return { octets, done: isOver }
    },
    abort(id) {
      exchanges.get(id)?.controller.abort()
      exchanges.delete(id)
    },
  }
}

/** An expression whose value are the functions. Node strips types by blanks, so the text of the function is JavaScript. */
export const pageScript: string = `(${pageFunctions.toString()})()`
