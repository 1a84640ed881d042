/**
 * Performs the exchanges of one session over one permit: encodes, sends, retries, decodes. Every answer has one of four
 * meanings: authentic, a stranger's (the decoy answered: the gateway does not know this session), too large for somebody
 * on the way, or none at all (the path failed, and the very same parcel goes out again).
 */
import type { Form } from '#engine/shape.ts'
import type { HttpRequest } from '#engine/template.ts'
import type { ExchangeResponse, Permit } from '#firewall/permit.ts'
import type { Millis } from '#protocol/bytes.ts'
import { isSottoError } from '#protocol/errors.ts'
import type { Clockwork } from './clockwork.ts'
import type { Path } from './path.ts'
import { HELD_MS } from './path.ts'
import { answerError, verdict } from './verdict.ts'

/** Failures of one exchange, each after others came through, until it is its size that counts as the reason; one where it is silent. */
const FAILURES_SEEN = 2

/** How often an exchange that is late is given another connection. */
const LATE_MOST = 2

export interface ExchangeInput {
  readonly permit: Pick<Permit, 'endpoint' | 'exchange' | 'judge'>
  readonly path: Path
  readonly clockwork: Clockwork
  readonly shape: Form
  /** What a visitor would ask for first on a new connection. */
  readonly first: HttpRequest | undefined
  /** As many as the client opens that the template claims to be. */
  readonly connections: number
  /** Goes out again and again as it is. */
  readonly request: HttpRequest
  /** The same content under a new number, in another request; undefined where no number can be spared. */
  readonly encodeAnew: () => HttpRequest | undefined
  /** Milliseconds the gateway may hold the exchange. */
  readonly hold: number
  /** It moves up to so many octets, whichever way is more. */
  readonly octets: number
  /** Checks and takes in the parcel; false where it is not authentic. */
  readonly accept: (parcel: Uint8Array) => boolean
  /** False where the gateway may not expect the request any more. */
  readonly mayRetry: () => boolean
  /** The very same request is about to go out once more. */
  readonly again: () => void
  /** It fails again and again, and nothing else has been heard of: asks for a small exchange that tells whether it is the path. */
  readonly probe: () => void
  readonly signal: AbortSignal
  /** Told after every attempt that failed, with the time since when it goes on. */
  readonly failing: (since: Millis) => void
}

export interface ExchangeResult {
  /** `unfit`: it does not come through at this size. `late`: it came to nothing, and is too old to be tried again. */
  readonly kind: 'authentic' | 'stranger' | 'unfit' | 'late'
  /** Octets of the parcel that came down. */
  readonly octets: number
  /** `unfit`: somebody has said that it is the request which is too large. */
  readonly said?: boolean
}

/** Resolves with the first answer that means something; rejects only when `signal` aborts. */
export async function performExchange(input: ExchangeInput): Promise<ExchangeResult> {
  const { path, clockwork, shape, signal, hold } = input
  let { request } = input
  let first = clockwork.now()
  let since: Millis | undefined
  let failures = 0
  /** Of them, those that something else came through before, since the one before. */
  let against = 0
  let failedAt: Millis = Number.POSITIVE_INFINITY
  /** Attempts that were given up in favour of another connection. */
  let doubted = 0
  let sent: HttpRequest | undefined
  for (;;) {
    signal.throwIfAborted()
    const began = clockwork.now()
    // A repeat is held no longer than the first would have been.
    const held = Math.max(0, hold - Math.max(0, began - first))
    if (sent === request) input.again()
    sent = request
    const answer = await attempt(input, request, held, { isFirst: failures === 0, doubted })
    // It was given up in favour of a new connection, and that at once.
    if (answer === 'doubted') {
      if (!input.mayRetry()) return { kind: 'late', octets: 0 }
      doubted++
      await giveWay(input)
      continue
    }
    if (answer !== undefined) {
      const { waitMs = 0, bodyMs = 0 } = answer.response
      // The wait for a connection is no distance.
      const elapsed = clockwork.now() - began - waitMs
      const parcel = shape.decodeResponse(answer)
      const authentic = parcel !== undefined && input.accept(parcel)
      input.permit.judge(answer.response, authentic)
      if (authentic) {
        const octets = (request.body?.length ?? 0) + answer.body.length
        path.worked(elapsed, held, { octets, proves: shape.holdMs === undefined })
        if (!path.came(answer.body.length, bodyMs)) path.carried(octets, elapsed, held)
        path.edge.passed(
          {
            ...{
              family: shape.family,
              method: request.method,
              up: request.body?.length ?? 0,
              down: answer.body.length,
            },
            waitedMs: shape.holdMs === undefined && held > HELD_MS && elapsed >= held ? held : 0,
            isHeld: held > HELD_MS,
          },
          clockwork.now(),
        )
        return { kind: 'authentic', octets: parcel.length }
      }
      const code = verdict(answer, input.permit.endpoint.host)
      if (code === undefined) return { kind: 'stranger', octets: 0 }
      path.edge.failed(answer.header)
      if (code === 'E_NET_SIZE') return unfit(path, true)
      if (failures === 0) path.cut(elapsed, held, false)
      path.failed(answerError(code, answer))
    }
    since ??= clockwork.now()
    input.failing(since)
    // While nothing comes through, nothing is known of sizes.
    if (path.lastWorked > failedAt) against++
    failedAt = clockwork.now()
    const silent = answer === undefined && isSottoError(path.error, 'E_PATH_TIMEOUT')
    if (against >= (silent ? 1 : FAILURES_SEEN)) return unfit(path, false)
    if (++failures > 1 || silent) input.probe()
    // The first failure of a path that worked is mostly that of one connection: another is worth a try at once.
    if (path.tries > 1) await path.rest(signal)
    else await giveWay(input)
    signal.throwIfAborted()
    // An edge may keep what it answered for this URL. Unless a number can be spared, the very same goes out again.
    const other = answer === undefined ? undefined : input.encodeAnew()
    if (other !== undefined) {
      request = other
      first = clockwork.now()
    } else if (!input.mayRetry()) return { kind: 'late', octets: 0 }
  }
}

/** One attempt at an exchange that is answered at once; true where the answer was authentic. Tells nobody but the caller. */
export async function tryExchange(
  input: Pick<ExchangeInput, 'permit' | 'shape' | 'first' | 'connections' | 'request' | 'accept' | 'signal'> & {
    readonly timeoutMs: number
  },
): Promise<boolean> {
  const { permit, shape, first, connections, request, timeoutMs, signal } = input
  const { family } = shape
  try {
    const response = await permit.exchange(request, { family, first, timeoutMs, connections, signal })
    const parcel = shape.decodeResponse(toAnswer(response))
    const authentic = parcel !== undefined && input.accept(parcel)
    permit.judge(response, authentic)
    return authentic
  } catch {
    return false
  }
}

/** What only waits for news leaves the first new connection to what says something. */
function giveWay({ hold, clockwork }: ExchangeInput): Promise<void> | undefined {
  return hold <= HELD_MS ? undefined : new Promise((resolve) => clockwork.soon(resolve))
}

function unfit(path: Path, said: boolean): ExchangeResult {
  path.note('E_NET_SIZE')
  return { kind: 'unfit', octets: 0, said }
}

export interface Answer {
  /** As it came. */
  readonly response: ExchangeResponse
  readonly status: number
  readonly body: Uint8Array
  header(name: string): string | undefined
}

/** One try on the network; undefined where the path failed. */
async function attempt(
  input: ExchangeInput,
  request: HttpRequest,
  hold: number,
  before: { readonly isFirst: boolean; readonly doubted: number },
): Promise<Answer | 'doubted' | undefined> {
  const { permit, path, clockwork, connections, signal, first } = input
  const { family } = input.shape
  const timeoutMs = path.timeout(hold, request.body?.length)
  const began = clockwork.now()
  const given = new AbortController()
  const giveUp = (): void => given.abort(signal.reason)
  signal.addEventListener('abort', giveUp, { once: true })
  let doubted = false
  const doubt = (): void => {
    doubted = true
    given.abort()
  }
  const trust = path.onDoubt(hold, request.body?.length ?? 0, doubt)
  const waited = hold > HELD_MS ? path.edge.waits() : () => {}
  const inTime = watchLate(input, hold, before.doubted, doubt)
  try {
    const fresh = path.wantsFresh()
    const response = await permit.exchange(request, {
      ...{ family, first, timeoutMs, connections, signal: given.signal, fresh },
    })
    path.count(request, response)
    return toAnswer(response)
  } catch (error) {
    signal.throwIfAborted()
    if (doubted) return 'doubted'
    const silent = isSottoError(error, 'E_PATH_TIMEOUT')
    if (isSottoError(error, 'E_PATH_HELLO')) path.edge.cutAtHello(family)
    if (before.isFirst) path.cut(clockwork.now() - began, hold, silent)
    path.failed(error)
    // What says nothing any more is often not the only one.
    if (silent) path.doubt()
    return undefined
  } finally {
    trust()
    inTime()
    waited()
    signal.removeEventListener('abort', giveUp)
  }
}

/** Where it is late, another connection is tried, twice at most; whether it is the path is asked beside it. */
function watchLate(
  { path, clockwork, octets, probe }: ExchangeInput,
  hold: number,
  before: number,
  late: () => void,
): () => void {
  const ms = before < LATE_MOST ? path.lateAfter(hold, octets) : undefined
  if (ms === undefined) return () => {}
  return clockwork.after(ms * 2 ** before, () => {
    probe()
    late()
  })
}

export function toAnswer(response: ExchangeResponse): Answer {
  return {
    response,
    status: response.status,
    body: response.body,
    header: (name) => response.headers.find(([key]) => key.toLowerCase() === name)?.[1],
  }
}
