/** A permit where the secrets are: every use asks the policy anew, then computes the handshake or dials. */
import type { Random } from '#protocol/bytes.ts'
import { Limits } from '#protocol/constants.ts'
import { SottoError } from '#protocol/errors.ts'
import type { Membership } from '#protocol/handshake.ts'
import { initiate, initiateRekey } from '#protocol/handshake.ts'
import { deriveCohort } from '#protocol/recognition.ts'
import type { Dialer } from './dialers/dialer.ts'
import { localSocket } from './local-socket.ts'
import type { EndpointInfo, FirstContact, FirstContactInput, Permit, Rekey } from './permit.ts'
import type { Endpoint, Refusal } from './policy.ts'
import { decideRequest } from './request.ts'

export interface PermitSource {
  /** The endpoint with its secrets, if it may still be dialed. @throws SottoError E_FIREWALL_REFUSED */
  decide(): Endpoint
  refuse(reason: Refusal): SottoError
  /** Counts an exchange until the returned function is called. @throws SottoError E_FIREWALL_REFUSED beyond the limit */
  enter(): () => void
  /** Stores that the gateway accepted our membership. */
  confirm(): Promise<void>
  /** As `enter`, for a WebSocket. */
  enterSocket(): () => void
  readonly dialer: Dialer
  readonly random: Random
}

export function localPermit(endpoint: EndpointInfo, source: PermitSource): Permit {
  return {
    endpoint,
    firstContact: async (input) => firstContact(source, input),
    rekey: async ({ prologue }) => rekey(source, prologue),
    exchange: async (request, options) => {
      const target = source.decide()
      const refusal = decideRequest(target, request, options)
      if (refusal !== undefined) throw source.refuse(refusal)
      const leave = source.enter()
      return source.dialer.exchange(target, request, options).finally(leave)
    },
    ...localSocket(source),
  }
}

function firstContact(source: PermitSource, input: FirstContactInput): FirstContact {
  const endpoint = source.decide()
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
  return { first: step.first, finish: once(async (reply: Uint8Array) => step.finish(reply)) }
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
