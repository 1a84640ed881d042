/** A permit where the secrets are: every use asks the policy anew, then computes the handshake or dials. */
import type { Random } from '#protocol/bytes.ts'
import { Limits } from '#protocol/constants.ts'
import { SottoError } from '#protocol/errors.ts'
import type { Membership } from '#protocol/handshake.ts'
import { initiate, initiateRekey } from '#protocol/handshake.ts'
import { deriveCohort } from '#protocol/recognition.ts'
import type { Dialer, DialTarget } from './dialers/dialer.ts'
import { Judgements } from './judgements.ts'
import { openLocalSocket } from './local-socket.ts'
import { octetsOf } from './meter-facts.ts'
import type {
  EndpointInfo,
  ExchangeRequest,
  ExchangeResponse,
  Family,
  FirstContact,
  FirstContactInput,
  Permit,
  Rekey,
} from './permit.ts'
import type { Endpoint, Refusal } from './policy.ts'
import { authority } from './policy.ts'
import { decideRequest } from './request.ts'

export interface PermitSource {
  /** The endpoint with its secrets, if it may still be dialed. @throws SottoError E_FIREWALL_REFUSED */
  decide(): Endpoint
  /** The way to it. */
  reach(endpoint: Endpoint): DialTarget
  refuse(reason: Refusal): SottoError
  /** Counts an exchange until the returned function is called. @throws SottoError E_FIREWALL_REFUSED beyond the limit */
  enter(): () => void
  /** Lets an exchange begin, at once or later. @throws SottoError E_FIREWALL_CUT, E_PATH_CLOSED */
  clear(signal: AbortSignal | undefined): Promise<void> | undefined
  /** An exchange was answered, or failed. */
  carried(request: ExchangeRequest, response: ExchangeResponse): void
  failed(error: unknown): void
  /** What the core says of answers: `Judgements.take`. */
  judged(judged: readonly number[]): void
  /** A first contact was computed; a handshake has succeeded. */
  contacted(): void
  proved(): void
  /** Stores that the gateway accepted our membership. */
  confirm(): Promise<void>
  /** As `enter`, for a WebSocket. */
  enterSocket(): () => void
  /** @throws SottoError E_FIREWALL_REFUSED, E_DIALER_UNFIT */
  dialerFor(family: Family): Dialer
  readonly random: Random
}

export function localPermit(endpoint: EndpointInfo, source: PermitSource): Permit {
  const judgements = new Judgements()
  return {
    endpoint,
    firstContact: async (input) => firstContact(source, input),
    rekey: async ({ prologue }) => rekey(source, prologue),
    exchange: async (request, options) => {
      const target = source.decide()
      const { first } = options
      const refusal = decideRequest(target, request, options) ?? (first && decideRequest(target, first, options))
      if (refusal !== undefined) throw source.refuse(refusal)
      const dialer = source.dialerFor(options.family)
      const leave = source.enter()
      try {
        const delay = source.clear(options.signal)
        if (delay !== undefined) await delay
        const reach = source.reach(delay === undefined ? target : source.decide())
        const response = await dialer.exchange(reach, asShown(request, reach), {
          ...options,
          first: first && asShown(first, reach),
        })
        source.carried(request, response)
        judgements.sent(response, octetsOf(request))
        return response
      } catch (error) {
        source.failed(error)
        throw error
      } finally {
        leave()
      }
    },
    judge: (response, authentic) => {
      judgements.add(response, authentic)
      const judged = judgements.take()
      if (judged !== undefined) source.judged(judged)
    },
    openSocket: (request, options) => openLocalSocket(source, request, options),
  }
}

/** The core knows of no front: what is in front of the gateway may know it by another name. */
function asShown(request: ExchangeRequest, target: DialTarget): ExchangeRequest {
  if (target.front === undefined) return request
  const headers = request.headers.map(([name, value]): [string, string] =>
    name.toLowerCase() === 'host' ? [name, authority(target)] : [name, value],
  )
  return { ...request, headers }
}

function firstContact(source: PermitSource, input: FirstContactInput): FirstContact {
  const endpoint = source.decide()
  source.contacted()
  if (input.length > Limits.parcelBytes) throw new SottoError('E_INTERNAL', 'No handshake: no parcel is that long.')
  const step = orInternal(() =>
    initiate({
      ...input,
      gatewayKey: endpoint.key,
      cohort: deriveCohort(endpoint.cohort),
      membership: membershipOf(endpoint),
      random: source.random,
    }),
  )
  const finish = once(async (parcel: Uint8Array) => {
    const result = step.finish(parcel)
    if (result !== undefined) source.proved()
    if (result !== undefined && endpoint.code !== undefined) await source.confirm()
    return result
  })
  return { token: step.token, parcel: step.parcel, finish }
}

function rekey(source: PermitSource, prologue: Uint8Array): Rekey {
  const endpoint = source.decide()
  const step = orInternal(() =>
    initiateRekey({
      gatewayKey: endpoint.key,
      cohort: deriveCohort(endpoint.cohort),
      prologue,
      random: source.random,
    }),
  )
  const finish = once(async (reply: Uint8Array) => {
    const result = step.finish(reply)
    if (result !== undefined) source.proved()
    return result
  })
  return { first: step.first, finish }
}

/** `redeem` again and again until an answer came: the gateway takes the same credential for the same code any time. */
function membershipOf(endpoint: Endpoint): Membership {
  const { code, credential } = endpoint
  const own = { credentialId: credential.id, credentialKey: credential.key }
  return code === undefined ? { kind: 'credential', ...own } : { kind: 'redeem', code, ...own }
}

/** A handshake step must not run twice on one state. */
function once<T>(step: (bytes: Uint8Array) => Promise<T>): (bytes: Uint8Array) => Promise<T> {
  let used = false
  return async (bytes) => {
    if (used) throw new SottoError('E_INTERNAL', 'A handshake answer was offered twice.')
    used = true
    return step(bytes)
  }
}

/** The handshake throws RangeError for lengths that cannot be; its text holds numbers only. */
function orInternal<T>(compute: () => T): T {
  try {
    return compute()
  } catch (cause) {
    if (cause instanceof RangeError) throw new SottoError('E_INTERNAL', `No handshake: ${cause.message}.`, { cause })
    throw cause
  }
}
