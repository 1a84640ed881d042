/** A member as an adversary has recorded it: authentic requests with their answers, and ones that were never sent. */
import type { CompiledTemplate } from '#engine/compile.ts'
import type { Shape } from '#engine/shape.ts'
import type { HttpRequest } from '#engine/template.ts'
import { concat } from '#protocol/bytes.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import type { FirstContact } from '#protocol/handshake.ts'
import { initiate } from '#protocol/handshake.ts'
import { aeads } from '#protocol/parcel.ts'
import { bindingOf, deriveCohort } from '#protocol/recognition.ts'
import { ClientSession } from '#protocol/session/client-session.ts'
import { observe } from './observe.ts'
import { http1, octets } from './probe.ts'
import type { Invited } from './world.ts'

/** Token and parcel, and the request around them; the same draw of everything else each time. */
export interface Sealed {
  readonly shape: Shape
  readonly token: Uint8Array
  readonly parcel: Uint8Array
}

export interface Recorded extends Sealed {
  /** Everything that came back. */
  readonly answer: string
}

/** Around a token and a parcel that may be anything: the same but for them. */
export function requestOf({ shape, token, parcel }: Sealed): HttpRequest {
  let drawn = 0
  // Chance that is none, so that two requests differ in nothing but their secrets.
  const random = (length: number): Uint8Array => Uint8Array.from({ length }, () => (drawn = (drawn * 181 + 101) % 251))
  return shape.encodeRequest({ token, parcel, host: 'localhost', random })
}

/** As octets of HTTP/1.1. */
export function octetsOf(request: HttpRequest, connection = 'close'): Uint8Array {
  const { method, target, headers, body } = request
  const lines = [
    `${method} ${target} HTTP/1.1`,
    'Host: localhost',
    ...headers.map(([name, value]) => `${name}: ${value}`),
  ]
  if (body !== undefined) lines.push(`Content-Length: ${body.length}`)
  const head = octets([...lines, `Connection: ${connection}`, '', ''].join('\r\n'))
  return body === undefined ? head : concat(head, body)
}

/** What nobody expects, of the form that everybody may know. */
export function garbage(shape: Shape, octetsOfParcel: number): Sealed {
  return { shape, token: randomBytes(16), parcel: randomBytes(octetsOfParcel) }
}

/** `bytes` with one bit turned. */
export const flipped = (bytes: Uint8Array, at: number): Uint8Array =>
  bytes.map((octet, i) => (i === at ? octet ^ (1 << (at % 8)) : octet))

export interface Contact extends Sealed {
  readonly contact: FirstContact
}

/** Times the silence of a probe: 20 s. */
export const MEMBERS_PATIENCE = 50
/** What a member's text message fits in. */
const PARCEL = 768

export class Member {
  private readonly port: number
  private readonly gatewayKey: Uint8Array
  private readonly invited: Invited
  private readonly credential = { credentialId: randomBytes(16), credentialKey: randomBytes(32) }
  private session: ClientSession | undefined

  constructor(port: number, gatewayKey: Uint8Array, invited: Invited) {
    this.port = port
    this.gatewayKey = gatewayKey
    this.invited = invited
  }

  /** A first contact that was not sent. `change`: by somebody else, at another time, or for another gateway. */
  contact(
    template: CompiledTemplate,
    change: { now?: number; gatewayKey?: Uint8Array; stranger?: boolean } = {},
  ): Contact {
    const shape = template.shape('send')
    const own = change.stranger ? { credentialId: randomBytes(16), credentialKey: randomBytes(32) } : this.credential
    const contact = initiate({
      gatewayKey: change.gatewayKey ?? this.gatewayKey,
      cohort: deriveCohort(this.invited.secret),
      hello: Uint8Array.of(1),
      membership: { kind: 'redeem', code: this.invited.code, ...own },
      binding: bindingOf(shape),
      length: shape.up.fit(320),
      now: change.now ?? Date.now(),
      random: randomBytes,
    })
    return { contact, shape, token: contact.token, parcel: contact.parcel }
  }

  /** A first contact and the session that comes of it, in place of the one before. */
  async join(template: CompiledTemplate): Promise<Recorded> {
    const sent = this.contact(template)
    const answer = await this.send(sent)
    const done = sent.contact.finish(parcelOf(sent.shape, answer))
    if (done === undefined) throw new Error('the gateway did not answer its own member')
    const aead = aeads[done.reply[0] ?? -1]!
    this.session = new ClientSession({ root: done.keys.root, aead, now: Date.now(), random: randomBytes, events: {} })
    this.session.renew()
    return { shape: sent.shape, token: sent.token, parcel: sent.parcel, answer }
  }

  /** An exchange that was sent and answered; the one before is acknowledged by it and no longer answered. */
  async exchange(shape: Shape): Promise<Recorded> {
    const { number, ...sealed } = this.take(shape)
    const answer = await this.send(sealed)
    if (!this.session!.receive(Date.now(), number, parcelOf(shape, answer)))
      throw new Error('not the answer of the gateway')
    return { ...sealed, answer }
  }

  /** An exchange that was not sent: its token is expected. */
  unsent(shape: Shape): Sealed {
    const { number, ...sealed } = this.take(shape)
    return sealed
  }

  private take(shape: Shape): Sealed & { readonly number: number } {
    const { number, token, parcel } = this.session!.take(shape.up.fit(PARCEL), undefined, bindingOf(shape))
    return { number, shape, token, parcel }
  }

  private async send(sealed: Sealed): Promise<string> {
    // It ends with the connection; the patience is for a machine that is busy.
    const { answer } = await observe(this.port, http1('member', 'send', octetsOf(requestOf(sealed))), MEMBERS_PATIENCE)
    return answer
  }
}

function parcelOf(shape: Shape, answer: string): Uint8Array {
  const [before = '', ...after] = answer.split('\r\n\r\n')
  const lines = before.split('\r\n')
  const status = Number(/HTTP\/1\.1 (\d{3}) /.exec(lines[0] ?? '')?.[1])
  const header = (name: string): string | undefined =>
    lines.find((line) => line.toLowerCase().startsWith(`${name}: `))?.slice(name.length + 2)
  const parcel = shape.decodeResponse({ status, header, body: octets(after.join('\r\n\r\n')) })
  if (parcel === undefined) throw new Error(`the website answered a member: ${answer.slice(0, 200)}`)
  return parcel
}
