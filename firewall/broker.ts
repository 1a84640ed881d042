/**
 * The broker's end of the pipe: takes the core's calls, one by one, to the firewall. The core counts as hostile here:
 * calls of a wrong shape are refused, frames of a wrong kind end the pipe, and nothing it does makes this side hold
 * more than `PipeLimits`.
 */
import { isSottoError, SottoError } from '#protocol/errors.ts'
import { PipeLimits } from './limits.ts'
import type { PipeSocket } from './line.ts'
import type { LocalBroker } from './local-broker.ts'
import type { CallName, Calls, Failure } from './messages.ts'
import { argsSchemas, FrameType, flat, given, pairs, shaped } from './messages.ts'
import type { ExchangeRequest, FirstContact, Permit, Rekey } from './permit.ts'
import type { Message } from './pipe.ts'
import { Pipe } from './pipe.ts'
import { HeldSockets } from './socket-calls.ts'
import { Tickets } from './tickets.ts'

/** What a call gets besides its arguments. */
interface Context {
  readonly raw: Uint8Array
  readonly signal: AbortSignal
}

interface Outcome<K extends CallName> {
  readonly result: Calls[K]['result']
  readonly raw?: Uint8Array
}

type Handlers = {
  readonly [K in CallName]: (args: Calls[K]['args'], context: Context) => Promise<Outcome<K>>
}

const callNames: ReadonlyMap<number, CallName> = new Map(
  (Object.keys(argsSchemas) as CallName[]).map((name) => [FrameType[name], name]),
)

/**
 * Serves `broker` to the core at the other end of `socket`.
 * @param onEnd once, when the pipe is over; E_FIREWALL_GONE unless `close` was called
 */
export function serveBroker(
  broker: LocalBroker,
  socket: PipeSocket,
  onEnd: (error: SottoError | undefined) => void,
): { close(): void } {
  const server = new Server(broker, socket, onEnd)
  return { close: () => server.close() }
}

class Server {
  private readonly broker: LocalBroker
  private readonly pipe: Pipe
  private readonly handlers: Handlers
  private readonly underWay = new Map<number, AbortController>()
  private readonly sockets: HeldSockets
  private over = false

  constructor(broker: LocalBroker, socket: PipeSocket, onEnd: (error: SottoError | undefined) => void) {
    this.broker = broker
    this.sockets = new HeldSockets(broker)
    this.handlers = handlersFor(broker, this.sockets)
    this.pipe = new Pipe(socket, {
      message: (message) => this.receive(message),
      drained: () => this.pipe.resume(),
      closed: (error) => {
        this.over = true
        for (const call of this.underWay.values()) call.abort()
        this.sockets.close()
        onEnd(error)
      },
    })
    broker.onEvent((event) => this.send(FrameType.event, 0, event))
  }

  close(): void {
    this.pipe.close()
  }

  private receive(message: Message): void {
    const name = callNames.get(message.type)
    if (message.type === FrameType.cancel) this.underWay.get(message.id)?.abort()
    else if (name === undefined || message.id === 0 || this.underWay.has(message.id)) this.violated()
    else if (this.underWay.size >= PipeLimits.outstanding) this.violated()
    else void this.answer(name, message)
  }

  private violated(): void {
    this.broker.refuse('broken-pipe')
    this.pipe.fail('the core broke the rules of the pipe')
  }

  /** Never rejects: every call gets exactly one answer, unless the pipe is over. */
  private async answer(name: CallName, message: Message): Promise<void> {
    const call = new AbortController()
    this.underWay.set(message.id, call)
    try {
      const { result, raw } = await this.handle(name, message, call.signal)
      this.underWay.delete(message.id)
      this.send(FrameType.result, message.id, result, raw)
    } catch (error) {
      this.underWay.delete(message.id)
      this.send(FrameType.failure, message.id, toFailure(error))
    }
  }

  private async handle<K extends CallName>(name: K, message: Message, signal: AbortSignal): Promise<Outcome<K>> {
    const args = shaped<Calls[K]['args']>(argsSchemas[name], message.head)
    if (args === undefined) throw this.broker.refuse('malformed-call')
    return this.handlers[name](args.value, { raw: message.raw, signal })
  }

  /** Stops reading the core's calls while it does not take our answers. */
  private send(type: number, id: number, head: unknown, raw?: Uint8Array): void {
    if (this.over) return
    this.pipe.send(type, id, head, raw)
    if (this.pipe.backlog > PipeLimits.bufferedBytes) this.pipe.pause()
  }
}

function handlersFor(broker: LocalBroker, sockets: HeldSockets): Handlers {
  const permits = new Map<string, Permit>()
  const contacts = new Tickets<FirstContact>(PipeLimits.continuations)
  const rekeys = new Tickets<Rekey>(PipeLimits.continuations)
  const permitFor = async (endpoint: string): Promise<Permit> => {
    const permit = permits.get(endpoint) ?? (await broker.permit(endpoint))
    permits.set(endpoint, permit)
    return permit
  }
  return {
    endpoints: async () => ({ result: await broker.endpoints() }),
    password: async () => ({ result: await broker.password() }),
    ways: async () => ({ result: await broker.ways() }),
    network: async () => ({ result: await broker.network() }),
    dialers: async () => ({ result: await broker.dialers() }),
    joined: async () => ({ result: await broker.joined() }),
    forget: async ({ endpoint }) => {
      permits.delete(endpoint)
      await broker.forget(endpoint)
      return { result: null }
    },
    permit: async ({ endpoint }) => {
      permits.delete(endpoint)
      return { result: (await permitFor(endpoint)).endpoint }
    },
    contact: async ({ endpoint, ...input }) => {
      const contact = await (await permitFor(endpoint)).firstContact(input)
      return { result: { ticket: contacts.issue(contact), token: contact.token }, raw: contact.parcel }
    },
    finishContact: async ({ ticket }, { raw }) => {
      const done = await contacts.redeem(ticket).finish(raw)
      return { result: done === undefined ? null : { root: done.keys.root, reply: done.reply } }
    },
    rekey: async ({ endpoint, prologue }) => {
      const rekey = await (await permitFor(endpoint)).rekey({ prologue })
      return { result: { ticket: rekeys.issue(rekey) }, raw: rekey.first }
    },
    finishRekey: async ({ ticket }, { raw }) => ({ result: (await rekeys.redeem(ticket).finish(raw)) ?? null }),
    tried: async (denial) => {
      broker.attempted('core-denied', denial)
      return { result: null }
    },
    offerList: async ({ endpoint }, { raw }) => ({ result: await broker.offerList(endpoint, raw.slice()) }),
    // What lies in a head is read in place, and the frame goes.
    offerPeers: async (offers) => ({
      result: await broker.offerPeers(offers.map(({ name, offer }) => ({ name, offer: offer.slice() }))),
    }),
    exchange: async (args, { raw, signal }) => {
      const { endpoint, headers, body, method, target, timeoutMs, family, first, judged, ...lanes } = args
      const permit = await permitFor(endpoint)
      if (judged !== undefined) broker.judged(endpoint, judged)
      const request = { method, target, headers: pairs(headers), body: body ? raw : undefined }
      const answer = await permit.exchange(request, {
        timeoutMs,
        family,
        first: opening(first),
        signal,
        ...given(lanes),
      })
      const { status, waitMs, bodyMs } = answer
      const times = given({ waitMs, bodyMs })
      return { result: { status, headers: flat(answer.headers), ...times }, raw: answer.body }
    },
    openSocket: async ({ endpoint, target, headers, timeoutMs, family }, { signal }) => {
      const permit = await permitFor(endpoint)
      return { result: await sockets.open(permit, { target, headers: pairs(headers) }, { timeoutMs, family, signal }) }
    },
    sendMessage: async ({ socket, text }, { raw }) => {
      await sockets.send(socket, { text, octets: raw })
      return { result: null }
    },
    nextMessage: async ({ socket }, { signal }) => {
      const { text, octets } = await sockets.receive(socket, signal)
      return { result: { text }, raw: octets }
    },
    closeSocket: async ({ socket }) => {
      sockets.end(socket)
      return { result: null }
    },
  }
}

function opening(first: Calls['exchange']['args']['first']): ExchangeRequest | undefined {
  return first && { method: 'GET', target: first.target, headers: pairs(first.headers), body: undefined }
}

function toFailure(error: unknown): Failure {
  if (!isSottoError(error)) return toFailure(new SottoError('E_INTERNAL', 'The firewall failed inside.'))
  const { code, message, next, kept } = error
  return { code, what: message, next, ...(kept === undefined ? {} : { kept }) }
}
