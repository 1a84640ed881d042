/**
 * WebSockets of members. A request for one is recognised as an exchange before anything else is done about it: token,
 * parcel, replay. Whoever is not recognised is the website's, upgrade and all. A recognised one joins the socket.io server
 * that visitors join, and each event on it is recognised anew, as a request would be; what is not authentic is an event
 * that nobody listens for, as the server has many.
 */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { SocketMatcher } from '#engine/match.ts'
import type { Socket } from '#engine/socket.ts'
import type { HttpResponse } from '#engine/template.ts'
import { empty, latin1 } from '#protocol/bytes.ts'
import { TOKEN_LENGTH } from '#protocol/constants.ts'
import type { TokenTable } from '#protocol/session/token-table.ts'
import type { Guest, Upgrades } from '../decoy/decoy.ts'
import { headerOf } from '../header-of.ts'
import type { LiveSession } from '../live-session.ts'
import type { Sessions } from '../sessions.ts'
import { BareRoom } from './bare-room.ts'
import { GuestLine } from './guest-line.ts'
import { SocketLimits } from './limits.ts'

export interface MemberSocketsInput {
  readonly matcher: () => SocketMatcher
  readonly tokens: TokenTable
  readonly sessions: Sessions
  /** Of the website. */
  readonly upgrades: Upgrades | undefined
  readonly report: (error: unknown) => void
  readonly limits?: SocketLimits
}

/** A request that was recognised, until its socket stands. */
interface Ticket {
  readonly socket: Socket
  readonly live: LiveSession
  readonly gone: () => void
  /** Its answer, the first event on the socket; undefined where nobody waits for it any more. */
  readonly answer: Promise<HttpResponse | undefined>
}

export class MemberSockets implements Upgrades {
  private readonly input: MemberSocketsInput
  private readonly limits: SocketLimits
  private readonly tickets = new WeakMap<IncomingMessage, Ticket>()
  private bare: BareRoom | undefined
  /** Sockets given and not closed. */
  private open = 0
  private readonly perMember = new Map<string, number>()

  constructor(input: MemberSocketsInput) {
    this.input = input
    this.limits = input.limits ?? SocketLimits
  }

  /** False for strangers where the website wants no upgrade: then it is a request like any other. */
  readonly wanted = (request: IncomingMessage): boolean => {
    const ticket = this.recognise(request)
    if (ticket === undefined) return this.input.upgrades?.wanted(request) ?? false
    this.tickets.set(request, ticket)
    return true
  }

  readonly handle = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    const ticket = this.tickets.get(request)
    if (ticket === undefined) return this.input.upgrades?.handle(request, socket, head)
    const { member } = ticket.live.caller
    this.count(member, 1)
    socket.once('close', () => {
      this.count(member, -1)
      ticket.gone()
    })
    const enter = this.input.upgrades?.enter ?? this.enterBare
    enter(request, socket, head, (guest) => this.serve(guest, ticket))
  }

  private count(member: string, more: 1 | -1): void {
    this.open += more
    const own = (this.perMember.get(member) ?? 0) + more
    if (own === 0) this.perMember.delete(member)
    else this.perMember.set(member, own)
  }

  async close(): Promise<void> {
    await this.bare?.close()
  }

  private readonly enterBare: NonNullable<Upgrades['enter']> = (...entering) => {
    this.bare ??= new BareRoom()
    this.bare.enter(...entering)
  }

  /** Never throws: what fails inside gets the website too. */
  private recognise(request: IncomingMessage): Ticket | undefined {
    try {
      const sockets = this.input.matcher().match(request.method ?? '', request.url ?? '')
      if (sockets.length === 0 || this.open >= this.limits.members) return undefined
      for (const socket of sockets) {
        const ticket = this.admit(socket, request)
        if (ticket !== undefined) return ticket
      }
    } catch (error) {
      this.input.report(error)
    }
    return undefined
  }

  private admit(socket: Socket, request: IncomingMessage): Ticket | undefined {
    const target = request.url!
    const header = (name: string): string | undefined => headerOf(request, name)
    const token = socket.upgrade.readToken(target, header, undefined)
    if (!(token instanceof Uint8Array) || token.length !== TOKEN_LENGTH) return undefined
    const expected = this.input.tokens.find(latin1(token))
    const live = expected && this.input.sessions.of(expected.session)
    if (live === undefined || (this.perMember.get(live.caller.member) ?? 0) >= this.limits.perMember) return undefined
    const parcel = socket.upgrade.decodeRequest({ target, header, body: empty })
    if (parcel === undefined) return undefined
    const answer = Promise.withResolvers<HttpResponse | undefined>()
    const taken = live.admit(expected!, socket.upgrade, parcel, answer.resolve)
    if (taken === undefined) return undefined
    return { socket, live, gone: taken.gone, answer: answer.promise }
  }

  private serve(guest: Guest, ticket: Ticket): void {
    const line = new GuestLine(guest, ticket.socket, { ...this.input, limits: this.limits })
    void ticket.answer.then((answer) => answer && line.say(answer.body))
    guest.on(
      'disconnect',
      ticket.live.attach(() => guest.disconnect(true)),
    )
  }
}
