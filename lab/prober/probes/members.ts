/**
 * What an adversary can do with recorded requests of members: send them again late, changed, at another path, or those of
 * somebody who is no member any more. All of it has to get what a stranger gets.
 */
import type { CompiledTemplate } from '#engine/compile.ts'
import { concat } from '#protocol/bytes.ts'
import { BUCKET_MS } from '#protocol/constants.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import { x25519PublicKey } from '#protocol/crypto/x25519.ts'
import { request, requestHeaders } from '../http2.ts'
import type { Recorded, Sealed } from '../member.ts'
import { flipped, Member, octetsOf, requestOf } from '../member.ts'
import type { Probe } from '../probe.ts'
import { http1, octets, text } from '../probe.ts'
import type { World } from '../world.ts'

/** One almost valid request: what is nearly right about it, and the request. */
export interface NearMiss {
  readonly template: string
  /**
   * 'token': recorded and used, revoked, or an octet off; somebody who has read along can make it. 'unsent': the token is
   * expected, what it announces is not right; it takes a request that has not reached the gateway, whose holder could as
   * well deliver it, or the cohort's secret, whose holder knows the gateway.
   */
  readonly kind: 'token' | 'unsent'
  readonly what: string
  readonly sealed: Sealed
}

/** Sent again within the window in which edges send again: answered by design, by the very same answer. */
export interface ByDesign {
  readonly what: string
  readonly request: Uint8Array
  readonly answer: string
}

export interface Recordings {
  readonly nearMisses: readonly NearMiss[]
  /** Of the same exchanges: what differs from them around token and parcel. */
  readonly probes: readonly Probe[]
  readonly byDesign: readonly ByDesign[]
}

/** Sessions, exchanges, a revocation. What was answered is late once the gateway's clock has caught up. */
export async function record(world: World, templates: readonly CompiledTemplate[]): Promise<Recordings> {
  const { operator, target } = world
  const member = async (): Promise<Member> => new Member(target, operator.gatewayKey, await operator.invite())
  const nearMisses: NearMiss[] = []
  const probes: Probe[] = []
  const byDesign: ByDesign[] = []
  for (const template of templates) {
    const own = await member()
    const past = await member()
    const invited = await operator.invite()
    const gone = new Member(target, operator.gatewayKey, invited)
    const shape = template.shape('send')
    const first = await own.join(template)
    const acknowledged = await own.exchange(shape)
    const second = await own.exchange(template.shape('bulk'))
    const fresh = own.unsent(shape)
    await gone.join(template)
    const revoked = gone.unsent(shape)
    const revokedContact = gone.contact(template)
    await operator.revoke(invited.id)
    const add = (what: string, sealed: Sealed, kind: NearMiss['kind'] = 'token'): void =>
      void nearMisses.push({ template: template.id, kind, what, sealed })
    add('first contact, again and late', first)
    add('exchange, again and late', acknowledged)
    add('exchange of a revoked member', revoked)
    add('first contact of a revoked invite', revokedContact)
    add('first contact with a code of somebody else', own.contact(template, { stranger: true }), 'unsent')
    add('first contact of long ago', past.contact(template, { now: Date.now() - 4 * BUCKET_MS }))
    add('first contact of the future', past.contact(template, { now: Date.now() + 4 * BUCKET_MS }))
    const gatewayKey = x25519PublicKey(randomBytes(32))
    add('first contact for another gateway', past.contact(template, { gatewayKey }))
    for (const [name, each] of [
      ['first contact', past.contact(template)],
      ['exchange', fresh],
    ] as const) {
      for (const at of [0, 7, 15]) add(`${name}, octet ${at} of its token`, { ...each, token: flipped(each.token, at) })
      for (const at of [0, 40, each.parcel.length - 1]) {
        add(`${name}, octet ${at} of its parcel`, { ...each, parcel: flipped(each.parcel, at) }, 'unsent')
      }
      add(`${name}, token of a stranger`, { ...each, token: randomBytes(16) })
      add(`${name}, parcel of a stranger`, { ...each, parcel: randomBytes(each.parcel.length) }, 'unsent')
      probes.push(...around(`${template.id} ${name}`, each))
    }
    byDesign.push(
      ...kept(template.id, [
        ['first contact', first],
        ['exchange', second],
      ]),
    )
  }
  return { nearMisses, probes: [...nearMisses.flatMap(probesOf), ...probes], byDesign }
}

function kept(template: string, list: readonly (readonly [string, Recorded])[]): ByDesign[] {
  return list.map(([what, recorded]) => ({
    what: `${template}: ${what}, again at once`,
    request: octetsOf(requestOf(recorded)),
    answer: recorded.answer,
  }))
}

/** Over HTTP/1.1 and HTTP/2. */
export function probesOf({ template, what, sealed }: NearMiss): Probe[] {
  const made = requestOf(sealed)
  const name = `${template} ${what}`
  const { method, target, headers, body } = made
  const action = {
    kind: 'http2',
    preface: true,
    steps: [request(1, requestHeaders(method, target, headers), body)],
  } as const
  return [http1('replay', name, octetsOf(made)), { group: 'replay', name: `${name}, HTTP/2`, action }]
}

/** A valid token in a request that is not one of its template. */
function around(name: string, sealed: Sealed): Probe[] {
  const made = requestOf(sealed)
  const { body, target } = made
  const [path, query] = target.split('?') as [string, string?]
  const at = (place: string): Uint8Array =>
    octetsOf({ ...made, target: query === undefined ? place : `${place}?${query}` })
  const probes = [
    http1('valid token', `${name}, path with a slash`, at(`${path}/`)),
    http1('valid token', `${name}, path in capital letters`, at(path.toUpperCase())),
    http1(
      'valid token',
      `${name}, path escaped`,
      at(path.replace(/[a-z]/, (letter) => `%${letter.charCodeAt(0).toString(16)}`)),
    ),
    http1('valid token', `${name}, path of another template`, at('/api/features/mobile.json')),
    http1('valid token', `${name}, path of the site`, at('/about.html')),
    http1('valid token', `${name}, another method`, octets(text(octetsOf(made)).replace(/^[A-Z]+/, 'PUT'))),
    http1(
      'valid token',
      `${name}, twice the query`,
      octetsOf({ ...made, target: `${target}${query ? '&' : '?'}${query ?? 'a=b'}` }),
    ),
  ]
  if (body === undefined) return probes
  const shorter = octetsOf({ ...made, body: body.subarray(0, body.length - 1) })
  const longer = octetsOf({ ...made, body: concat(body, octets(' ')) })
  return [
    ...probes,
    http1('valid token', `${name}, body one octet shorter`, shorter),
    http1('valid token', `${name}, body one octet longer`, longer),
    http1('valid token', `${name}, body cut off`, octetsOf(made).subarray(0, -10), 'end'),
  ]
}
