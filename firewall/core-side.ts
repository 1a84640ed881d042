/** The core's end of the pipe: `Broker` and `Permit` whose every call is answered by the broker's process. */
import { Socket } from 'node:net'
import { SottoError } from '#protocol/errors.ts'
import { onDenial } from './denials.ts'
import { Judgements } from './judgements.ts'
import type { PipeSocket } from './line.ts'
import { Line } from './line.ts'
import type { Origin } from './lockdown-origin.ts'
import { flat, given, pairs } from './messages.ts'
import { octetsOf } from './meter-facts.ts'
import { CORE_FOLDER } from './options.ts'
import type {
  Broker,
  EndpointInfo,
  ExchangeOptions,
  ExchangeRequest,
  ExchangeResponse,
  FirstContact,
  FirstContactInput,
  Permit,
  Rekey,
} from './permit.ts'
import { openRemoteSocket } from './remote-socket.ts'

export interface RemoteBroker extends Broker {
  /** Tells the broker what Node has refused this process. */
  tried(denial: Origin): void
  /** Ends the pipe; calls under way reject with E_FIREWALL_GONE. */
  close(): void
}

/** Descriptor that the launcher leaves open for the core. */
const BROKER_FD = 3

/**
 * The broker that the launcher runs for this process. An idle pipe does not keep the process alive.
 * @param onLost the broker is gone (E_FIREWALL_GONE): nothing more can be done on the network, the core should end
 * @throws SottoError E_FIREWALL_GONE where no launcher started this process
 */
export function inheritedBroker(onLost: (error: SottoError) => void): RemoteBroker {
  const broker = connectBroker(inheritedSocket(), onLost)
  onDenial((denial) => broker.tried(denial))
  return broker
}

function inheritedSocket(): Socket {
  const next = 'Start Sotto by its launcher.'
  try {
    if (process.env[CORE_FOLDER] !== undefined) return new Socket({ fd: BROKER_FD, readable: true, writable: true })
  } catch (cause) {
    throw new SottoError('E_FIREWALL_GONE', 'The pipe to the firewall cannot be opened.', { next, cause })
  }
  throw new SottoError('E_FIREWALL_GONE', 'This process has no firewall.', { next })
}

/** As `inheritedBroker`, over any socket. */
export function connectBroker(socket: PipeSocket, onLost: (error: SottoError) => void): RemoteBroker {
  const line = new Line(socket, onLost)
  return {
    endpoints: async () => [...(await line.call('endpoints', null)).result],
    joined: async () => [...(await line.call('joined', null)).result],
    forget: async (endpoint) => {
      await line.call('forget', { endpoint })
    },
    permit: async (endpoint) => remotePermit(line, (await line.call('permit', { endpoint })).result),
    password: async () => (await line.call('password', null)).result,
    ways: async () => (await line.call('ways', null)).result,
    dialers: async () => [...(await line.call('dialers', null)).result],
    offerList: async (endpoint, list) => [...(await line.call('offerList', { endpoint }, list)).result],
    offerPeers: async (offers) => [...(await line.call('offerPeers', offers)).result],
    network: async () => (await line.call('network', null)).result,
    onEvent: (listener) => {
      line.listeners.push(listener)
    },
    tried: (denial) => void line.call('tried', { ...denial }).catch(() => {}),
    close: () => line.close(),
  }
}

function remotePermit(line: Line, endpoint: EndpointInfo): Permit {
  const judgements = new Judgements()
  return {
    endpoint,
    firstContact: (input) => firstContact(line, endpoint.id, input),
    rekey: (input) => rekey(line, endpoint.id, input.prologue),
    exchange: async (request, options) => {
      const response = await exchange(line, endpoint.id, request, options, judgements.take())
      judgements.sent(response, octetsOf(request))
      return response
    },
    judge: (response, authentic) => judgements.add(response, authentic),
    openSocket: (request, options) => openRemoteSocket(line, endpoint.id, request, options),
  }
}

async function firstContact(line: Line, endpoint: string, input: FirstContactInput): Promise<FirstContact> {
  const { hello, binding, length, now } = input
  const begun = await line.call('contact', { endpoint, hello, binding, length, now })
  const { ticket, token } = begun.result
  return {
    token,
    parcel: begun.raw,
    finish: async (answer) => {
      const { result } = await line.call('finishContact', { ticket }, answer)
      return result === null ? undefined : { keys: { root: result.root }, reply: result.reply }
    },
  }
}

async function rekey(line: Line, endpoint: string, prologue: Uint8Array): Promise<Rekey> {
  const begun = await line.call('rekey', { endpoint, prologue })
  const { ticket } = begun.result
  return {
    first: begun.raw,
    finish: async (reply) => (await line.call('finishRekey', { ticket }, reply)).result ?? undefined,
  }
}

async function exchange(
  line: Line,
  endpoint: string,
  { method, target, headers, body }: ExchangeRequest,
  { timeoutMs, family, first, connection, connections, fresh, signal }: ExchangeOptions,
  judged: readonly number[] | undefined,
): Promise<ExchangeResponse> {
  const opening = first && { target: first.target, headers: flat(first.headers) }
  const more = { first: opening, connection, connections, fresh, judged }
  const args = {
    endpoint,
    method,
    target,
    headers: flat(headers),
    timeoutMs,
    family,
    body: body !== undefined,
    ...given(more),
  }
  const { result, raw } = await line.call('exchange', args, body, signal)
  const { status, waitMs, bodyMs } = result
  return { status, headers: pairs(result.headers), body: raw, ...given({ waitMs, bodyMs }) }
}
