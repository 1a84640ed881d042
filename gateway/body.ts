/** Reads request bodies within bounds, and remembers what was read so that the decoy can have it too. */
import type { IncomingMessage } from 'node:http'
import { concat } from '#protocol/bytes.ts'

/** Octets that came so far; `whole` once the request has ended. */
export interface BodyPart {
  readonly bytes: Uint8Array
  readonly whole: boolean
}

/**
 * Reads until at least `enough` octets are there, the body ends, or more than `limit` came; the stream is left paused,
 * so that what follows is still to be read. Rejects where the request breaks off.
 */
export async function readBody(
  request: IncomingMessage,
  enough: number,
  limit: number,
  before?: BodyPart,
): Promise<BodyPart> {
  if (before !== undefined) return await readOn(request, enough, limit, before)
  // Most bodies come together with their head: the parser has them once it is done, and nothing has to be waited for.
  await undefined
  const bytes: Buffer | null = request.read()
  if (bytes === null) return await readOn(request, enough, limit)
  const part = { bytes, whole: request.complete && request.readableLength === 0 }
  return part.whole || bytes.length > limit ? part : await readOn(request, enough, limit, part)
}

function readOn(request: IncomingMessage, enough: number, limit: number, before?: BodyPart): Promise<BodyPart> {
  const chunks: Uint8Array[] = before === undefined ? [] : [before.bytes]
  let length = before?.bytes.length ?? 0
  if (before?.whole || length >= enough)
    return Promise.resolve({ bytes: concat(...chunks), whole: before?.whole ?? false })
  if (request.readableEnded) return Promise.resolve({ bytes: concat(...chunks), whole: true })
  if (request.destroyed) return Promise.reject(new Error('the request broke off'))
  return new Promise((resolve, reject) => {
    const settle = (whole: boolean): void => {
      request.off('data', onData)
      request.off('end', onEnd)
      request.off('error', onError)
      request.off('close', onClose)
      request.pause()
      resolve({ bytes: chunks.length === 1 ? chunks[0]! : concat(...chunks), whole })
    }
    const onData = (chunk: Buffer): void => {
      chunks.push(chunk)
      length += chunk.length
      if (length >= enough || length > limit) settle(false)
    }
    const onEnd = (): void => settle(true)
    const onError = (error: Error): void => reject(error)
    const onClose = (): void => reject(new Error('the request broke off'))
    request.on('data', onData)
    request.on('end', onEnd)
    request.on('error', onError)
    request.on('close', onClose)
    // An earlier call has paused it, and then a listener alone does not make it flow again.
    request.resume()
  })
}
