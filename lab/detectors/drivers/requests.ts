/** Requests of the genuine application, in the form that its template describes. What is sealed in them is random. */
import type { CompiledTemplate } from '#engine/compile.ts'
import type { HttpRequest } from '#engine/template.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import { MESSAGE_OCTETS } from './guest.ts'

/** Octets of a greeting, and of an acknowledgement of news. */
const SMALL_OCTETS = 320

/**
 * What the application says: a greeting, a message or what opens a room, a poll that waits for news, one that acknowledges
 * news and is answered at once.
 */
export type RequestKind = 'hello' | 'send' | 'poll' | 'acknowledge'

/** How a visit begins. */
export const OPENING: readonly RequestKind[] = ['hello', 'send', 'hello']

export function requestOf(template: CompiledTemplate, kind: RequestKind, host: string): HttpRequest {
  const shape = template.shape(kind === 'poll' || kind === 'acknowledge' ? 'poll' : 'send')
  const { up } = shape
  const octets = kind === 'poll' ? up.classes[0]! : up.fit(kind === 'send' ? MESSAGE_OCTETS : SMALL_OCTETS)
  return shape.encodeRequest({ token: randomBytes(16), parcel: randomBytes(octets), host, random: randomBytes })
}

/** Octets that the body of an answer without news has at most. */
export function quietOctets(template: CompiledTemplate): number {
  const shape = template.shape('poll')
  const [least = 0, next = 0] = shape.down.classes
  const length = (octets: number): number =>
    shape.encodeResponse({ parcel: randomBytes(octets), random: randomBytes }).body.length
  return (length(least) + length(next)) / 2
}
