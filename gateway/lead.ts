/** Looks at the beginning of a request's body as it comes, and leaves all of it to be read. */
import { IncomingMessage } from 'node:http'
import { concat, empty } from '#protocol/bytes.ts'
import { headerOf } from './header-of.ts'

/** What Node's parser makes of a request for our servers: one that tells what comes, before it can be read. */
export class WatchedMessage extends IncomingMessage {
  /** Called with each part of the body, with null at its end, and with undefined where the request breaks off before. */
  watch: ((part: Uint8Array | null | undefined) => void) | undefined = undefined

  override push(part: Buffer | null, encoding?: BufferEncoding): boolean {
    this.watch?.(part)
    return super.push(part, encoding)
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.watch?.(undefined)
    super._destroy(error, done)
  }
}

/**
 * Calls `then` once: with at least `enough` octets of the body, with all of it, or with undefined where the request broke off.
 * While the parser is at it, before it tells the body's end: to read from the request and to wait for that takes 30 us longer,
 * by which anybody could tell who looks at bodies. Nothing is taken from the request. `then` must not throw. Call it before
 * anything has come.
 */
export function onLead(request: WatchedMessage, enough: number, then: (lead: Uint8Array | undefined) => void): void {
  const stated = headerOf(request, 'content-length')
  const wanted = stated === undefined ? enough : Math.min(enough, Number(stated))
  let lead = empty
  request.watch = (part) => {
    if (part != null) lead = lead.length === 0 ? part : concat(lead, part)
    if (part != null && lead.length < wanted) return
    request.watch = undefined
    then(part === undefined ? undefined : lead)
  }
}
