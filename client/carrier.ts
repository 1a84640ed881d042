/**
 * Performs the exchanges of one session over one permit: encodes, sends, retries bit-identically, decodes. Every answer
 * has one of three meanings: authentic, a stranger's (the decoy answered: the gateway does not know this session), or
 * none at all (the path failed, and the very same request goes out again).
 */
import type { Shape } from '#engine/shape.ts'
import type { HttpRequest } from '#engine/template.ts'
import type { Permit } from '#firewall/permit.ts'
import type { Millis } from '#protocol/bytes.ts'
import { SottoError } from '#protocol/errors.ts'
import type { Clockwork } from './clockwork.ts'
import type { Path } from './path.ts'

/** Answers of edges and front servers that say «not now» instead of giving the site: the request is worth repeating. */
const PASSING_STATUS: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504])
/** Slowest upload that is waited for, octets a millisecond (8 kB/s). */
const SLOWEST_UPLOAD = 8

export interface ExchangeInput {
  readonly permit: Permit
  readonly path: Path
  readonly clockwork: Clockwork
  readonly shape: Shape
  readonly request: HttpRequest
  /** Milliseconds the gateway may hold the exchange. */
  readonly hold: number
  /** Checks and takes in the parcel; false where it is not authentic. */
  readonly accept: (parcel: Uint8Array) => boolean
  /** False where the gateway may not expect the request any more. */
  readonly mayRetry: () => boolean
  readonly signal: AbortSignal
  /** Told after every attempt that failed, with the time since when it goes on. */
  readonly failing: (since: Millis) => void
}

export interface ExchangeResult {
  /** `late`: it came to nothing, and is too old to be tried again. */
  readonly kind: 'authentic' | 'stranger' | 'late'
  /** Octets of the parcel that came down. */
  readonly octets: number
}

/** Resolves with the first answer that means something; rejects only when `signal` aborts. */
export async function performExchange(input: ExchangeInput): Promise<ExchangeResult> {
  let since: Millis | undefined
  for (;;) {
    input.signal.throwIfAborted()
    const began = input.clockwork.now()
    const answer = await attempt(input)
    if (answer !== undefined) {
      const parcel = input.shape.decodeResponse(answer)
      if (parcel !== undefined && input.accept(parcel)) {
        input.path.worked(input.clockwork.now() - began, input.hold)
        return { kind: 'authentic', octets: parcel.length }
      }
      if (!isPassing(answer)) return { kind: 'stranger', octets: 0 }
      input.path.failed(busy(answer))
    }
    since ??= input.clockwork.now()
    input.failing(since)
    await input.path.rest(input.signal)
    if (!input.mayRetry()) return { kind: 'late', octets: 0 }
  }
}

/** One attempt at an exchange that is answered at once; true where the answer was authentic. Tells nobody but the caller. */
export async function tryExchange(
  input: Pick<ExchangeInput, 'permit' | 'shape' | 'request' | 'accept' | 'signal'> & { readonly timeoutMs: number },
): Promise<boolean> {
  const { permit, shape, request, timeoutMs, signal } = input
  try {
    const parcel = shape.decodeResponse(toAnswer(await permit.exchange(request, { timeoutMs, signal })))
    return parcel !== undefined && input.accept(parcel)
  } catch {
    return false
  }
}

export interface Answer {
  readonly status: number
  readonly body: Uint8Array
  header(name: string): string | undefined
}

/** One try on the network; undefined where the path failed. */
async function attempt(input: ExchangeInput): Promise<Answer | undefined> {
  const { permit, path, request, signal } = input
  const upload = (request.body?.length ?? 0) / SLOWEST_UPLOAD
  const timeoutMs = input.hold + path.patience + upload
  try {
    return toAnswer(await permit.exchange(request, { timeoutMs, signal }))
  } catch (error) {
    signal.throwIfAborted()
    path.failed(error)
    return undefined
  }
}

/** True for what an edge or front server says while it cannot reach what is behind it. */
export function isPassing(answer: Answer): boolean {
  return PASSING_STATUS.has(answer.status)
}

export function busy(answer: Answer): SottoError {
  return new SottoError('E_PATH_BUSY', `the server answered ${answer.status}`)
}

export function toAnswer(response: {
  status: number
  headers: readonly (readonly [string, string])[]
  body: Uint8Array
}): Answer {
  return {
    status: response.status,
    body: response.body,
    header: (name) => response.headers.find(([key]) => key.toLowerCase() === name)?.[1],
  }
}
