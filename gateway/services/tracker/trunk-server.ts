/**
 * Where gateways' trunks arrive. What does not begin with a greeting to this tracker's key is cut off without a word, and so
 * is everything beyond the limits of its network.
 */
import { createServer, type Server, type Socket } from 'node:net'
import { utf8 } from '#protocol/bytes.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import { SottoError } from '#protocol/errors.ts'
import { respond } from '#protocol/noise.ts'
import type { TrunkItem } from '#protocol/tracker/trunk.ts'
import { networkOf } from './network-of.ts'
import type { Tracker } from './tracker.ts'
import { readGreeting, TrunkLine } from './trunk-line.ts'

export const TRUNK_PROLOGUE: Uint8Array = utf8('sotto/1/tracker/trunk')
/** Milliseconds that answers wait for each other: those to one frame are all there by then. */
const GATHER_MS = 2

export interface TrunkServerInput {
  readonly tracker: Tracker
  /** X25519, of the tracker. */
  readonly secret: Uint8Array
  readonly host: string
  readonly port: number
}

export interface TrunkServer {
  readonly port: number
  /** Trunks that are open now. */
  count(): number
  close(): Promise<void>
}

/** @throws SottoError E_PORT_TAKEN */
export async function startTrunkServer(input: TrunkServerInput): Promise<TrunkServer> {
  const arrivals = new Arrivals(input)
  const server = createServer({ noDelay: true }, (socket) => arrivals.take(socket))
  await listening(server, input)
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : input.port,
    count: () => arrivals.count,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        arrivals.close()
      }),
  }
}

function listening(server: Server, { host, port }: TrunkServerInput): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => {
      reject(new SottoError('E_PORT_TAKEN', `The tracker cannot listen on ${host}:${port}.`, { cause }))
    })
    server.listen(port, host, resolve)
  })
}

class Arrivals {
  private readonly input: TrunkServerInput
  private readonly sockets = new Set<Socket>()
  private readonly perNetwork = new Map<string, number>()

  constructor(input: TrunkServerInput) {
    this.input = input
  }

  get count(): number {
    return this.sockets.size
  }

  take(socket: Socket): void {
    socket.on('error', () => {}) // the close that follows says all there is to say
    const network = networkOf(socket.remoteAddress ?? '')
    const { trunks, trunksPerNetwork } = this.input.tracker.limits
    const own = this.perNetwork.get(network) ?? 0
    if (this.sockets.size >= trunks || own >= trunksPerNetwork) return void socket.destroy()
    this.sockets.add(socket)
    this.perNetwork.set(network, own + 1)
    socket.once('close', () => this.gone(socket, network))
    this.greet(socket, network)
  }

  close(): void {
    for (const socket of this.sockets) socket.destroy()
  }

  private gone(socket: Socket, network: string): void {
    this.sockets.delete(socket)
    const left = this.perNetwork.get(network)! - 1
    if (left === 0) this.perNetwork.delete(network)
    else this.perNetwork.set(network, left)
  }

  private greet(socket: Socket, network: string): void {
    const { tracker, secret } = this.input
    const late = setTimeout(() => socket.destroy(), tracker.limits.greetingMs)
    socket.once('close', () => clearTimeout(late))
    readGreeting(socket, (message, rest) => {
      clearTimeout(late)
      const step = respond({ prologue: TRUNK_PROLOGUE, staticSecret: secret, message })
      if (step === undefined) return void socket.destroy()
      const { message: answer, initiatorKey, responderKey } = step.answer(randomBytes(32), new Uint8Array(0))
      socket.write(answer)
      serveTrunk(socket, tracker, network, { sendKey: responderKey, receiveKey: initiatorKey }, rest)
    })
  }
}

function serveTrunk(
  socket: Socket,
  tracker: Tracker,
  network: string,
  keys: { readonly sendKey: Uint8Array; readonly receiveKey: Uint8Array },
  rest: Uint8Array,
): void {
  const { openQueries, unsentBytes } = tracker.limits
  let open = 0
  const settle = (): void => {
    if (open > openQueries || line.unsent > unsentBytes) socket.pause()
    else socket.resume()
  }
  const serve = async ({ id, bytes }: TrunkItem): Promise<void> => {
    const answer = await tracker.answer(bytes, network)
    open--
    line.send({ id, bytes: answer ?? new Uint8Array(0) })
    settle()
  }
  const line = new TrunkLine(socket, {
    ...keys,
    gatherMs: GATHER_MS,
    onItems: (items) => {
      open += items.length
      settle()
      for (const item of items) void serve(item)
    },
  })
  socket.on('drain', settle)
  socket.on('data', (bytes) => line.take(bytes as Buffer))
  if (rest.length > 0) line.take(rest)
}
