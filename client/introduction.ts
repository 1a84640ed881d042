/** How a tunnel begins: the page a visitor would load, then first contact in a request of the template. Spec section 4. */
import type { CompiledTemplate } from '#engine/compile.ts'
import type { Permit } from '#firewall/permit.ts'
import type { Millis } from '#protocol/bytes.ts'
import { isSottoError, SottoError } from '#protocol/errors.ts'
import type { HandshakeKeys } from '#protocol/handshake.ts'
import { aeads } from '#protocol/parcel.ts'
import { bindingOf } from '#protocol/recognition.ts'
import type { Answer } from './carrier.ts'
import { toAnswer } from './carrier.ts'
import type { Clockwork } from './clockwork.ts'
import { FIRST, linger, SHOWN } from './pace.ts'
import { answerError, refusesMethod, verdict } from './verdict.ts'
import { firstRequest, loadParts, pageRequest } from './visit.ts'

/** Octets of a first contact: box 42, binding 16, Noise 48, claim up to 66, hello; with room to grow. */
const CONTACT_OCTETS = 320
/** Milliseconds that page and contact may take each: at the first try, and the most after failures. */
const TIMEOUT_FIRST = 5_000
const TIMEOUT_MOST = 15_000

export interface Introduced {
  readonly keys: HandshakeKeys
  /** Index into `aeads`. */
  readonly suite: number
  /** Milliseconds to add to our clock to have the server's. */
  readonly clockOffset: number
  /** How long the first contact took. */
  readonly rttMs: number
}

/**
 * @throws SottoError E_PATH_* where the path fails, E_NOT_RECOGNISED where the website answered instead of the gateway
 */
export async function introduce(input: {
  readonly permit: Permit
  readonly template: CompiledTemplate
  readonly clockwork: Clockwork
  readonly preferredAead: number
  readonly signal: AbortSignal
  /** Failures before this try. */
  readonly tries: number
  /** Milliseconds between the clocks as known so far: the page may be left out where it does not come through. */
  readonly clockOffset: number | undefined
  /** The page has come through, or was left out. */
  readonly visited: (clockOffset: number) => void
}): Promise<Introduced> {
  const timeoutMs = Math.min(TIMEOUT_MOST, TIMEOUT_FIRST * (1 + input.tries))
  const clockOffset = await visit({ ...input, timeoutMs })
  input.visited(clockOffset)
  const { permit, clockwork } = input
  const isPage = input.template.family !== 'node'
  const shown = isPage ? linger(clockwork, SHOWN) : undefined
  const shape = input.template.shape('send')
  const contact = await permit.firstContact({
    hello: Uint8Array.of(input.preferredAead),
    binding: bindingOf(shape),
    length: shape.up.fit(CONTACT_OCTETS),
    now: clockwork.now() + clockOffset,
  })
  const request = shape.encodeRequest({ ...contact, host: hostOf(permit), random: clockwork.random })
  await shown
  const { family } = input.template
  const first = firstRequest(input.template)
  const began = clockwork.now()
  const answer = toAnswer(await permit.exchange(request, { family, first, timeoutMs, signal: input.signal }))
  const parcel = shape.decodeResponse(answer)
  const result = parcel === undefined ? undefined : await contact.finish(parcel)
  permit.judge(answer.response, result !== undefined)
  if (result === undefined) refuse(answer, permit)
  const suite = result?.reply[0]
  if (result === undefined || suite === undefined || suite >= aeads.length)
    throw notRecognised(permit, shape.method === 'POST' && refusesMethod(answer))
  const rttMs = clockwork.now() - began
  if (isPage) await linger(clockwork, FIRST)
  return { keys: result.keys, suite, clockOffset, rttMs }
}

/** @throws SottoError E_PATH_* where somebody on the way has answered */
function refuse(answer: Answer, permit: Permit): void {
  const code = verdict(answer, permit.endpoint.host)
  if (code !== undefined) throw answerError(code, answer)
}

/** The website answered. `refused`: with a status that may be for the method alone. */
export class NotRecognised extends SottoError {
  readonly refused: boolean

  constructor(what: string, refused: boolean) {
    super('E_NOT_RECOGNISED', what, {
      kept: 'Your messages and contacts are kept, and unsent messages stay in the outbox.',
    })
    this.refused = refused
  }
}

function notRecognised(permit: Permit, refused: boolean): SottoError {
  return new NotRecognised(`${permit.endpoint.host} answered as an ordinary website, not as a gateway`, refused)
}

export function hostOf(permit: Permit): string {
  const { host, port } = permit.endpoint
  return port === 443 ? host : `${host}:${port}`
}

/** Loads the page as a visitor would, and learns the server's clock from its `Date`. */
async function visit(input: {
  readonly permit: Permit
  readonly template: CompiledTemplate
  readonly clockwork: Clockwork
  readonly signal: AbortSignal
  readonly timeoutMs: number
  readonly tries: number
  readonly clockOffset: number | undefined
}): Promise<number> {
  const { permit, template, clockwork, signal, timeoutMs } = input
  let answer: Answer
  try {
    answer = toAnswer(await permit.exchange(pageRequest(template), { family: template.family, timeoutMs, signal }))
  } catch (error) {
    // A page is large beside what follows, and a path may break off at just that.
    if (input.tries === 0 || signal.aborted || !isBreak(error)) throw error
    return input.clockOffset ?? 0
  }
  // Whatever the page is, it is the website's; but a login page is not.
  if (verdict(answer, permit.endpoint.host) === 'E_NET_PORTAL') throw answerError('E_NET_PORTAL', answer)
  // Not again where it failed before: it is large beside what follows.
  if (input.tries === 0) await loadParts({ permit, template, host: hostOf(permit), page: answer, signal, timeoutMs })
  const date: Millis = Date.parse(answer.header('date') ?? '')
  return Number.isNaN(date) ? (input.clockOffset ?? 0) : date - clockwork.now()
}

function isBreak(error: unknown): boolean {
  return (['E_PATH_RESET', 'E_PATH_TIMEOUT', 'E_PATH_ANSWER'] as const).some((code) => isSottoError(error, code))
}
