/** A gateway's carrier behind a real node:http server, and tunnels to it over real sockets, with plain templates. */

import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { connect as netConnect } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { Agent, request as undiciRequest } from 'undici'
import { realClockwork } from '#client/clockwork.ts'
import type { TunnelInput } from '#client/tunnel/input.ts'
import { Tunnel } from '#client/tunnel.ts'
import type { Matcher } from '#engine/match.ts'
import { openWebSocket } from '#firewall/dialers/web-socket.ts'
import type { ExchangeRequest, ExchangeResponse, Permit } from '#firewall/permit.ts'
import { Carrier } from '#gateway/carrier.ts'
import { WatchedMessage } from '#gateway/lead.ts'
import { Sessions, surroundings } from '#gateway/sessions.ts'
import { hex } from '#protocol/bytes.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import { x25519PublicKey } from '#protocol/crypto/x25519.ts'
import { SottoError } from '#protocol/errors.ts'
import type { Membership } from '#protocol/handshake.ts'
import { initiate, initiateRekey, provesMembership } from '#protocol/handshake.ts'
import type { CohortKeys } from '#protocol/recognition.ts'
import { deriveCohort } from '#protocol/recognition.ts'
import type { Service } from '#protocol/services/service.ts'
import type { PackPointer } from '#protocol/session/frames.ts'
import { TokenTable } from '#protocol/session/token-table.ts'
import { plainMatcher, plainTemplate } from './plain-template.ts'

export const gatewaySecret: Uint8Array = randomBytes(32)
export const cohort: CohortKeys = deriveCohort(randomBytes(32))
const credentialId = randomBytes(16)
export const credentialKey: Uint8Array = randomBytes(32)

/** What a faulty network does to one exchange before or after the gateway sees it. */
export type Fault = (request: IncomingMessage, response: ServerResponse, pass: () => void) => void

export interface TestGateway {
  readonly port: number
  readonly sessions: Sessions
  readonly tokens: TokenTable
  readonly strangers: string[]
  readonly requests: number
  fault: Fault
  /** Templates accepted from now on. */
  accept(matcher: Matcher): void
  /** Points all clients to a pack. */
  point(pointer: PackPointer): void
  stop(): Promise<void>
}

/** `port` 0: any free one. Starting again on the same port is a restart: sessions are gone. */
export async function startGateway(services: readonly Service[], port = 0): Promise<TestGateway> {
  const live: { matcher: Matcher; pointer: PackPointer | undefined } = { matcher: plainMatcher, pointer: undefined }
  const tokens = new TokenTable()
  const strangers: string[] = []
  const report = (error: unknown): void => {
    throw error
  }
  const sessions = new Sessions({
    ...surroundings(randomBytes),
    gatewaySecret,
    preferredAead: 1,
    tokens,
    services,
    admit: async (claim) =>
      claim.kind === 'credential' && provesMembership(claim, credentialKey)
        ? { member: hex(claim.credentialId), role: 'member' }
        : undefined,
    pointer: () => live.pointer,
    report,
  })
  sessions.setCohorts([{ id: 'test', keys: cohort }])
  const decoy = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (request.url !== '/') strangers.push(`${request.method} ${request.url}`)
    response.writeHead(404, { 'content-type': 'text/plain' })
    response.end('not found')
  }
  const carrier = new Carrier({ matcher: () => live.matcher, tokens, sessions, decoy, report })
  const gateway = {
    requests: 0,
    fault: ((_req, _res, pass) => pass()) as Fault,
    accept: (matcher: Matcher): void => {
      live.matcher = matcher
    },
    point: (pointer: PackPointer): void => {
      live.pointer = pointer
      sessions.repoint()
    },
  }
  const server = createServer({ IncomingMessage: WatchedMessage }, (request, response) => {
    gateway.requests++
    gateway.fault(request, response, () => void (carrier.take(request, response) || decoy(request, response)))
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  return Object.assign(gateway, {
    port: (server.address() as AddressInfo).port,
    sessions,
    tokens,
    strangers,
    stop: async () => {
      await close(server)
      sessions.end()
    },
  })
}

function close(server: Server): Promise<void> {
  server.closeAllConnections()
  return new Promise((resolve) => server.close(() => resolve()))
}

/** What a permit holds of an invite. */
export interface PermitKeys {
  readonly gatewayKey: Uint8Array
  readonly cohort: CohortKeys
  readonly membership: Membership
}

/** Those of the member that the gateway knows. */
export const ownKeys: PermitKeys = {
  gatewayKey: x25519PublicKey(gatewaySecret),
  cohort,
  membership: { kind: 'credential', credentialId, credentialKey },
}

/** A permit without a firewall: the same mathematics, an undici agent of its own. */
export function testPermit(port: number, keys: PermitKeys = ownKeys): Permit {
  const agent = new Agent({ connections: 8 })
  const { gatewayKey, cohort, membership } = keys
  const endpoint = {
    id: 'e',
    kind: 'gateway',
    name: 'test',
    host: '127.0.0.1',
    port,
    template: 'plain',
    expires: 0,
    source: 'invite',
  } as const
  return {
    endpoint,
    firstContact: async (input) => {
      const contact = initiate({ ...input, gatewayKey, cohort, membership, random: randomBytes })
      return { ...contact, finish: async (parcel) => contact.finish(parcel) }
    },
    rekey: async ({ prologue }) => {
      const step = initiateRekey({ gatewayKey, cohort, prologue, random: randomBytes })
      return { first: step.first, finish: async (reply) => step.finish(reply) }
    },
    exchange: (request, options) => exchange(agent, port, request, options),
    judge: () => {},
    openSocket: (request, options) => {
      const target = { ...endpoint, addresses: [], certificate: undefined }
      return openWebSocket({ target, connect: () => plainConnection(port), request, ...options, over: () => {} })
    },
  }
}

/** Without TLS, which `https` does not mind: the socket is there already. */
function plainConnection(port: number): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = netConnect(port, '127.0.0.1')
    socket.once('connect', () => resolve(socket as TLSSocket))
    socket.once('error', reject)
  })
}

async function exchange(
  agent: Agent,
  port: number,
  request: ExchangeRequest,
  options: { timeoutMs: number; signal?: AbortSignal },
): Promise<ExchangeResponse> {
  const timeout = AbortSignal.timeout(Math.ceil(options.timeoutMs))
  try {
    const response = await undiciRequest(`http://127.0.0.1:${port}${request.target}`, {
      dispatcher: agent,
      method: request.method,
      headers: request.headers.flat(),
      body: request.body ?? null,
      signal: options.signal === undefined ? timeout : AbortSignal.any([timeout, options.signal]),
    })
    const body = new Uint8Array(await response.body.arrayBuffer())
    const headers = Object.entries(response.headers).map(([name, value]): [string, string] => [name, String(value)])
    return { status: response.statusCode, headers, body }
  } catch (cause) {
    throw new SottoError('E_PATH_BUSY', 'the exchange failed', { cause })
  }
}

export function openTunnel(port: number, change: Partial<TunnelInput> = {}): Tunnel {
  return new Tunnel({
    permit: testPermit(port),
    template: plainTemplate,
    clockwork: realClockwork,
    preferredAead: 1,
    ...change,
  })
}
