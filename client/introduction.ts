/** How a tunnel begins: the page a visitor would load, then first contact in a request of the template. Spec section 4. */
import type { CompiledTemplate, HttpRequest, Shape } from '#engine/compile.ts'
import type { Permit } from '#firewall/permit.ts'
import type { Millis, Random } from '#protocol/bytes.ts'
import { SottoError } from '#protocol/errors.ts'
import type { HandshakeKeys } from '#protocol/handshake.ts'
import { aeads } from '#protocol/parcel.ts'
import { requestBinding } from '#protocol/recognition.ts'
import { toAnswer } from './carrier.ts'
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
  const length = shape.up.fit(CONTACT_OCTETS)
  const { permit, clockwork } = input
  const host = hostOf(permit)
  const random = recorded(clockwork.random)
  const draft = encode(shape, host, random.take, new Uint8Array(16), new Uint8Array(length))
  const contact = await permit.firstContact({
    hello: Uint8Array.of(input.preferredAead),
    binding: requestBinding(shape.template, draft.method, draft.target),
    length,
    now: clockwork.now() + clockOffset,
  })
  const request = encode(shape, host, random.replay(), contact.token, contact.parcel)
  const response = await permit.exchange(request, { timeoutMs: TIMEOUT_MS, signal: input.signal })
  const parcel = shape.decodeResponse(toAnswer(response))
  const result = parcel === undefined ? undefined : await contact.finish(parcel)
  const suite = result?.reply[0]
  if (result === undefined || suite === undefined || suite >= aeads.length) throw notRecognised(permit)
  return { keys: result.keys, suite, clockOffset }
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

function encode(shape: Shape, host: string, random: Random, token: Uint8Array, parcel: Uint8Array): HttpRequest {
  return shape.encodeRequest({ token, parcel, host, random })
}

/**
 * Randomness that can be drawn a second time: the request is drafted to learn its path, which the first contact is
 * bound to, and then made again around it.
 */
function recorded(random: Random): { take: Random; replay: () => Random } {
  const drawn: Uint8Array[] = []
  return {
    take: (length) => {
      const bytes = random(length)
      drawn.push(bytes.slice())
      return bytes
    },
    replay: () => {
      let at = 0
      return (length) => {
        const bytes = drawn[at++]
        return bytes?.length === length ? bytes : random(length)
      }
    },
  }
}
