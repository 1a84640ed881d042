/** Gathers one answer from whatever HTTP client: few buffers, bounds on size and time, one settled promise. */
import { concat, empty } from '#protocol/bytes.ts'
import type { SottoError } from '#protocol/errors.ts'
import { DialLimits } from '../limits.ts'
import { uninitialised } from '../octets.ts'
import type { ExchangeResponse } from '../permit.ts'
import { pathError, toPathError } from './path-error.ts'
import type { Patience } from './patience.ts'

export interface AnswerInput {
  /** The endpoint's, for error texts. */
  readonly name: string
  /** Milliseconds between two pieces of an answer. */
  readonly stallMs: number
  /** Told when the request leaves and when the answer begins. */
  readonly patience: Pick<Patience, 'started' | 'begun'>
  /** The client has finished with the request, which may be later than `result` is settled. */
  readonly done: () => void
}

export class Answer {
  readonly result: Promise<ExchangeResponse>
  private readonly input: AnswerInput
  private readonly resolve: (response: ExchangeResponse) => void
  private readonly reject: (error: SottoError) => void
  private abort: (error: SottoError) => void = () => {}
  private problem: SottoError | undefined
  private stall: NodeJS.Timeout | undefined
  private phase = 'while waiting for a connection'
  private status = 0
  private headers: [string, string][] = []
  /** Holds the whole body where its length was announced. */
  private whole: Uint8Array | undefined
  private pieces: Uint8Array[] = []
  private received = 0
  private isDone = false
  private started = false
  private readonly madeAt = performance.now()
  private startedAt = 0
  private begunAt = 0

  constructor(input: AnswerInput) {
    this.input = input
    const { promise, resolve, reject } = Promise.withResolvers<ExchangeResponse>()
    this.result = promise
    this.resolve = resolve
    this.reject = reject
  }

  /** Set once nobody waits any more. */
  get failure(): SottoError | undefined {
    return this.problem
  }

  /** True once the request has a connection. */
  get isOnItsWay(): boolean {
    return this.started
  }

  /** Nobody waits any more. What was begun on the connection is aborted. */
  giveUp(code: 'E_PATH_CLOSED' | 'E_PATH_TIMEOUT', cause?: unknown): void {
    this.fail(pathError(code, this.input.name, code === 'E_PATH_TIMEOUT' ? this.phase : undefined, cause))
  }

  /** The request is about to be written; not where `failure` is set. `abort`: ends it, then `error` or `gone` is called. */
  start(abort: (error: SottoError) => void): void {
    this.abort = abort
    this.started = true
    this.startedAt = performance.now()
    this.input.patience.started()
    this.phase = 'while waiting for the answer'
  }

  /** `headers` in the order of the wire, names as sent. */
  head(status: number, headers: [string, string][]): void {
    this.phase = 'in the middle of the answer'
    this.input.patience.begun()
    this.begunAt = performance.now()
    this.status = status
    this.headers = headers
    const announced = Number(headers.find(([name]) => name.toLowerCase() === 'content-length')?.[1] ?? 0)
    if (headers.reduce((sum, [name, value]) => sum + name.length + value.length, 0) > DialLimits.responseHeaderBytes) {
      return this.fail(pathError('E_PATH_ANSWER', this.input.name, 'its header is too large'))
    }
    if (announced > DialLimits.responseBytes) return this.fail(this.tooLarge())
    this.whole = announced > 0 ? uninitialised(announced) : undefined
    this.stall = setTimeout(() => this.giveUp('E_PATH_TIMEOUT'), this.input.stallMs)
  }

  data(chunk: Uint8Array): void {
    this.stall?.refresh()
    const at = this.received
    this.received += chunk.length
    if (this.received > (this.whole?.length ?? DialLimits.responseBytes)) this.fail(this.tooLarge())
    else if (this.whole !== undefined) this.whole.set(chunk, at)
    else this.pieces.push(chunk)
  }

  end(): void {
    const body = this.whole?.subarray(0, this.received) ?? (this.pieces.length === 0 ? empty : concat(...this.pieces))
    const isCut = this.whole !== undefined && this.received < this.whole.length
    if (isCut) this.reject(pathError('E_PATH_RESET', this.input.name, this.phase))
    else this.resolve({ status: this.status, headers: this.headers, body, ...this.times })
    this.over()
  }

  error(cause: unknown): void {
    this.reject(this.problem ?? this.explain(cause))
    this.over()
  }

  private get times(): Pick<ExchangeResponse, 'waitMs' | 'bodyMs'> {
    const now = performance.now()
    return { waitMs: Math.round(this.startedAt - this.madeAt), bodyMs: Math.round(now - this.begunAt) }
  }

  private over(): void {
    clearTimeout(this.stall)
    if (this.isDone) return
    this.isDone = true
    this.input.done()
  }

  private explain(cause: unknown): SottoError {
    const error = toPathError(cause, this.input.name)
    const isStall = error !== cause && error.code === 'E_PATH_TIMEOUT'
    return isStall ? pathError(error.code, this.input.name, this.phase, cause) : error
  }

  private tooLarge(): SottoError {
    return pathError('E_PATH_ANSWER', this.input.name, 'it is too large')
  }

  private fail(error: SottoError): void {
    clearTimeout(this.stall)
    this.problem ??= error
    this.reject(this.problem)
    this.abort(this.problem)
  }
}
