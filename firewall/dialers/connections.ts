/**
 * The connections to one endpoint: few, begun apart from each other, each with one exchange at a time. What finds none
 * free waits for the first that is. A name asks for a connection of its own; what may not have one shares.
 */
import type { Dispatcher } from 'undici'
import { DialLimits } from '../limits.ts'
import type { ExchangeOptions, ExchangeRequest, ExchangeResponse } from '../permit.ts'
import { Answer } from './answer.ts'
import { pathError } from './path-error.ts'
import type { Spacing } from './spacing.ts'

interface Job {
  readonly name: string | undefined
  readonly request: Dispatcher.DispatchOptions
  readonly answer: Answer
  lane: Lane | undefined
}

interface Lane {
  name: string | undefined
  readonly client: Dispatcher
  /** Aborted when the connection is not wanted any more, in the middle of connecting too. */
  readonly unwanted: AbortController
  /** Under way on the connection. */
  current: Job | undefined
  /** Of its name. */
  line: Job[]
}

export interface ConnectionsInput {
  /** The endpoint's, for error texts. */
  readonly name: string
  /** Milliseconds from the beginning of an answer to its end. */
  readonly answerMs: number
  readonly spacing: Spacing
  /** Makes an HTTP client that holds at most one connection. For its first one a place was taken; later ones take their own. */
  readonly open: (unwanted: AbortSignal) => Dispatcher
}

export class Connections {
  private readonly input: ConnectionsInput
  /** In order of use: the first was idle for longest. */
  private readonly lanes = new Set<Lane>()
  /** For which there is no connection yet. */
  private line: Job[] = []
  private most: number = DialLimits.connectionsUnsaid
  private timer: NodeJS.Timeout | undefined

  constructor(input: ConnectionsInput) {
    this.input = input
  }

  /** Rejects with SottoError E_PATH_*. */
  async exchange(request: ExchangeRequest, options: ExchangeOptions): Promise<ExchangeResponse> {
    const { name, answerMs } = this.input
    if (options.signal?.aborted) throw pathError('E_PATH_CLOSED', name, undefined, options.signal.reason)
    if (options.fresh) this.dropAllIdle()
    this.most = Math.min(options.connections ?? DialLimits.connectionsUnsaid, DialLimits.connections)
    // A slow link must not be given up in the middle: once the answer has begun, it has the time of an answer.
    const begun = (): void => {
      clearTimeout(timer)
      timer = setTimeout(leave, answerMs, 'E_PATH_TIMEOUT')
    }
    const answer = new Answer(name, begun, () => this.finished(job))
    const job: Job = { name: options.connection, request: toDispatch(request), answer, lane: undefined }
    const leave = (code: 'E_PATH_CLOSED' | 'E_PATH_TIMEOUT'): void => {
      this.giveUp(job, code, options.signal?.reason)
    }
    let timer = setTimeout(leave, options.timeoutMs, 'E_PATH_TIMEOUT')
    const aborted = (): void => leave('E_PATH_CLOSED')
    options.signal?.addEventListener('abort', aborted, { once: true })
    this.place(job)
    return answer.result.finally(() => {
      clearTimeout(timer)
      options.signal?.removeEventListener('abort', aborted)
    })
  }

  async close(): Promise<void> {
    const lanes = [...this.lanes]
    const waiting = this.line
    this.lanes.clear()
    this.line = []
    clearTimeout(this.timer)
    const jobs = lanes.flatMap(({ current, line }) => (current === undefined ? line : [current, ...line]))
    for (const { answer } of [...jobs, ...waiting]) answer.giveUp('E_PATH_CLOSED')
    await Promise.all(lanes.map((lane) => this.end(lane)))
  }

  private giveUp(job: Job, code: 'E_PATH_CLOSED' | 'E_PATH_TIMEOUT', cause: unknown): void {
    const { lane, answer } = job
    this.line = this.line.filter((other) => other !== job)
    if (lane !== undefined) lane.line = lane.line.filter((other) => other !== job)
    const isConnecting = lane?.current === job && !answer.isOnItsWay
    answer.giveUp(code, cause)
    if (code !== 'E_PATH_TIMEOUT') return
    // What takes so long to come about would be waited for by the next ones as well.
    if (isConnecting) this.drop(lane)
    // Where one connection has fallen silent the others have, mostly: what comes next shall not find out one by one.
    this.dropAllIdle()
  }

  // ---- which exchange goes where ----------------------------------------------------------------------------------------------

  private place(job: Job): void {
    const lane = this.laneFor(job.name)
    if (lane === undefined) {
      this.line.push(job)
      this.comeBack()
      return
    }
    this.give(lane, job)
  }

  /** Of this name; else an idle one that nobody named, a new one, or the longest idle one. undefined: it has to wait. */
  private laneFor(name: string | undefined): Lane | undefined {
    const lanes = [...this.lanes]
    const own = name === undefined ? undefined : lanes.find((other) => other.name === name)
    if (own !== undefined) return own
    const idle = lanes.filter(isIdle)
    const unnamed = idle.findLast((lane) => lane.name === undefined)
    if (unnamed !== undefined) return unnamed
    return this.mayOpen && this.input.spacing.wait === 0 ? this.openLane() : idle[0]
  }

  private give(lane: Lane, job: Job): void {
    if (job.name !== undefined) {
      lane.name = job.name
      // Those of one name keep their order.
      const same = this.line.filter(({ name }) => name === job.name)
      this.line = this.line.filter(({ name }) => name !== job.name)
      for (const other of same) other.lane = lane
      lane.line.push(job, ...same)
    } else lane.line.push(job)
    job.lane = lane
    this.lanes.delete(lane)
    this.lanes.add(lane)
    this.advance(lane)
  }

  private get mayOpen(): boolean {
    return this.lanes.size < this.most
  }

  /** Looks again once another connection may be begun. */
  private comeBack(): void {
    if (this.timer !== undefined || this.line.length === 0 || !this.mayOpen) return
    this.timer = setTimeout(() => {
      this.timer = undefined
      this.placeAll()
    }, this.input.spacing.wait)
  }

  private placeAll(): void {
    for (const job of this.line.splice(0)) this.place(job)
  }

  // ---- connections ------------------------------------------------------------------------------------------------------------

  private openLane(): Lane {
    const unwanted = new AbortController()
    this.input.spacing.take()
    const client = this.input.open(unwanted.signal)
    const lane: Lane = { name: undefined, client, unwanted, current: undefined, line: [] }
    // Both come after the request that was under way has been told, so an idle lane has no connection and no use.
    client.on('disconnect', () => this.dropIdle(lane))
    client.on('connectionError', () => this.dropIdle(lane))
    this.lanes.add(lane)
    return lane
  }

  private advance(lane: Lane): void {
    if (lane.current !== undefined || !this.lanes.has(lane)) return
    lane.current = lane.line.shift()
    if (lane.current !== undefined) lane.client.dispatch(lane.current.request, lane.current.answer)
  }

  private finished({ lane }: Job): void {
    if (lane === undefined) return
    lane.current = undefined
    // Not at once: undici may be in the middle of telling requests of a failure, and breaks where a new one comes then.
    queueMicrotask(() => {
      this.advance(lane)
      this.placeAll()
    })
  }

  private dropAllIdle(): void {
    for (const lane of [...this.lanes]) this.dropIdle(lane)
  }

  private dropIdle(lane: Lane): void {
    if (isIdle(lane)) this.drop(lane)
  }

  private drop(lane: Lane): void {
    if (!this.lanes.delete(lane)) return
    void this.end(lane)
    const stranded = lane.line.splice(0)
    for (const job of stranded) job.lane = undefined
    this.line.unshift(...stranded)
    this.comeBack()
  }

  /** Closes a connection, or what would become one. */
  private end({ client, unwanted }: Lane): Promise<void> {
    unwanted.abort(pathError('E_PATH_CLOSED', this.input.name))
    return client.destroy()
  }
}

function isIdle(lane: Lane): boolean {
  return lane.current === undefined && lane.line.length === 0
}

/** Fields that undici writes itself, from the origin and the body. */
const writtenByClient: ReadonlySet<string> = new Set(['host', 'connection', 'content-length'])

function toDispatch({ method, target, headers, body }: ExchangeRequest): Dispatcher.DispatchOptions {
  const ours = headers.filter(([name]) => !writtenByClient.has(name.toLowerCase()))
  return { method, path: target, headers: ours.flat(), body: body ?? null }
}
