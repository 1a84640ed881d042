/** Does one probe to one server, and writes down what is seen. */
import type { Socket } from 'node:net'
import { connect as connectTcp } from 'node:net'
import type { ConnectionOptions, TLSSocket } from 'node:tls'
import { connect as connectTls } from 'node:tls'
import { concat } from '#protocol/bytes.ts'
import { PREFACE, readFrames, SETTINGS, tellFrames } from './http2.ts'
import type { Action, Observation, Probe, Step } from './probe.ts'
import { head, nameOf, octets, text } from './probe.ts'
import { tellRecords } from './tls-records.ts'

/** Milliseconds of silence after which a connection counts as left open. */
const SILENCE_MS = 400
/** Milliseconds that a whole conversation may take, the slowest probe with the greatest patience included. */
const CONVERSATION_MS = 90_000

interface Conversation {
  readonly received: Uint8Array
  readonly end: Observation['end']
}

/** `patience`: times the silence that is waited for. */
export async function observe(port: number, probe: Probe, patience = 1): Promise<Observation> {
  const silence = (probe.silence ?? SILENCE_MS) * patience
  const { action } = probe
  const { received, end } = await converse(open(port, action), stepsOf(action), silence, action.kind === 'tls').catch(
    (cause: unknown) => {
      throw new Error(`${nameOf(probe)}, port ${port}`, { cause })
    },
  )
  return { answer: await tell(action, received, port), end }
}

const secure: ConnectionOptions = { host: '127.0.0.1', servername: 'localhost', rejectUnauthorized: false }

function open(port: number, action: Action): () => Socket {
  switch (action.kind) {
    case 'tcp':
      return () => connectTcp({ host: '127.0.0.1', port })
    case 'tls':
      return () => connectTls({ ...secure, port, ...action.options })
    default: {
      const ALPNProtocols = [action.kind === 'http2' ? 'h2' : 'http/1.1']
      return () => connectTls({ ...secure, port, ALPNProtocols })
    }
  }
}

function stepsOf(action: Action): readonly Step[] {
  if (action.kind === 'tls') return [octets(head('GET', '/robots.txt'))]
  if (action.kind !== 'http2' || !action.preface) return action.steps
  const [first, ...rest] = action.steps
  const opening = [PREFACE, SETTINGS, ...(first instanceof Uint8Array ? [first] : [])]
  return [concat(...opening), ...(first instanceof Uint8Array ? rest : action.steps)]
}

const isTls = (socket: Socket): socket is TLSSocket => 'encrypted' in socket

/** What a server that closes early may do to what is still being written: no difference that a prober could rely on. */
const isClosing = (error: NodeJS.ErrnoException): boolean =>
  ['EPIPE', 'ECONNRESET', 'ERR_STREAM_WRITE_AFTER_END', 'ERR_STREAM_DESTROYED'].includes(error.code ?? '')

function converse(
  begin: () => Socket,
  steps: readonly Step[],
  silence: number,
  tellsHandshake: boolean,
): Promise<Conversation> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    const facts: string[] = []
    const socket = begin()
    let timer: NodeJS.Timeout | undefined
    let over = false
    const finish = (end: Observation['end']): void => {
      if (over) return
      over = true
      clearTimeout(timer)
      clearTimeout(late)
      socket.destroy()
      resolve({ received: concat(octets(facts.join('')), ...chunks), end })
    }
    // A server that does not take the connection, or says a little again and again.
    const late = setTimeout(() => {
      over = true
      clearTimeout(timer)
      socket.destroy()
      reject(new Error(`no end after ${CONVERSATION_MS / 1000} s, ${chunks.length} pieces received`))
    }, CONVERSATION_MS)
    const listen = (): void => {
      clearTimeout(timer)
      timer = setTimeout(() => finish('open'), silence)
    }
    const speak = async (): Promise<void> => {
      for (const step of steps) {
        if (over || socket.destroyed) break
        if (step === 'end') socket.end()
        else if (typeof step === 'number') await new Promise((next) => setTimeout(next, step))
        else socket.write(step)
      }
      if (!over) listen()
    }
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      if (timer !== undefined) listen()
    })
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (isClosing(error)) finish('closed')
      else finish(`refused ${error.code}`)
    })
    socket.on('close', () => finish('closed'))
    socket.once(isTls(socket) ? 'secureConnect' : 'connect', () => {
      if (isTls(socket) && tellsHandshake) facts.push(handshakeOf(socket))
      void speak()
    })
  })
}

/** The outcome of a handshake, as a first line of what was received. */
function handshakeOf(socket: TLSSocket): string {
  const { fingerprint256 } = socket.getPeerCertificate()
  const cipher = socket.getCipher()
  return `[${socket.getProtocol()} ${cipher?.standardName} ${socket.alpnProtocol} ${fingerprint256}]\n`
}

async function tell(action: Action, received: Uint8Array, port: number): Promise<string> {
  if (action.kind === 'tcp') return withoutClock(tellRecords(received), port)
  if (action.kind !== 'http2') return withoutClock(text(received), port)
  const { frames, rest } = readFrames(received)
  return withoutClock(`${await tellFrames(frames)}\n${text(rest)}`, port)
}

/** How far a server's clock may be off before a prober notices, milliseconds. */
const CLOCK_MS = 5_000

function withoutClock(answer: string, port: number): string {
  // nginx counts boundaries, Caddy draws them.
  const boundary = /boundary=([0-9a-f]{20,60})\b/.exec(answer)?.[1]
  const told = answer
    .replace(/\b[Dd]ate: ([A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT)/g, (line, date: string) =>
      Math.abs(Date.parse(date) - Date.now()) < CLOCK_MS ? 'Date: now' : line,
    )
    .replaceAll(`:${port}`, ':port')
  return boundary === undefined ? told : told.replaceAll(boundary, 'boundary')
}
