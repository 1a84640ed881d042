/** Requests that are made in advance for measuring how long they take, so that making them is no part of it. */
import type { Matcher } from '#engine/match.ts'
import type { Shape } from '#engine/shape.ts'
import type { HttpRequest } from '#engine/template.ts'
import { concat } from '#protocol/bytes.ts'
import { request, requestHeaders } from './http2.ts'
import type { Sealed } from './member.ts'
import { flipped, garbage, octetsOf, requestOf } from './member.ts'
import type { Runner, Side } from './pairs.ts'
import type { Arm } from './world.ts'

/** Requests of each kind. */
export const POOL = 64

/** Requests of nobody in particular, of one shape, to one server. */
export function strangers(shape: Shape, arm: Arm): Side {
  return side(arm, garbageOf(shape))
}

const garbageOf = (shape: Shape): HttpRequest[] =>
  Array.from({ length: POOL }, () => requestOf(garbage(shape, shape.up.fit(320))))

/** The same for the same path, but for one character of the token, which no token has. */
export function formless(shape: Shape, arm: Arm): Side {
  return side(
    arm,
    garbageOf(shape).map((made) => withoutToken(shape, made)),
  )
}

/** The same for the path beside it, which is no template's. */
export function neighbours(shape: Shape, arm: Arm, matcher: Matcher): Side {
  return side(
    arm,
    garbageOf(shape).map((made) => ({ ...made, target: beside(made, matcher) })),
  )
}

/** Anything sealed, known to the gateway or not. */
export const sealedSide = (arm: Arm, pool: readonly Sealed[]): Side => side(arm, pool.map(requestOf))

function side({ port, prefix }: Arm, pool: readonly HttpRequest[]): Side {
  const requests = pool.map((made) => octetsOf({ ...made, target: prefix + made.target }, 'keep-alive'))
  let at = 0
  return { port, next: () => requests[at++ % requests.length]! }
}

export function runner(shape: Shape, { prefix }: Arm): Runner {
  const pool = garbageOf(shape)
  let at = 0
  return (stream) => {
    const { method, target, headers, body } = pool[at++ % POOL]!
    return request(stream, requestHeaders(method, prefix + target, headers), body)
  }
}

/** Stands in no alphabet of a token. */
const STRANGE = '~'

function withoutToken(shape: Shape, made: HttpRequest): HttpRequest {
  const spoilt = (text: string, at: number): string => text.slice(0, at) + STRANGE + text.slice(at + 1)
  const query = made.target.indexOf('?')
  for (let at = query + 1; query >= 0 && at < made.target.length; at++) {
    const changed = { ...made, target: spoilt(made.target, at) }
    if (!hasToken(shape, changed)) return changed
  }
  for (const [index, [name, value]] of made.headers.entries()) {
    for (let at = 0; at < value.length; at++) {
      const changed = { ...made, headers: made.headers.with(index, [name, spoilt(value, at)]) }
      if (!hasToken(shape, changed)) return changed
    }
  }
  const { body } = made
  for (let at = 0; body !== undefined && at < body.length; at++) {
    const strange = Uint8Array.of(STRANGE.charCodeAt(0))
    const changed = { ...made, body: concat(body.subarray(0, at), strange, body.subarray(at + 1)) }
    if (!hasToken(shape, changed)) return changed
  }
  throw new Error(`${shape.template}: its token is nowhere`)
}

function hasToken(shape: Shape, { target, headers, body }: HttpRequest): boolean {
  const header = (wanted: string): string | undefined => headers.find(([name]) => name.toLowerCase() === wanted)?.[1]
  return shape.readToken(target, header, body) instanceof Uint8Array
}

/** The target with another letter near the end of its path, where no template takes it. */
function beside({ method, target }: HttpRequest, matcher: Matcher): string {
  const end = target.indexOf('?') < 0 ? target.length : target.indexOf('?')
  for (let at = end - 1; at > 0; at--) {
    if (!/[a-z]/.test(target[at]!)) continue
    const changed = target.slice(0, at) + (target[at] === 'x' ? 'y' : 'x') + target.slice(at + 1)
    if (matcher.match(method, changed).length === 0) return changed
  }
  throw new Error(`${method} ${target}: every path beside it is a template’s`)
}

/** One that is altered is altered elsewhere each time; one that is sent again is sent as it was. */
export function variants(what: string, sealed: Sealed): Sealed[] {
  const { token, parcel } = sealed
  const any = (bytes: Uint8Array, i: number): Uint8Array => flipped(bytes, (i * 37) % bytes.length)
  if (what.endsWith('of its token'))
    return Array.from({ length: POOL }, (_, i) => ({ ...sealed, token: any(token, i) }))
  if (what.endsWith('of its parcel'))
    return Array.from({ length: POOL }, (_, i) => ({ ...sealed, parcel: any(parcel, i) }))
  return [sealed]
}
