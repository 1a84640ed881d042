/**
 * The connections to one endpoint: few, begun apart from each other. Over HTTP/1.1 each has one exchange at a time: what
 * finds none free waits for the first that is, and a name asks for a connection of its own. Over HTTP/2 all share one.
 */
import { DialLimits } from '../limits.ts'
import type { ExchangeOptions, ExchangeRequest, ExchangeResponse } from '../permit.ts'
import { Answer } from './answer.ts'
import type { HttpClient, HttpClientEvents } from './http-client.ts'
import { pathError } from './path-error.ts'
import { Patience } from './patience.ts'
import type { Spacing } from './spacing.ts'

interface Job {
  readonly name: string | undefined
  readonly request: ExchangeRequest
  /** Has to come first on a new connection, within `timeoutMs`. */
  readonly first: ExchangeRequest | undefined
  readonly timeoutMs: number
  readonly answer: Answer
  readonly patience: Patience
  lane: Lane | undefined
}

interface Lane {
  name: string | undefined
  readonly client: HttpClient
  /** Aborted when the connection is not wanted any more, in the middle of connecting too. */
  readonly unwanted: AbortController
  /** Under way on the connection. */
  readonly current: Set<Job>
  /** Of its name, or until it is known how many it carries at once. */
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
  readonly spacing: Spacing
  /** Makes an HTTP client that holds at most one connection. For its first one a place was taken; later ones take their own. */
  readonly open: (unwanted: AbortSignal, events: HttpClientEvents) => HttpClient
}

export class Connections {
  private readonly input: ConnectionsInput
  /** In order of use: the first was idle for longest. */
  private readonly lanes = new Set<Lane>()
  /** For which there is no connection yet. */
  private line: Job[] = []
  private most: number = DialLimits.connectionsUnsaid
  private timer: NodeJS.Timeout | undefined
  /** Whether the latest connection turned out to be shared. */
  private shares = true

  constructor(input: ConnectionsInput) {
    this.input = input
  }

  /** Rejects with SottoError E_PATH_*. */
  async exchange(request: ExchangeRequest, options: ExchangeOptions): Promise<ExchangeResponse> {
    const { name, stallMs, answerMs } = this.input
    if (options.signal?.aborted) throw pathError('E_PATH_CLOSED', name, undefined, options.signal.reason)
    if (options.fresh) this.retireAll()
    this.most = Math.min(options.connections ?? DialLimits.connectionsUnsaid, DialLimits.connections)
    this.retireSpare()
    const { connection, first, timeoutMs, signal } = options
    const leave = (code: 'E_PATH_CLOSED' | 'E_PATH_TIMEOUT'): void => this.giveUp(job, code, signal?.reason)
    const heard = (): number => heardOnOwn(job.lane)
    const patience = new Patience({ timeoutMs, answerMs, heard, late: () => leave('E_PATH_TIMEOUT') })
    const answer = new Answer({ name, stallMs, patience, done: () => this.finished(job) })
    const job: Job = { name: connection, request, first, timeoutMs, answer, patience, lane: undefined }
    const aborted = (): void => leave('E_PATH_CLOSED')
    signal?.addEventListener('abort', aborted, { once: true })
    this.place(job)
    return answer.result.finally(() => {
      patience.end()
      signal?.removeEventListener('abort', aborted)
    })
  }

  async close(): Promise<void> {
    const lanes = [...this.lanes]
    const waiting = this.line
    this.lanes.clear()
    this.line = []
    clearTimeout(this.timer)
    const jobs = lanes.flatMap(({ current, line }) => [...current, ...line])
    for (const { answer } of [...jobs, ...waiting]) answer.giveUp('E_PATH_CLOSED')
    await Promise.all(lanes.map((lane) => this.end(lane)))
  }

  private giveUp(job: Job, code: 'E_PATH_CLOSED' | 'E_PATH_TIMEOUT', cause: unknown): void {
    const { lane, answer } = job
    this.line = this.line.filter((other) => other !== job)
    if (lane !== undefined) lane.line = lane.line.filter((other) => other !== job)
    const isConnecting = lane?.current.has(job) && !answer.isOnItsWay
    answer.giveUp(code, cause)
    if (code !== 'E_PATH_TIMEOUT') return
    // What takes so long to come about would be waited for by the next ones as well.
    if (isConnecting) this.drop(lane!)
    // Where one connection has fallen silent the others have, mostly: what comes next shall not find out one by one.
    this.retireAll()
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

  /**
   * One that is shared, or may yet turn out to be; of this name; else an idle one that nobody named, a new one, or the
   * longest idle one. undefined: it has to wait.
   */
  private laneFor(name: string | undefined): Lane | undefined {
    const lanes = [...this.lanes].filter(({ retired, client }) => !retired && client.capacity !== 0)
    const shared = lanes.find((lane) => isShared(lane) || (this.shares && lane.client.capacity === undefined))
    if (shared !== undefined) return shared
    const own = name === undefined ? undefined : lanes.find((other) => other.name === name)
    if (own !== undefined) return own
    const idle = lanes.filter(isIdle)
    const unnamed = idle.findLast((lane) => lane.name === undefined)
    if (unnamed !== undefined) return unnamed
    if (lanes.length === 0) this.makeRoom()
    return this.mayOpen && this.input.spacing.wait === 0 ? this.openLane() : idle[0]
  }

  private give(lane: Lane, job: Job): void {
    if (job.name !== undefined && lane.client.capacity === 1) {
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
    if (lane.isNew && job.first !== undefined) void this.begin(lane, job.first, job.timeoutMs)
    else this.advance(lane)
  }

  /** What a visitor would ask for first on a new connection. Where it does not come through, nothing else would. */
  private async begin(lane: Lane, first: ExchangeRequest, timeoutMs: number): Promise<void> {
    lane.isNew = false
    lane.begins = true
    const { name, stallMs, answerMs } = this.input
    const done = (): void => this.finished(job)
    const heard = (): number => heardOnOwn(lane)
    const patience = new Patience({ timeoutMs, answerMs, heard, late: () => answer.giveUp('E_PATH_TIMEOUT') })
    const answer = new Answer({ name, stallMs, patience, done })
    const job: Job = { name: undefined, request: first, first: undefined, timeoutMs, answer, patience, lane }
    patience.carried()
    lane.current.add(job)
    lane.client.dispatch(first, answer)
    try {
      await answer.result
    } catch (error) {
      for (const waiting of lane.line.splice(0)) waiting.answer.error(error)
    } finally {
      patience.end()
      lane.begins = false
      this.advance(lane)
    }
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
    const client = this.input.open(unwanted.signal, { ready: () => this.decided(lane), gone: () => this.gone(lane) })
    const lane: Lane = {
      ...{ name: undefined, client, unwanted, current: new Set(), line: [] },
      ...{ isNew: true, begins: false, retired: false },
    }
    this.lanes.add(lane)
    return lane
  }

  /** Where all are retired and none has come to its end, the oldest gives way. */
  private makeRoom(): void {
    const [oldest] = this.lanes
    if (oldest !== undefined && !this.mayOpen) this.drop(oldest)
  }

  /** What was in line behind a connection that turns out not to be shared finds others. */
  private decided(lane: Lane): void {
    this.shares = isShared(lane)
    if (lane.client.capacity === 1 && !lane.begins) this.line.unshift(...this.stranded(lane, 1))
    this.advance(lane)
    this.placeAll()
  }

  private advance(lane: Lane): void {
    if (lane.begins || !this.lanes.has(lane)) return
    while (lane.line.length > 0 && lane.current.size < (lane.client.capacity ?? 1)) {
      const job = lane.line.shift()!
      lane.isNew = false
      lane.current.add(job)
      job.patience.carried()
      lane.client.dispatch(job.request, job.answer)
    }
    this.sweep(lane)
  }

  private finished(job: Job): void {
    const { lane } = job
    if (lane === undefined) return
    lane.current.delete(job)
    // Not at once: undici may be in the middle of telling requests of a failure, and breaks where a new one comes then.
    queueMicrotask(() => {
      this.advance(lane)
      this.placeAll()
    })
  }

  /** It is over, and what was under way on it has been told. Some clients connect anew for what is in line. */
  private gone(lane: Lane): void {
    if (lane.client.capacity === 0 || isIdle(lane)) this.drop(lane)
  }

  /** Nothing new goes to the connections there are; those that are shared end with what is under way on them. */
  private retireAll(): void {
    for (const lane of [...this.lanes]) {
      if (isIdle(lane) || isShared(lane)) lane.retired = true
      this.sweep(lane)
    }
  }

  /** Another look opens fewer. Those that were idle for longest go, and of those in use the ones that began first. */
  private retireSpare(): void {
    const lanes = [...this.lanes].filter(({ retired }) => !retired)
    const inTurn = [...lanes.filter(isIdle), ...lanes.filter((lane) => !isIdle(lane))]
    for (const lane of inTurn.slice(0, Math.max(0, lanes.length - this.most))) {
      lane.retired = true
      this.sweep(lane)
    }
  }

  private sweep(lane: Lane): void {
    if (lane.retired && isIdle(lane)) this.drop(lane)
  }

  private drop(lane: Lane): void {
    if (!this.lanes.delete(lane)) return
    void this.end(lane)
    this.line.unshift(...this.stranded(lane, 0))
    this.comeBack()
  }

  private stranded(lane: Lane, from: number): Job[] {
    const jobs = lane.line.splice(from)
    for (const job of jobs) job.lane = undefined
    return jobs
  }

  /** Closes a connection, or what would become one. */
  private end({ client, unwanted }: Lane): Promise<void> {
    unwanted.abort(pathError('E_PATH_CLOSED', this.input.name))
    return client.destroy()
  }
}

/** What comes on a shared connection may be anybody's. */
const heardOnOwn = (lane: Lane | undefined): number => (lane?.client.capacity === 1 ? lane.client.heard : 0)

const isIdle = ({ current, line }: Lane): boolean => current.size === 0 && line.length === 0

const isShared = ({ client }: Lane): boolean => (client.capacity ?? 0) > 1
