/**
 * Calls and subscriptions: one stream each. Spec section 8.2.
 *
 *     caller    {m: method, a: arguments}                 then end, or open for a subscription
 *     service   {r: result} | {p: pushed message}* | {e: reason}    then end
 *
 * A call whose stream is cut has an unknown fate. Every service method is idempotent, so the caller repeats it.
 */

import { Limits } from '../constants.ts'
import { CloseCode } from '../session/frames.ts'
import type { Stream } from '../session/stream.ts'
import { Priority } from '../session/stream.ts'
import { frameMessage, readMessages, writeMessage } from './message-stream.ts'
import type { Caller, Service } from './service.ts'
import { ServiceFailure } from './service.ts'

/** The session, or the stream alone, ended before the answer. Safe to repeat. */
export class CallInterrupted extends Error {
  readonly code: number

  constructor(code: number) {
    super(`the stream was cut (${code})`)
    this.name = 'CallInterrupted'
    this.code = code
  }
}

export interface StreamSource {
  open(priority: Priority): Stream
}

interface Reply {
  readonly r?: unknown
  readonly p?: unknown
  readonly e?: unknown
}

const asReply = (message: unknown): Reply => (message !== null && typeof message === 'object' ? (message as Reply) : {})

/**
 * One question, one answer. `signal` gives it up: the stream is cut, so that nothing of it is left behind.
 * @throws ServiceFailure where the service refuses; CallInterrupted where the stream was cut
 */
export function call(
  source: StreamSource,
  method: string,
  args: unknown,
  priority?: Priority,
  signal?: AbortSignal,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const question = frameMessage({ m: method, a: args })
    const stream = source.open(priority ?? Priority.urgent)
    const fail = (error: Error): void => {
      reject(error)
      stream.reset(CloseCode.cancelled)
    }
    readMessages(
      stream,
      (message) => {
        const { r, e } = asReply(message)
        if (typeof e === 'string') reject(new ServiceFailure(e))
        else resolve(r)
      },
      () => fail(new CallInterrupted(CloseCode.protocol)),
    )
    stream.onEnd = () => reject(new CallInterrupted(CloseCode.done))
    stream.onReset = (code) => reject(new CallInterrupted(code))
    signal?.addEventListener('abort', () => stream.reset(CloseCode.cancelled), { once: true })
    stream.write(question)
    stream.end()
  })
}

export interface Subscription {
  /**
   * Resolves with the service's reason (`ended` where it gave none), or undefined where the stream was cut and
   * subscribing anew makes sense.
   */
  readonly ended: Promise<string | undefined>
  cancel(): void
}

/** One question, any number of messages until either side ends it. */
export function subscribe(
  source: StreamSource,
  method: string,
  args: unknown,
  onMessage: (message: unknown) => void,
): Subscription {
  const question = frameMessage({ m: method, a: args })
  const stream = source.open(Priority.urgent)
  const ended = new Promise<string | undefined>((resolve) => {
    readMessages(
      stream,
      (message) => {
        const { p, e } = asReply(message)
        if (typeof e === 'string') resolve(e)
        else if (p !== undefined) onMessage(p)
      },
      () => stream.reset(CloseCode.protocol),
    )
    stream.onEnd = () => {
      stream.end()
      resolve('ended')
    }
    stream.onReset = () => resolve(undefined)
  })
  stream.write(question)
  return { ended, cancel: () => stream.reset(CloseCode.cancelled) }
}

/** Octets a subscription may have under way before `push` waits. Attack: a slow reader; one bulk parcel's worth. */
const PUSH_AHEAD = 65_536

/** One question, then raw octets both ways: for what is too large for messages. Spec section 8.3. */
export function openStream(source: StreamSource, method: string, args: unknown, priority: Priority): Stream {
  const question = frameMessage({ m: method, a: args })
  const stream = source.open(priority)
  stream.write(question)
  return stream
}

/** Serves one incoming stream. `report` gets what a handler threw and the caller must not see. */
export function serve(
  stream: Stream,
  services: readonly Service[],
  caller: Caller,
  report: (error: unknown) => void,
): void {
  const abort = new AbortController()
  let asked = false
  stream.onReset = () => abort.abort()
  readMessages(
    stream,
    (message) => {
      if (asked) return stream.reset(CloseCode.protocol)
      asked = true
      if (serveRaw(stream, services, caller, message)) return 'raw'
      void answer(stream, services, caller, message, abort, report)
    },
    () => stream.reset(CloseCode.protocol),
  )
}

/** True where the question is for a stream handler, which has the stream from now on. */
function serveRaw(stream: Stream, services: readonly Service[], caller: Caller, message: unknown): boolean {
  const { m, a } = (message ?? {}) as { m?: unknown; a?: unknown }
  if (typeof m !== 'string') return false
  const service = services.find(({ stream: handlers }) => handlers !== undefined && Object.hasOwn(handlers, m))
  if (service === undefined) return false
  stream.onData = undefined
  stream.onReset = undefined
  // What is too large for messages must not hold up any.
  stream.priority = Priority.bulk
  service.stream![m]!(a, caller, stream)
  return true
}

async function answer(
  stream: Stream,
  services: readonly Service[],
  caller: Caller,
  message: unknown,
  abort: AbortController,
  report: (error: unknown) => void,
): Promise<void> {
  try {
    const { m, a } = question(message)
    const result = await dispatch(stream, services, caller, m, a, abort)
    if (result !== undefined) writeMessage(stream, { r: result })
  } catch (error) {
    if (!(error instanceof ServiceFailure) && !abort.signal.aborted) report(error)
    writeMessage(stream, { e: error instanceof ServiceFailure ? error.reason : 'internal' })
  }
  stream.end()
}

function question(message: unknown): { m: string; a: unknown } {
  const { m, a } = (message ?? {}) as { m?: unknown; a?: unknown }
  if (typeof m !== 'string' || m.length > Limits.serviceNameBytes) throw new ServiceFailure('bad-request')
  return { m, a }
}

/** The result of a call, or undefined once a subscription is over. */
async function dispatch(
  stream: Stream,
  services: readonly Service[],
  caller: Caller,
  method: string,
  args: unknown,
  abort: AbortController,
): Promise<unknown> {
  for (const service of services) {
    if (Object.hasOwn(service.unary, method)) {
      // What comes next waits for the answer, which is short: it goes before news, which may be much.
      stream.priority = Priority.urgent
      return (await service.unary[method]!(args, caller)) ?? null
    }
    if (service.bulk !== undefined && Object.hasOwn(service.bulk, method)) {
      stream.priority = Priority.bulk
      return (await service.bulk[method]!(args, caller)) ?? null
    }
    if (!Object.hasOwn(service.subscribe, method)) continue
    await service.subscribe[method]!(args, caller, (item) => push(stream, item, abort.signal), abort.signal)
    return undefined
  }
  throw new ServiceFailure('unknown-method')
}

async function push(stream: Stream, item: unknown, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted()
  writeMessage(stream, { p: item })
  if (stream.held <= PUSH_AHEAD) return
  await new Promise<void>((resolve, reject) => {
    const settle = (): void => {
      stream.onDrain = undefined
      signal.removeEventListener('abort', settle)
      if (signal.aborted) reject(signal.reason)
      else resolve()
    }
    stream.onDrain = () => {
      if (stream.held <= PUSH_AHEAD) settle()
    }
    signal.addEventListener('abort', settle, { once: true })
  })
}
