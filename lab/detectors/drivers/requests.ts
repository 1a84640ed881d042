/** Requests of the genuine application, in the form that its template describes. What is sealed in them is random. */
import type { CompiledTemplate } from '#engine/compile.ts'
import type { HttpRequest } from '#engine/template.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import { MESSAGE_OCTETS } from './guest.ts'

/** Octets of a greeting, and of an acknowledgement of news. */
const SMALL_OCTETS = 320

/** And of what opens a room. */
const OPEN_OCTETS = 1_240

/**
 * What the application says: a greeting, what opens a room, a message, a notice of what the visitor does (sent on after a
 * message as the template's rhythm says), a poll that waits for news, one that acknowledges news, or says up to where they are known,
 * and is answered at once.
 */
export type RequestKind = 'hello' | 'open' | 'send' | 'notice' | 'poll' | 'acknowledge'

/** How a visit begins, one after the other: a greeting, the room, where in it the visitor was. Then news is asked for. */
export const OPENING: readonly RequestKind[] = ['hello', 'open', 'acknowledge']

export function requestOf(template: CompiledTemplate, kind: RequestKind, host: string): HttpRequest {
  const shape = template.shape(kind === 'poll' || kind === 'acknowledge' ? 'poll' : 'send')
  const octets = { hello: SMALL_OCTETS, open: OPEN_OCTETS, send: MESSAGE_OCTETS, acknowledge: SMALL_OCTETS, poll: 0 }
  const wanted = kind === 'notice' ? (template.rhythm.cover?.bytes ?? 0) : octets[kind]
  const parcel = randomBytes(shape.up.fit(wanted))
  return shape.encodeRequest({ token: randomBytes(16), parcel, host, random: randomBytes })
}

/** Octets that the body of an answer without news has at most. */
export function quietOctets(template: CompiledTemplate): number {
  const shape = template.shape('poll')
  const [least = 0, next = 0] = shape.down.classes
  const length = (octets: number): number =>
    shape.encodeResponse({ parcel: randomBytes(octets), random: randomBytes }).body.length
  return (length(least) + length(next)) / 2
}

/** Milliseconds between an answer that was shown and the next question for news. */
export const thinkOf = ({ rhythm }: CompiledTemplate): readonly [number, number] => rhythm.thinkMs ?? [0, 0]
