/** Calls and subscriptions that outlive the sessions of a tunnel. */
import { isSottoError, SottoError } from '#protocol/errors.ts'
import type { Subscription } from '#protocol/services/rpc.ts'
import { CallInterrupted, call, subscribe } from '#protocol/services/rpc.ts'
import type { ClientSession } from '#protocol/session/client-session.ts'
import type { Priority } from '#protocol/session/stream.ts'
import type { Clockwork } from '../clockwork.ts'

/** Milliseconds for a call where nothing is said. */
const CALL_MS = 60_000

export interface CallOptions {
  readonly timeoutMs?: number
  readonly priority?: Priority
}

/** What calls need of a tunnel. */
export interface Sessions {
  /** The live session; waits for one. @throws SottoError E_TUNNEL_STOPPED, E_TUNNEL_TIMEOUT */
  session(timeoutMs?: number): Promise<ClientSession>
  /** The error of a call that came to nothing in time. */
  timedOut(): SottoError
  readonly clockwork: Clockwork
}

/** Repeated when its session ends before the answer. @throws as `Tunnel.call` */
export async function callOver(
  sessions: Sessions,
  method: string,
  args: unknown,
  options: CallOptions,
): Promise<unknown> {
  const { clockwork } = sessions
  const deadline = clockwork.now() + (options.timeoutMs ?? CALL_MS)
  for (;;) {
    const left = deadline - clockwork.now()
    const session = await sessions.session(left)
    const late = new AbortController()
    try {
      return await within(sessions, call(session.mux, method, args, options.priority, late.signal), left)
    } catch (error) {
      if (error instanceof CallInterrupted) continue
      // Otherwise calls that came too late would pile up in the session, and all go out once the path works again.
      if (isSottoError(error)) late.abort()
      throw error
    }
  }
}

/** Begins again with every new session, until cancelled or refused by the service. */
export function subscribeOver(
  sessions: Sessions,
  method: string,
  args: () => unknown,
  onMessage: (message: unknown) => void,
): Subscription {
  let inner: Subscription | undefined
  let cancelled = false
  const run = async (): Promise<string | undefined> => {
    while (!cancelled) {
      const session = await sessions.session()
      if (cancelled) break
      inner = subscribe(session.mux, method, args(), onMessage)
      const reason = await inner.ended
      if (reason !== undefined) return reason
    }
    return undefined
  }
  const cancel = (): void => {
    cancelled = true
    inner?.cancel()
  }
  return { ended: run().catch(() => undefined), cancel }
}

async function within<T>(sessions: Sessions, work: Promise<T>, ms: number): Promise<T> {
  if (ms === Number.POSITIVE_INFINITY) return await work
  let cancel = (): void => {}
  const late = new Promise<never>((_, reject) => {
    cancel = sessions.clockwork.after(ms, () => reject(sessions.timedOut()))
  })
  return await Promise.race([work, late]).finally(cancel)
}

/** With the path's own advice; where somebody answered and refused, that is the news and not the time it took. */
export function timeoutError(name: string, failure: unknown): SottoError {
  if (isSottoError(failure, 'E_NOT_RECOGNISED') || isSottoError(failure, 'E_REVOKED')) return failure
  const why = failure instanceof Error ? `: ${failure.message}` : ''
  const advice = isSottoError(failure) ? { next: failure.next, cause: failure } : {}
  return new SottoError('E_TUNNEL_TIMEOUT', `the gateway «${name}» could not be reached in time${why}`, {
    kept: 'Your messages and contacts are kept, and unsent messages stay in the outbox.',
    ...advice,
  })
}
