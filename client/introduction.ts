/** How a tunnel begins: the page a visitor would load, then first contact in a request of the template. Spec section 4. */
import type { CompiledTemplate } from '#engine/compile.ts'
import type { HttpRequest } from '#engine/template.ts'
import type { Permit } from '#firewall/permit.ts'
import type { Millis } from '#protocol/bytes.ts'
import { SottoError } from '#protocol/errors.ts'
import type { HandshakeKeys } from '#protocol/handshake.ts'
import { aeads } from '#protocol/parcel.ts'
import { bindingOf } from '#protocol/recognition.ts'
import { busy, isPassing, toAnswer } from './carrier.ts'
import type { Clockwork } from './clockwork.ts'

/** Octets of a first contact: box 42, binding 16, Noise 48, claim up to 66, hello; with room to grow. */
const CONTACT_OCTETS = 320
const TIMEOUT_MS = 10_000

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
}): Promise<Introduced> {
  const clockOffset = await visit(input)
  const shape = input.template.shape('send')
  const { permit, clockwork } = input
  const contact = await permit.firstContact({
    hello: Uint8Array.of(input.preferredAead),
    binding: bindingOf(shape),
    length: shape.up.fit(CONTACT_OCTETS),
    now: clockwork.now() + clockOffset,
  })
  const request = shape.encodeRequest({ ...contact, host: hostOf(permit), random: clockwork.random })
  const began = clockwork.now()
  const answer = toAnswer(await permit.exchange(request, { timeoutMs: TIMEOUT_MS, signal: input.signal }))
  if (isPassing(answer)) throw busy(answer)
  const parcel = shape.decodeResponse(answer)
  const result = parcel === undefined ? undefined : await contact.finish(parcel)
  const suite = result?.reply[0]
  if (result === undefined || suite === undefined || suite >= aeads.length) throw notRecognised(permit)
  return { keys: result.keys, suite, clockOffset, rttMs: clockwork.now() - began }
}

function notRecognised(permit: Permit): SottoError {
  return new SottoError(
    'E_NOT_RECOGNISED',
    `${permit.endpoint.host} answered as an ordinary website, not as a gateway`,
    {
      kept: 'Your messages and contacts are kept, and unsent messages stay in the outbox.',
    },
  )
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
}): Promise<number> {
  const { permit, template, clockwork, signal } = input
  const page: HttpRequest = { method: 'GET', target: template.page, headers: template.pageHeaders, body: undefined }
  const answer = toAnswer(await permit.exchange(page, { timeoutMs: TIMEOUT_MS, signal }))
  const date: Millis = Date.parse(answer.header('date') ?? '')
  return Number.isNaN(date) ? 0 : date - clockwork.now()
}
