/** Gathers one answer for undici's `dispatch`: few buffers, a bound on the size, a bound on the time, one settled promise. */
import type { Dispatcher } from 'undici'
import { concat, empty } from '#protocol/bytes.ts'
import type { SottoError } from '#protocol/errors.ts'
import { DialLimits } from '../limits.ts'
import { uninitialised } from '../octets.ts'
import type { ExchangeResponse } from '../permit.ts'
import { pathError, toPathError } from './path-error.ts'

type Controller = Dispatcher.DispatchController

export class Answer implements Dispatcher.DispatchHandler {
  readonly result: Promise<ExchangeResponse>
  private readonly resolve: (response: ExchangeResponse) => void
  private readonly reject: (error: SottoError) => void
  private readonly name: string
  private readonly begun: () => void
  private readonly done: () => void
  private controller: Controller | undefined
  private failure: SottoError | undefined
  private phase = 'while waiting for a connection'
  private status = 0
  private headers: [string, string][] = []
  /** Holds the whole body where its length was announced. */
  private whole: Uint8Array | undefined
  private pieces: Uint8Array[] = []
  private received = 0
  private begunAt = 0

  /**
   * @param name the endpoint's, for error texts
   * @param begun the answer has begun
   * @param done undici has finished with the request, which may be later than `result` is settled
   */
  constructor(name: string, begun: () => void, done: () => void) {
    this.name = name
    this.begun = begun
    this.done = done
    const { promise, resolve, reject } = Promise.withResolvers<ExchangeResponse>()
    this.result = promise
    this.resolve = resolve
    this.reject = reject
  }

  /** True once the request has a connection. */
  get isOnItsWay(): boolean {
    return this.controller !== undefined
  }

  /** Nobody waits any more. What was begun on the connection makes it useless, so it is closed. */
  giveUp(code: 'E_PATH_CLOSED' | 'E_PATH_TIMEOUT', cause?: unknown): void {
    this.fail(pathError(code, this.name, code === 'E_PATH_TIMEOUT' ? this.phase : undefined, cause))
  }

  onRequestStart(controller: Controller): void {
    // Thrown before the request was written, this leaves the connection as it is.
    if (this.failure !== undefined) throw this.failure
    this.controller = controller
    this.phase = 'while waiting for the answer'
  }

  onResponseStart(controller: Controller, status: number, headers: Record<string, unknown>): void {
    this.phase = 'in the middle of the answer'
    this.begun()
    this.begunAt = performance.now()
    this.status = status
    this.headers = rawPairs(controller.rawHeaders)
    const announced = Number(headers['content-length'] ?? 0)
    if (announced > DialLimits.responseBytes) this.fail(pathError('E_PATH_ANSWER', this.name, 'it is too large'))
    else this.whole = announced > 0 ? uninitialised(announced) : undefined
  }

  onResponseData(_controller: Controller, chunk: Buffer): void {
    const at = this.received
    this.received += chunk.length
    if (this.received > (this.whole?.length ?? DialLimits.responseBytes)) {
      this.fail(pathError('E_PATH_ANSWER', this.name, 'it is too large'))
    } else if (this.whole !== undefined) this.whole.set(chunk, at)
    else this.pieces.push(chunk)
  }

  onResponseEnd(): void {
    const body = this.whole?.subarray(0, this.received) ?? (this.pieces.length === 0 ? empty : concat(...this.pieces))
    this.resolve({ status: this.status, headers: this.headers, body, bodyMs: performance.now() - this.begunAt })
    this.done()
  }

  onResponseError(_controller: Controller, error: Error): void {
    this.reject(this.failure ?? this.explain(error))
    this.done()
  }

  private explain(cause: Error): SottoError {
    const error = toPathError(cause, this.name)
    const isStall = error !== cause && error.code === 'E_PATH_TIMEOUT'
    return isStall ? pathError(error.code, this.name, this.phase, cause) : error
  }

  private fail(error: SottoError): void {
    this.failure ??= error
    this.controller?.abort(this.failure)
    this.reject(this.failure)
  }
}

/** Names and values as they came, one octet a character. */
function rawPairs(raw: Controller['rawHeaders']): [string, string][] {
  const pairs: [string, string][] = []
  if (!Array.isArray(raw)) return pairs
  const text = (item: Buffer | string): string => (typeof item === 'string' ? item : item.toString('latin1'))
  for (let i = 0; i + 1 < raw.length; i += 2) pairs.push([text(raw[i]!), text(raw[i + 1]!)])
  return pairs
}
