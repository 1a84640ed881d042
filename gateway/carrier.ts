/**
 * Decides, for every request on a path that a template uses, whether it is a member's exchange; performs those, and gives all
 * others to the decoy. There is one kind of failure: `decoy(request)`. Nothing is kept for a request before its token is an
 * expected one. Strangers are rare, and anybody can measure how long each of their requests takes: what they reach is short,
 * allocates little, calls into native code as little as can be, and waits for nothing.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Matcher } from '#engine/match.ts'
import type { Shape } from '#engine/shape.ts'
import type { HttpResponse } from '#engine/template.ts'
import { empty, lookupKey } from '#protocol/bytes.ts'
import { TOKEN_LENGTH } from '#protocol/constants.ts'
import type { Expected, TokenTable } from '#protocol/session/token-table.ts'
import type { BodyPart } from './body.ts'
import { readBody } from './body.ts'
import { writeWhole } from './decoy/answer.ts'
import type { Decoy } from './decoy/decoy.ts'
import type { Cohort } from './first-contact.ts'
import { headerOf } from './header-of.ts'
import type { WatchedMessage } from './lead.ts'
import { onLead } from './lead.ts'
import type { Sessions } from './sessions.ts'

/** Octets of a body that may be read before its token is found. Attack: buffering for strangers. */
const TOKEN_PREFIX = 4096
/** Octets of a body that an exchange may have. POST bodies of templates stay below common edges' 256 KiB. */
const BODY_MAX = 300_000

/** Looked up where a request has no token. */
const nobodys = new Uint8Array(TOKEN_LENGTH)

const noBody: BodyPart = { bytes: empty, whole: true }

/** Whose exchange a token announces. */
type Owner =
  | { readonly kind: 'session'; readonly expected: Expected }
  | { readonly kind: 'first'; readonly cohort: Cohort; readonly token: Uint8Array }

/** Live templates may share a path and a token's place: all shapes that found this owner are candidates. */
interface Recognised {
  readonly owner: Owner
  readonly shapes: readonly Shape[]
}

export interface CarrierInput {
  readonly matcher: () => Matcher
  readonly tokens: TokenTable
  readonly sessions: Sessions
  readonly decoy: Decoy
  /** What failed inside while a member's exchange was performed. */
  readonly report: (error: unknown) => void
}

export class Carrier {
  private readonly input: CarrierInput

  constructor(input: CarrierInput) {
    this.input = input
  }

  /** Answers a request whose path a template uses. False for all others: they are the website's, and nothing was done. */
  readonly take = (request: WatchedMessage, response: ServerResponse): boolean => {
    const shapes = this.input.matcher().match(request.method ?? '', request.url ?? '')
    if (shapes.length === 0) return false
    const recognised = this.recognise(shapes, request, undefined)
    if (recognised !== 'needs-body') this.answer(recognised, request, response)
    else onLead(request, TOKEN_PREFIX, (lead) => this.decide(shapes, request, response, lead))
    return true
  }

  /** By the beginning of the body; undefined where the request broke off: there is nobody left to answer. */
  private decide(
    shapes: readonly Shape[],
    request: IncomingMessage,
    response: ServerResponse,
    lead: Uint8Array | undefined,
  ): void {
    if (lead === undefined) return void response.destroy()
    const recognised = this.recognise(shapes, request, lead)
    this.answer(recognised === 'needs-body' ? undefined : recognised, request, response)
  }

  /** Strangers get the website at once, in the turn in which their request came. */
  private answer(recognised: Recognised | undefined, request: IncomingMessage, response: ServerResponse): void {
    const answered =
      recognised === undefined ? this.input.decoy(request, response) : this.announced(recognised, request, response)
    answered.catch(() => response.destroy())
  }

  /** A request whose token is expected. */
  private async announced(recognised: Recognised, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = request.method === 'GET' ? noBody : await readBody(request, BODY_MAX).catch(() => undefined)
    // The request broke off: there is nobody left to answer.
    if (body === undefined) return void response.destroy()
    if (body.whole && (await this.attempt(recognised, request, response, body.bytes))) return
    await this.input.decoy(request, response, body.bytes)
  }

  /** As `perform`. What fails inside (a full disk, a fault of ours) gets the website too: no second kind of failure. */
  private async attempt(
    recognised: Recognised,
    request: IncomingMessage,
    response: ServerResponse,
    body: Uint8Array,
  ): Promise<boolean> {
    try {
      return await this.perform(recognised, request, response, body)
    } catch (error) {
      this.input.report(error)
      return response.headersSent || response.destroyed
    }
  }

  /** Never throws: what fails inside gets the website too. */
  private recognise(
    shapes: readonly Shape[],
    request: IncomingMessage,
    prefix: Uint8Array | undefined,
  ): Recognised | 'needs-body' | undefined {
    try {
      return this.ownerIn(shapes, request, prefix)
    } catch (error) {
      this.input.report(error)
      return undefined
    }
  }

  private ownerIn(
    shapes: readonly Shape[],
    request: IncomingMessage,
    prefix: Uint8Array | undefined,
  ): Recognised | 'needs-body' | undefined {
    let needsBody = false
    let unknown: string | undefined
    const header = (name: string): string | undefined => headerOf(request, name)
    for (let index = 0; index < shapes.length; index++) {
      const token = shapes[index]!.readToken(request.url!, header, prefix)
      if (token === 'needs-body') needsBody = true
      if (token === 'needs-body' || token?.length !== TOKEN_LENGTH) continue
      const key = lookupKey(token)
      // Templates of one path have it at one place, mostly.
      if (key === unknown) continue
      const owner = this.lookUp(token, key)
      if (owner !== undefined) return { owner, shapes: shapes.slice(index) }
      unknown = key
    }
    if (needsBody && prefix === undefined) return 'needs-body'
    // Where there is none, as much is done as with one: the time must not tell what has a token's form.
    if (unknown === undefined) this.lookUp(nobodys, lookupKey(nobodys))
    return undefined
  }

  private lookUp(token: Uint8Array, key: string): Owner | undefined {
    const expected = this.input.tokens.find(key)
    if (expected !== undefined) return { kind: 'session', expected }
    const cohort = this.input.sessions.cohortOf(token, key)
    return cohort === undefined ? undefined : { kind: 'first', cohort, token }
  }

  /** False where the exchange turns out not to be authentic after all. */
  private async perform(
    { owner, shapes }: Recognised,
    request: IncomingMessage,
    response: ServerResponse,
    body: Uint8Array,
  ): Promise<boolean> {
    for (const shape of shapes) {
      const parcel = shape.decodeRequest({ target: request.url!, header: (name) => headerOf(request, name), body })
      if (parcel !== undefined && (await this.exchange(owner, shape, parcel, request, response))) return true
    }
    return false
  }

  private async exchange(
    owner: Owner,
    shape: Shape,
    parcel: Uint8Array,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<boolean> {
    if (owner.kind === 'first') {
      const answer = await this.input.sessions.firstContact({ ...owner, shape, parcel })
      if (answer !== undefined) send(request, response, answer)
      return answer !== undefined
    }
    const live = this.input.sessions.of(owner.expected.session)
    const taken = live?.exchange(owner.expected, shape, parcel, (answer) => send(request, response, answer))
    if (taken === undefined) return false
    response.on('close', taken.gone)
    release(request)
    return true
  }
}

/** What was read of the request is not needed while its answer is held: half a KiB for every idle member. */
function release(request: IncomingMessage): void {
  request.rawHeaders = []
  request.headers = {}
}

/** Written as the site's own answers are: same server name, same order of headers. */
function send(request: IncomingMessage, response: ServerResponse, answer: HttpResponse | undefined): void {
  if (answer === undefined) {
    response.destroy()
    return
  }
  if (response.destroyed || response.headersSent) return
  const type = answer.headers.find(([name]) => name.toLowerCase() === 'content-type')?.[1]
  const more = answer.headers.filter(([name]) => name.toLowerCase() !== 'content-type').flat()
  writeWhole(request, response, { status: answer.status, type, more }, answer.body)
}
