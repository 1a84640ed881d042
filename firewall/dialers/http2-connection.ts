/** HTTP/2 on one connection, as a browser begins and uses it: settings, window, order of fields, priorities, records. */
import type { ClientHttp2Session, ClientHttp2Stream, Settings } from 'node:http2'
import { connect, constants } from 'node:http2'
import type { TLSSocket } from 'node:tls'
import { DialLimits } from '../limits.ts'
import type { ExchangeRequest } from '../permit.ts'
import { authority } from '../policy.ts'
import type { Answer } from './answer.ts'
import type { Protocol } from './browser-client.ts'
import { http2Fields } from './browser-fields.ts'
import type { DialTarget } from './dialer.ts'
import type { Opening } from './h2-shape.ts'
import { shapedAs, windowUpdate } from './h2-shape.ts'
import { HpackEncoder } from './hpack.ts'
import type { HttpClientEvents } from './http-client.ts'
import { pathError } from './path-error.ts'
import { Priorities } from './priorities.ts'
import type { BrowserProfile } from './profile.ts'
import { ReceivedWindow } from './received-window.ts'
import { Turns } from './turns.ts'

interface NextStream {
  setNextStreamID(id: number): void
}

/** Window of a connection before any WINDOW_UPDATE (RFC 9113 section 6.9.2), octets. */
const FIRST_WINDOW = 65_535

export class Http2Connection implements Protocol {
  private readonly profile: BrowserProfile
  private readonly target: DialTarget
  private readonly session: ClientHttp2Session
  private readonly priorities: Priorities
  /** Of Chromium alone: how Firefox codes was not recorded, and is left to Node. */
  private readonly encoder: HpackEncoder | undefined
  /** Headers of the requests under way. */
  private readonly headers = new Map<ClientHttp2Stream, readonly (readonly [string, string])[]>()
  /** So many octets of bodies have come. */
  private readonly wasRead: (octets: number) => void
  /** Of Chromium alone, as was measured. */
  private readonly turns: Turns | undefined
  private isClosing = false
  /** Asked for before the session stood; undefined once it stands. */
  private early: (() => void)[] | undefined = []

  constructor(profile: BrowserProfile, target: DialTarget, socket: TLSSocket, events: HttpClientEvents) {
    const { http2 } = profile
    this.profile = profile
    this.target = target
    const isChromium = profile.family === 'chromium'
    this.priorities = new Priorities(profile.family)
    const shaped = shapedAs(socket, http2, (stream) => this.openingOf(stream), isChromium)
    this.encoder = isChromium ? new HpackEncoder() : undefined
    this.turns = isChromium ? new Turns() : undefined
    const window = new ReceivedWindow(FIRST_WINDOW + http2.window, performance.now())
    this.wasRead = (octets) => {
      const increment = isChromium ? window.read(octets, performance.now()) : 0
      if (increment > 0 && socket.writable) socket.write(windowUpdate(increment))
    }
    const session = connect(`https://${authority(target)}`, {
      createConnection: () => shaped,
      settings: settingsOf(http2),
      maxSessionMemory: 2 * (DialLimits.responseBytes / 1_048_576) * DialLimits.exchanges,
    })
    this.session = session
    session.once('connect', () => {
      session.setLocalWindowSize(FIRST_WINDOW + http2.window)
      // Not in the types; Node has it on every session.
      if (http2.firstStream > 1) (session as unknown as NextStream).setNextStreamID(http2.firstStream)
      const early = this.early ?? []
      this.early = undefined
      for (const write of early) write()
    })
    session.on('remoteSettings', ({ headerTableSize }) => {
      if (headerTableSize !== undefined) this.encoder?.limit(headerTableSize)
      events.ready()
    })
    session.on('goaway', () => {
      this.isClosing = true
      events.ready()
    })
    session.on('error', () => {})
    session.once('close', () => {
      // Those find that it is closed, and say so.
      for (const write of this.early?.splice(0) ?? []) write()
      setImmediate(events.gone)
    })
  }

  get capacity(): number {
    const { session } = this
    if (this.isClosing || session.closed || session.destroyed) return 0
    // Of a server that takes one at a time, one at a time; but it is known to be HTTP/2 and is not waited for.
    return Math.max(
      2,
      Math.min(session.remoteSettings?.maxConcurrentStreams ?? DialLimits.exchanges, DialLimits.exchanges),
    )
  }

  request(request: ExchangeRequest, answer: Answer): void {
    const write = (): void => this.write(request, answer)
    if (this.early !== undefined && !this.session.destroyed) this.early.push(write)
    else if (this.turns !== undefined && isOfScript(request)) this.turns.add(write)
    else write()
  }

  private write(request: ExchangeRequest, answer: Answer): void {
    if (answer.failure !== undefined) return answer.error(answer.failure)
    const { family, http2 } = this.profile
    const { method, target, body } = request
    const pseudo: Readonly<Record<string, string>> = {
      ':method': method,
      ':authority': authority(this.target),
      ':scheme': 'https',
      ':path': target,
    }
    const fields = http2Fields(family, request)
    const all = [...http2.pseudo.map((name) => [name, pseudo[name]!] as const), ...fields]
    let stream: ClientHttp2Stream
    try {
      stream = this.session.request(all.flat(), { endStream: body === undefined })
    } catch (error) {
      return answer.error(error)
    }
    this.headers.set(stream, all)
    const forgetPriority = this.priorities.add(stream, fields)
    const forget = (): void => {
      forgetPriority()
      this.headers.delete(stream)
      this.turns?.answered()
    }
    answer.start(() => stream.close(constants.NGHTTP2_CANCEL))
    relay(stream, { name: this.target.name, answer, forget, wasRead: this.wasRead })
    if (body !== undefined) stream.end(body)
  }

  destroy(): void {
    this.session.destroy()
  }

  private openingOf(id: number): Opening | undefined {
    for (const [stream, headers] of this.headers) {
      if (stream.id !== id) continue
      const priority = this.profile.http2.priority ? this.priorities.of(id) : undefined
      return { priority, block: this.encoder?.encode(headers) }
    }
    return undefined
  }
}

/** What a script of the page asks for, and not the browser itself. */
const isOfScript = ({ headers }: ExchangeRequest): boolean =>
  headers.some(([name, value]) => name.toLowerCase() === 'sec-fetch-dest' && value === 'empty')

/** Tells the answer of everything, and once. */
function relay(
  stream: ClientHttp2Stream,
  {
    name,
    answer,
    forget,
    wasRead,
  }: {
    readonly name: string
    readonly answer: Answer
    readonly forget: () => void
    readonly wasRead: (octets: number) => void
  },
): void {
  let problem: unknown
  let ended = false
  stream.on('response', (headers, _, rawHeaders: string[]) => {
    const status = Number(headers[':status'])
    const pairs = rawHeaders.flatMap((field, at): [string, string][] => {
      return at % 2 === 0 && !field.startsWith(':') ? [[field, rawHeaders[at + 1]!]] : []
    })
    answer.head(status, pairs)
    // Not before: where both came at once, Node tells of the data first.
    stream.on('data', (chunk: Buffer) => {
      wasRead(chunk.length)
      answer.data(chunk)
    })
  })
  stream.on('end', () => {
    ended = true
  })
  stream.on('error', (error) => {
    problem = error
  })
  stream.on('close', () => {
    forget()
    if (problem !== undefined) answer.error(problem)
    else if (ended && stream.rstCode === constants.NGHTTP2_NO_ERROR) answer.end()
    else answer.error(pathError('E_PATH_RESET', name))
  })
}

const names: Readonly<Record<number, keyof Settings>> = {
  1: 'headerTableSize',
  2: 'enablePush',
  3: 'maxConcurrentStreams',
  4: 'initialWindowSize',
  5: 'maxFrameSize',
  6: 'maxHeaderListSize',
}

/** What is written is the browser's (h2-shape.ts). A window that each request adds to is there from the beginning here. */
function settingsOf({ settings, streamWindow }: BrowserProfile['http2']): Settings {
  const own = settings.map(([id, value]): [string, number | boolean] => {
    if (id === 4) return [names[id]!, value + streamWindow]
    return [names[id]!, id === 2 ? value === 1 : value]
  })
  return Object.fromEntries(own)
}
