/**
 * The connections to one endpoint: at most `DialLimits.connections`. Over HTTP/1.1 each has one exchange at a time and the
 * others in line behind it, and a name asks for a connection of its own; over HTTP/2 all share one, as browsers do.
 */
import { DialLimits } from '../limits.ts'
import type { ExchangeOptions, ExchangeRequest, ExchangeResponse } from '../permit.ts'
import { Answer } from './answer.ts'
import type { HttpClient, HttpClientEvents } from './http-client.ts'
import { pathError } from './path-error.ts'

interface Job {
  readonly request: ExchangeRequest
  readonly answer: Answer
  /** Name of the connection it wants. */
  readonly connection: string | undefined
}

interface Lane {
  name: string | undefined
  readonly client: HttpClient
  /** Under way on the connection. */
  readonly current: Set<Job>
  line: Job[]
  /** Nothing was asked for on it yet. */
  isNew: boolean
  /** Something has to come first on it, and has not come yet. */
  begins: boolean
  /** Takes nothing new; closed once nothing is under way. */
  retired: boolean
}

export interface ConnectionsInput {
  /** The endpoint's, for error texts. */
  readonly name: string
  /** Milliseconds between two pieces of an answer, and from its beginning to its end. */
  readonly stallMs: number
  readonly answerMs: number
  /** Makes an HTTP client that holds at most one connection. */
  readonly open: (events: HttpClientEvents) => HttpClient
}

export class Connections {
  private readonly input: ConnectionsInput
  /** In order of use: the first was idle for longest. */
  private readonly lanes = new Set<Lane>()

  constructor(input: ConnectionsInput) {
    this.input = input
  }

  /** Rejects with SottoError E_PATH_*. */
  async exchange(request: ExchangeRequest, options: ExchangeOptions): Promise<ExchangeResponse> {
    const { name, answerMs } = this.input
    if (options.signal?.aborted) throw pathError('E_PATH_CLOSED', name, undefined, options.signal.reason)
    if (options.fresh) this.retireAll()
    // A slow link must not be given up in the middle: once the answer has begun, it has the time of an answer.
    const begun = (): void => {
      clearTimeout(timer)
      timer = setTimeout(leave, answerMs, 'E_PATH_TIMEOUT')
    }
    const job = this.makeJob(request, options.connection, begun)
    const leave = (code: 'E_PATH_CLOSED' | 'E_PATH_TIMEOUT'): void => {
      for (const lane of this.lanes) lane.line = lane.line.filter((other) => other !== job)
      // Where one connection has fallen silent the others have, mostly: what comes next shall not find out one by one.
      if (code === 'E_PATH_TIMEOUT') this.retireAll()
      job.answer.giveUp(code, options.signal?.reason)
    }
    let timer = setTimeout(leave, options.timeoutMs, 'E_PATH_TIMEOUT')
    const aborted = (): void => leave('E_PATH_CLOSED')
    options.signal?.addEventListener('abort', aborted, { once: true })
    this.enqueue(job, options.timeoutMs, options.first)
    return job.answer.result.finally(() => {
      clearTimeout(timer)
      options.signal?.removeEventListener('abort', aborted)
    })
  }

  async close(): Promise<void> {
    const lanes = [...this.lanes]
    this.lanes.clear()
    for (const { current, line } of lanes) {
      for (const { answer } of [...current, ...line]) answer.giveUp('E_PATH_CLOSED')
    }
    await Promise.all(lanes.map(({ client }) => client.destroy()))
  }

  private makeJob(request: ExchangeRequest, connection: string | undefined, begun: () => void): Job {
    const { name, stallMs } = this.input
    const done = (): void => {
      for (const lane of this.lanes) if (lane.current.delete(job)) this.advanceSoon(lane)
    }
    const job: Job = { request, connection, answer: new Answer({ name, stallMs, begun, done }) }
    return job
  }

  private enqueue(job: Job, timeoutMs: number, first: ExchangeRequest | undefined): void {
    const lane = this.pick(job.connection)
    lane.line.push(job)
    if (first !== undefined && lane.isNew) void this.begin(lane, first, timeoutMs)
    else this.advance(lane)
  }

  /** What a visitor would ask for first on a new connection. Where it does not come through, nothing else would. */
  private async begin(lane: Lane, first: ExchangeRequest, timeoutMs: number): Promise<void> {
    lane.isNew = false
    lane.begins = true
    const job = this.makeJob(first, undefined, () => {})
    const timer = setTimeout(() => job.answer.giveUp('E_PATH_TIMEOUT'), timeoutMs)
    lane.current.add(job)
    lane.client.dispatch(job.request, job.answer)
    try {
      await job.answer.result
    } catch (error) {
      for (const { answer } of lane.line.splice(0)) answer.error(error)
    } finally {
      clearTimeout(timer)
      lane.begins = false
      this.advance(lane)
    }
  }

  private pick(name: string | undefined): Lane {
    const lanes = [...this.lanes].filter(({ retired, client }) => !retired && client.capacity !== 0)
    const named = lanes.find((other) => name !== undefined && other.name === name)
    const lane = lanes.find(isShared) ?? named ?? this.anyLane(lanes)
    if (name !== undefined && isIdle(lane)) lane.name = name
    this.lanes.delete(lane)
    this.lanes.add(lane)
    return lane
  }

  /** An idle one that nobody named, one that may yet turn out to be shared, a new one, the longest idle, the shortest line. */
  private anyLane(lanes: readonly Lane[]): Lane {
    const idle = lanes.filter(isIdle)
    const unnamed = idle.findLast((lane) => lane.name === undefined)
    if (unnamed !== undefined) return unnamed
    const undecided = lanes.find(({ client }) => client.capacity === undefined)
    if (undecided !== undefined) return undecided
    if (this.lanes.size < DialLimits.connections || lanes.length === 0) return this.openLane()
    return idle[0] ?? lanes.reduce((least, lane) => (lane.line.length < least.line.length ? lane : least))
  }

  private openLane(): Lane {
    // Where all are retired and none has come to its end, the oldest gives way.
    const [oldest] = this.lanes
    if (oldest !== undefined && this.lanes.size >= DialLimits.connections) this.drop(oldest)
    const client = this.input.open({ ready: () => this.decided(lane), gone: () => this.gone(lane) })
    const lane: Lane = {
      ...{ name: undefined, client, current: new Set(), line: [], isNew: true, begins: false, retired: false },
    }
    return lane
  }

  /** What was in line behind a connection that turns out not to be shared finds others. */
  private decided(lane: Lane): void {
    if (!isShared(lane)) this.moveOn(lane.line.splice(1))
    this.advance(lane)
  }

  /** It is over, and what was under way on it has been told. Some clients connect anew for what is waiting. */
  private gone(lane: Lane): void {
    if (lane.client.capacity !== 0 && !isIdle(lane)) return
    lane.retired = true
    // Not at once: undici may be in the middle of telling requests of a failure, and breaks where a new one comes then.
    queueMicrotask(() => {
      this.moveOn(lane.line.splice(0))
      this.sweep(lane)
    })
  }

  private moveOn(jobs: readonly Job[]): void {
    for (const job of jobs) {
      const lane = this.pick(job.connection)
      lane.line.push(job)
      this.advance(lane)
    }
  }

  private advance(lane: Lane): void {
    if (lane.begins) return
    lane.isNew = false
    while (lane.line.length > 0 && lane.current.size < (lane.client.capacity || 1)) {
      const job = lane.line.shift()!
      lane.current.add(job)
      lane.client.dispatch(job.request, job.answer)
    }
    if (lane.retired) this.sweep(lane)
  }

  private advanceSoon(lane: Lane): void {
    // Not at once, for the same reason.
    queueMicrotask(() => this.advance(lane))
  }

  /** Nothing new goes to the connections there are. */
  private retireAll(): void {
    for (const lane of [...this.lanes]) {
      if (isIdle(lane) || isShared(lane)) lane.retired = true
      this.sweep(lane)
    }
  }

  private sweep(lane: Lane): void {
    if (lane.retired && isIdle(lane)) this.drop(lane)
  }

  private drop(lane: Lane): void {
    if (this.lanes.delete(lane)) void lane.client.destroy()
  }
}

const isIdle = (lane: Lane): boolean => lane.current.size === 0 && lane.line.length === 0

const isShared = ({ client }: Lane): boolean => (client.capacity ?? 0) > 1
