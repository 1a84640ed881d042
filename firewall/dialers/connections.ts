/**
 * The connections to one endpoint: at most `DialLimits.connections`, each with one exchange at a time and the others in
 * line behind it. A name asks for a connection of its own; what may not have one shares.
 */
import type { Dispatcher } from 'undici'
import { DialLimits } from '../limits.ts'
import type { ExchangeOptions, ExchangeRequest, ExchangeResponse } from '../permit.ts'
import { Answer } from './answer.ts'
import { pathError } from './path-error.ts'

interface Job {
  readonly request: Dispatcher.DispatchOptions
  readonly answer: Answer
}

interface Lane {
  name: string | undefined
  readonly client: Dispatcher
  /** Under way on the connection. */
  current: Job | undefined
  line: Job[]
}

export class Connections {
  private readonly name: string
  private readonly answerMs: number
  private readonly open: () => Dispatcher
  /** In order of use: the first was idle for longest. */
  private readonly lanes = new Set<Lane>()

  /**
   * @param name the endpoint's, for error texts
   * @param answerMs from the beginning of an answer to its end
   * @param open makes an HTTP client that holds at most one connection
   */
  constructor(name: string, answerMs: number, open: () => Dispatcher) {
    this.name = name
    this.answerMs = answerMs
    this.open = open
  }

  /** Rejects with SottoError E_PATH_*. */
  async exchange(request: ExchangeRequest, options: ExchangeOptions): Promise<ExchangeResponse> {
    if (options.signal?.aborted) throw pathError('E_PATH_CLOSED', this.name, undefined, options.signal.reason)
    if (options.fresh) this.dropAllIdle()
    const lane = this.pick(options.connection)
    // A slow link must not be given up in the middle: once the answer has begun, it has the time of an answer.
    const begun = (): void => {
      clearTimeout(timer)
      timer = setTimeout(leave, this.answerMs, 'E_PATH_TIMEOUT')
    }
    const answer = new Answer(this.name, begun, () => this.finished(lane))
    const job: Job = { request: toDispatch(request), answer }
    const leave = (code: 'E_PATH_CLOSED' | 'E_PATH_TIMEOUT'): void => {
      lane.line = lane.line.filter((other) => other !== job)
      answer.giveUp(code, options.signal?.reason)
      // Where one connection has fallen silent the others have, mostly: what comes next shall not find out one by one.
      if (code === 'E_PATH_TIMEOUT') this.dropAllIdle()
    }
    let timer = setTimeout(leave, options.timeoutMs, 'E_PATH_TIMEOUT')
    const aborted = (): void => leave('E_PATH_CLOSED')
    options.signal?.addEventListener('abort', aborted, { once: true })
    lane.line.push(job)
    this.advance(lane)
    return answer.result.finally(() => {
      clearTimeout(timer)
      options.signal?.removeEventListener('abort', aborted)
    })
  }

  async close(): Promise<void> {
    const lanes = [...this.lanes]
    this.lanes.clear()
    const jobs = lanes.flatMap(({ current, line }) => (current === undefined ? line : [current, ...line]))
    for (const { answer } of jobs) answer.giveUp('E_PATH_CLOSED')
    await Promise.all(lanes.map(({ client }) => client.destroy()))
  }

  private pick(name: string | undefined): Lane {
    const lanes = [...this.lanes]
    const lane = lanes.find((other) => name !== undefined && other.name === name) ?? this.anyLane(lanes)
    if (name !== undefined && isIdle(lane)) lane.name = name
    this.lanes.delete(lane)
    this.lanes.add(lane)
    return lane
  }

  /** An idle one that nobody named, a new one, the longest idle one, or the one with the shortest line. */
  private anyLane(lanes: readonly Lane[]): Lane {
    const idle = lanes.filter(isIdle)
    const unnamed = idle.findLast((lane) => lane.name === undefined)
    if (unnamed !== undefined) return unnamed
    if (lanes.length < DialLimits.connections) return this.openLane()
    return idle[0] ?? lanes.reduce((least, lane) => (lane.line.length < least.line.length ? lane : least))
  }

  private openLane(): Lane {
    const lane: Lane = { name: undefined, client: this.open(), current: undefined, line: [] }
    // Both come after the request that was under way has been told, so an idle lane has no connection and no use.
    lane.client.on('disconnect', () => this.dropIdle(lane))
    lane.client.on('connectionError', () => this.dropIdle(lane))
    return lane
  }

  private advance(lane: Lane): void {
    if (lane.current !== undefined) return
    lane.current = lane.line.shift()
    if (lane.current !== undefined) lane.client.dispatch(lane.current.request, lane.current.answer)
  }

  private finished(lane: Lane): void {
    lane.current = undefined
    // Not at once: undici may be in the middle of telling requests of a failure, and breaks where a new one comes then.
    queueMicrotask(() => this.advance(lane))
  }

  private dropAllIdle(): void {
    for (const lane of [...this.lanes]) this.dropIdle(lane)
  }

  private dropIdle(lane: Lane): void {
    if (!isIdle(lane) || !this.lanes.delete(lane)) return
    void lane.client.destroy()
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
