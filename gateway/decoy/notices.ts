/**
 * The notice room of a site: a real socket.io server, for a site whose folder has the file `.notices.yaml`. Whoever opens
 * its page, or points a socket.io client at it, gets the notices, hears what is said, and may say something.
 *
 *     path: /socket.io/                # where the endpoint is; that of the template `socketio`
 *     notices:                         # sent to everybody who comes
 *       - The bench is closed on Saturday, we are at the market.
 *     talk: true                       # whether visitors may say something; false where nothing is said
 *
 * Events to the client: `notices` (list of texts), `here` (number of visitors), `said` ({at, text}). From the client: `say`
 * (text), acknowledged with {ok}. What is said is kept in memory and forgotten.
 */
import { readFile } from 'node:fs/promises'
import { createServer, IncomingMessage, type OutgoingHttpHeaders, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { Server as SocketServer } from 'socket.io'
import * as v from 'valibot'
import { readSource } from '#engine/source.ts'
import { TemplateError } from '#engine/template-error.ts'
import type { Millis } from '#protocol/bytes.ts'
import { SottoError } from '#protocol/errors.ts'
import { writeHead } from './answer.ts'
import type { Decoy, OpenDecoy } from './decoy.ts'
import { Entering } from './entering.ts'

export const NOTICES_FILE = '.notices.yaml'

/** What strangers may take of a room. */
export interface NoticeLimits {
  /** Visitors connected at once. Attack: memory, about 20 KiB each; further ones are refused as the server refuses. */
  readonly visitors: number
  /** Octets of one message of a visitor. Attack: buffering; the server tells its clients this number. */
  readonly messageBytes: number
  /** Characters of a text that is said. */
  readonly textLength: number
  /** Texts kept for those who come later. Attack: memory. */
  readonly kept: number
  /** Texts that one visitor may say in `windowMs`. Attack: filling everybody's screen. */
  readonly texts: number
  readonly windowMs: Millis
}

export const NoticeLimits: NoticeLimits = Object.freeze({
  visitors: 200,
  messageBytes: 16_384,
  textLength: 280,
  kept: 30,
  texts: 5,
  windowMs: 10_000,
})

const text = v.pipe(v.string(), v.minLength(1), v.maxLength(NoticeLimits.textLength))
const schema = v.strictObject({
  path: v.pipe(v.string(), v.regex(/^\/(?:[A-Za-z0-9._-]{1,64}\/){1,4}$/)),
  notices: v.optional(v.pipe(v.array(text), v.maxLength(50)), []),
  talk: v.optional(v.boolean(), false),
})
type Room = v.InferOutput<typeof schema>

/**
 * The decoy with the notice room of `folder` in front; `site` itself where there is no such file.
 * @throws SottoError E_CONFIG naming file, line and field
 */
export async function withNotices(folder: string, site: OpenDecoy): Promise<OpenDecoy> {
  const file = join(folder, NOTICES_FILE)
  const content = await readFile(file, 'utf8').catch(() => undefined)
  return content === undefined ? site : openRoom(parseRoom(content, file), site)
}

function parseRoom(content: string, file: string): Room {
  try {
    const { data, source } = readSource(content, file)
    const parsed = v.safeParse(schema, data, { abortEarly: true })
    if (parsed.success) return parsed.output
    const path = (parsed.issues[0].path ?? []).map(({ key }) => key as string | number)
    const field = path.join('.') || 'notices'
    throw new SottoError('E_CONFIG', `${file}:${source.line(path)}: ${field}: this is not usable in a notice room.`)
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error
    throw new SottoError('E_CONFIG', `${file}:${error.line}: expected ${error.expectation}.`, { cause: error })
  }
}

function openRoom(room: Room, site: OpenDecoy): OpenDecoy {
  // socket.io answers what comes to a server of Node's; this one never listens, requests are handed to it.
  const inner = createServer()
  const io = new SocketServer(inner, {
    path: room.path,
    maxHttpBufferSize: NoticeLimits.messageBytes,
    // Asked for newcomers only.
    allowRequest: (request, decide) => {
      const isFull = io.engine.clientsCount - entering.inside >= NoticeLimits.visitors
      decide(null, entering.has(request) || !isFull)
    },
  })
  const entering = new Entering()
  serveRoom(io, room)
  io.on('connection', (guest) => entering.joined(guest))
  const isOurs = (url: string | undefined): boolean => url?.startsWith(room.path) === true
  const decoy: Decoy = async (request, response, body) => {
    if (!isOurs(request.url)) return await site.decoy(request, response, body)
    dress(request, response)
    inner.emit('request', body === undefined ? request : replayed(request, response, body), response)
  }
  return {
    decoy,
    refusal: site.refusal,
    upgrade: {
      wanted: (request) => isOurs(request.url),
      handle: (request, socket, head) => {
        dressHandshake(socket)
        inner.emit('upgrade', request, socket, head)
      },
      enter: (request, socket, head, entered) => {
        entering.add(request, socket, entered)
        dressHandshake(socket)
        inner.emit('upgrade', request, socket, head)
      },
    },
    close: async () => {
      await io.close()
      await site.close()
    },
  }
}

// ---- the room -----------------------------------------------------------------------------------------------------------

interface Said {
  /** Milliseconds since the epoch. */
  readonly at: Millis
  readonly text: string
}

function serveRoom(io: SocketServer, { notices, talk }: Room): void {
  const said: Said[] = []
  const tellNumber = (): void => void io.emit('here', io.of('/').sockets.size)
  io.on('connection', (socket) => {
    socket.emit('notices', notices)
    for (const each of said) socket.emit('said', each)
    tellNumber()
    socket.on('disconnect', tellNumber)
    const recent: Millis[] = []
    socket.on('say', (value: unknown, acknowledge: unknown) => {
      const now = Date.now()
      const accepted = talk && mayTalk(recent, now) ? cleaned(value) : undefined
      if (accepted !== undefined) say(io, said, { at: now, text: accepted })
      if (typeof acknowledge === 'function') acknowledge({ ok: accepted !== undefined })
    })
  })
}

/** Counts this attempt, successful or not. */
function mayTalk(recent: Millis[], now: Millis): boolean {
  while (recent.length > 0 && recent[0]! <= now - NoticeLimits.windowMs) recent.shift()
  if (recent.length >= NoticeLimits.texts) return false
  recent.push(now)
  return true
}

function cleaned(value: unknown): string | undefined {
  if (typeof value !== 'string' || value.length > NoticeLimits.textLength) return undefined
  const trimmed = value.replaceAll(/\p{C}/gu, ' ').trim()
  return trimmed === '' ? undefined : trimmed
}

function say(io: SocketServer, said: Said[], item: Said): void {
  said.push(item)
  if (said.length > NoticeLimits.kept) said.shift()
  io.emit('said', item)
}

// ---- answers that look like the site's own --------------------------------------------------------------------------------

/** Makes whatever socket.io answers carry the headers that the site's other answers do. */
function dress(request: IncomingMessage, response: ServerResponse): void {
  const own = response.writeHead
  response.writeHead = ((status: number, ...rest: unknown[]) => {
    response.writeHead = own
    const given = rest.find((each) => typeof each === 'object') as OutgoingHttpHeaders | undefined
    const headers = Object.entries({ ...response.getHeaders(), ...given })
    for (const name of response.getHeaderNames()) response.removeHeader(name)
    const of = (name: string): string | undefined => {
      const found = headers.find(([each]) => each.toLowerCase() === name)?.[1]
      return found === undefined ? undefined : String(found)
    }
    const length = of('content-length')
    const more = headers.filter(([name]) => !/^(content-type|content-length|connection|date)$/i.test(name))
    writeHead(request, response, {
      status,
      type: of('content-type'),
      ...(length === undefined ? {} : { length: Number(length) }),
      more: more.flatMap(([name, value]) => [name, String(value)]),
    })
    return response
  }) as ServerResponse['writeHead']
}

/** As a proxy in front writes the handshake of a WebSocket: its own name and date first. */
function dressHandshake(socket: Duplex): void {
  const own = socket.write
  socket.write = ((chunk: unknown, ...rest: unknown[]) => {
    socket.write = own
    const isHandshake = typeof chunk === 'string' && chunk.startsWith('HTTP/1.1 101 ')
    const date = new Date().toUTCString()
    const written = isHandshake ? chunk.replace('\r\n', `\r\nServer: nginx\r\nDate: ${date}\r\n`) : chunk
    return Reflect.apply(own, socket, [written, ...rest]) as boolean
  }) as Duplex['write']
}

/** The request once more, with the part of its body that has been read already. */
function replayed(request: IncomingMessage, response: ServerResponse, body: Uint8Array): IncomingMessage {
  const copy = new IncomingMessage(request.socket)
  const { method, url, headers, rawHeaders, httpVersion } = request
  Object.assign(copy, { method, url, headers, rawHeaders, httpVersion })
  copy.push(body)
  const end = (): void => {
    copy.complete = true
    copy.push(null)
  }
  if (request.readableEnded) end()
  else {
    request.on('data', (chunk) => copy.push(chunk))
    request.on('end', end)
    request.resume()
  }
  // A request is closed once it was read. Only who leaves before the answer is whole must be noticed: a copy that is
  // destroyed takes the connection with it.
  response.once('close', () => {
    if (!response.writableFinished) copy.destroy()
  })
  return copy
}
