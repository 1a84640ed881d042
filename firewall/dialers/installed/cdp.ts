/**
 * Chrome's DevTools protocol over two pipes (`--remote-debugging-pipe`): messages of JSON, each ended by a NUL. No port is
 * opened that another program of this machine could find.
 */
import type { Readable, Writable } from 'node:stream'
import { BrowserLimits } from '../../limits.ts'

export interface CdpEvent {
  readonly method: string
  readonly params: object
  /** Of the tab that it is about; undefined: the browser. */
  readonly session: string | undefined
}

interface Message {
  readonly id?: number
  readonly method?: string
  readonly params?: object
  readonly result?: Record<string, never>
  readonly error?: { readonly message: string }
  readonly sessionId?: string
}

interface Call {
  readonly session: string | undefined
  readonly resolve: (result: Record<string, never>) => void
  readonly reject: (error: Error) => void
}

/** Errors are plain ones, in the browser's words: whoever calls makes them ours. */
export class Cdp {
  readonly listeners: Set<(event: CdpEvent) => void> = new Set()
  private readonly output: Writable
  private readonly calls = new Map<number, Call>()
  private pieces: string[] = []
  private waiting = 0
  private last = 0
  private over: Error | undefined

  /** @param onEnd once, when the browser has closed its end, or broken the rules of it */
  constructor(input: Readable, output: Writable, onEnd: () => void) {
    this.output = output
    const end = (why: string): void => {
      if (this.over !== undefined) return
      this.over = new Error(why)
      for (const call of this.calls.values()) call.reject(this.over)
      this.calls.clear()
      onEnd()
    }
    input.setEncoding('utf8')
    input.on('data', (text: string) => {
      if (this.over === undefined && !this.take(text)) end('the browser says too much at once')
    })
    input.on('error', () => end('the browser is gone'))
    input.on('close', () => end('the browser is gone'))
    output.on('error', () => end('the browser is gone'))
  }

  /** Rejects where the browser says no, or is gone. Results are what the protocol's documentation says, unchecked. */
  call<T = Record<string, never>>(method: string, params: object = {}, session?: string): Promise<T> {
    if (this.over !== undefined) return Promise.reject(this.over)
    const id = ++this.last
    const { promise, resolve, reject } = Promise.withResolvers<Record<string, never>>()
    this.calls.set(id, { session, resolve, reject })
    this.output.write(`${JSON.stringify({ id, method, params, ...(session && { sessionId: session }) })}\0`)
    return promise as Promise<T>
  }

  /** False: more than any message may have. */
  private take(text: string): boolean {
    const parts = text.split('\0')
    this.waiting += parts[0]!.length
    if (this.waiting > BrowserLimits.messageCharacters) return false
    this.pieces.push(parts[0]!)
    for (const part of parts.slice(1)) {
      const whole = this.pieces.join('')
      this.pieces = [part]
      this.waiting = part.length
      this.receive(JSON.parse(whole) as Message)
    }
    return true
  }

  private receive({ id, method, params, result, error, sessionId }: Message): void {
    if (id !== undefined) {
      const call = this.calls.get(id)
      this.calls.delete(id)
      if (error !== undefined) call?.reject(new Error(error.message))
      else call?.resolve(result ?? {})
      return
    }
    if (method === 'Target.detachedFromTarget') this.detached((params as { sessionId: string }).sessionId)
    for (const listener of [...this.listeners]) {
      listener({ method: method ?? '', params: params ?? {}, session: sessionId })
    }
  }

  /** What a tab was asked it cannot answer any more. */
  private detached(session: string): void {
    for (const [id, call] of [...this.calls]) {
      if (call.session !== session) continue
      this.calls.delete(id)
      call.reject(new Error('the tab is gone'))
    }
  }
}
