/**
 * The site's own application, the one that templates describe: rooms in which two people write to each other, sealed in the
 * browser. A visitor polls for news and sends; this holds polls and answers in the form of the template, with random octets
 * where sealed ones stand. Listens on a unix socket.
 *     application.ts SOCKET
 *     {room: HOST, template}          a visitor is about to come to this host, anew
 *     {room: HOST, news: OCTETS}      somebody has written to the visitor there
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createInterface } from 'node:readline'
import type { CompiledTemplate } from '#engine/compile.ts'
import type { Matcher } from '#engine/match.ts'
import { createMatcher } from '#engine/match.ts'
import type { Shape } from '#engine/shape.ts'
import { writeHead } from '#gateway/decoy/answer.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import { compileBuiltins } from '../../../camouflage-templates/builtin.ts'

const templates = new Map(compileBuiltins().map((each) => [each.id, each]))

/** Octets of a greeting, with its padding; and of what is told about a room to somebody who opens it. */
const HELLO_OCTETS = 512
const PAST_OCTETS = 1_300

interface Held {
  readonly answer: (octets: number) => void
  readonly timer: NodeJS.Timeout
}

class Room {
  private readonly template: CompiledTemplate
  private readonly matcher: Matcher
  private readonly holdMs: readonly [number, number]
  private held: Held | undefined
  private news: number[] = []
  private isOpen = false

  constructor(template: CompiledTemplate) {
    this.template = template
    this.matcher = createMatcher([template])
    this.holdMs = template.rhythm.holdMs
  }

  tell(octets: number): void {
    this.news.push(octets)
    this.serve()
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await bodyOf(request)
    const { method = '', url: target = '', headers } = request
    const header = (name: string): string | undefined => headers[name]?.toString()
    for (const shape of this.matcher.match(method, target)) {
      const parcel = shape.decodeRequest({ target, header, body })
      if (parcel === undefined) continue
      if (this.isPoll(shape, parcel.length)) this.hold(shape, response)
      else write(response, shape, this.answerTo(shape, parcel.length))
      return
    }
    response.writeHead(404, { 'Content-Type': 'application/json' }).end('{"error":"not_found"}')
  }

  /** What says nothing waits for news; what acknowledges some is answered at once. */
  private isPoll(shape: Shape, octets: number): boolean {
    return shape === this.template.shape('poll') && octets === shape.up.classes[0]
  }

  /** Who comes opens the room with the first long request, and gets what was said before; later what nobody waits for. */
  private answerTo(shape: Shape, octets: number): number {
    if (this.isOpen || octets <= HELLO_OCTETS) return this.isOpen ? Math.min(this.take(), shape.down.max) : 0
    this.isOpen = true
    return shape.down.fit(PAST_OCTETS)
  }

  private take(): number {
    const octets = this.news.reduce((sum, each) => sum + each, 0)
    this.news = []
    return octets
  }

  private hold(shape: Shape, response: ServerResponse): void {
    // A visitor who asks again has given up waiting for the answer before.
    if (this.held !== undefined) clearTimeout(this.held.timer)
    const [from, to] = this.holdMs
    const timer = setTimeout(() => this.answer(0), from + Math.random() * (to - from))
    this.held = { answer: (octets) => write(response, shape, octets), timer }
    response.once('close', () => clearTimeout(timer))
    this.serve()
  }

  /** Who waits hears all that there is. */
  private serve(): void {
    if (this.held === undefined || this.news.length === 0) return
    this.answer(this.take())
  }

  private answer(octets: number): void {
    const { held } = this
    if (held === undefined) return
    clearTimeout(held.timer)
    this.held = undefined
    held.answer(octets)
  }
}

function write(response: ServerResponse, shape: Shape, octets: number): void {
  const length = octets === 0 ? shape.down.classes[0]! : shape.down.fit(octets)
  const { status, headers, body } = shape.encodeResponse({ parcel: randomBytes(length), random: randomBytes })
  const isType = ([name]: readonly [string, string]): boolean => name.toLowerCase() === 'content-type'
  const more = headers.filter((header) => !isType(header)).flat()
  // With the gateway's own head: how long that is decides where nginx cuts long answers into records.
  writeHead(response.req, response, { status, type: headers.find(isType)?.[1], length: body.length, more })
  response.end(body)
}

async function bodyOf(request: IncomingMessage): Promise<Uint8Array> {
  const pieces: Buffer[] = []
  for await (const piece of request) pieces.push(piece as Buffer)
  return new Uint8Array(Buffer.concat(pieces))
}

const rooms = new Map<string, Room>()
const [socket = ''] = process.argv.slice(2)
const server = createServer((request, response) => {
  const room = rooms.get(request.headers.host ?? '')
  if (room === undefined) response.writeHead(404).end()
  else room.handle(request, response).catch(() => response.destroy())
})
await new Promise<void>((resolve) => server.listen(socket, resolve))
process.once('SIGTERM', () => {
  server.closeAllConnections()
  server.close()
  process.exit()
})
console.log(JSON.stringify({ ready: true }))
for await (const line of createInterface({ input: process.stdin })) {
  const { room, template, news } = JSON.parse(line) as { room: string; template?: string; news?: number }
  if (template !== undefined) rooms.set(room, new Room(templates.get(template)!))
  else if (news !== undefined) rooms.get(room)?.tell(news)
}
