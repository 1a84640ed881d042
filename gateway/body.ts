/** Reads request bodies within bounds, and remembers what was read so that the decoy can have it too. */
import type { IncomingMessage } from 'node:http'
import { concat } from '#protocol/bytes.ts'

/** Octets that came so far; `whole` once the request has ended. */
export interface BodyPart {
  readonly bytes: Uint8Array
  readonly whole: boolean
}

/**
 * Reads until the body ends, or more than `limit` octets came; the stream is left paused then, so that what follows is still
 * to be read. Rejects where the request breaks off.
 */
export async function readBody(request: IncomingMessage, limit: number): Promise<BodyPart> {
  // Most bodies come together with their head: the parser has them once it is done, and nothing has to be waited for.
  await undefined
  const bytes: Buffer | null = request.read()
  const part = bytes === null ? undefined : { bytes, whole: request.complete && request.readableLength === 0 }
  return part !== undefined && (part.whole || bytes!.length > limit) ? part : await readOn(request, limit, part?.bytes)
}

function readOn(request: IncomingMessage, limit: number, before: Uint8Array | undefined): Promise<BodyPart> {
  const chunks: Uint8Array[] = before === undefined ? [] : [before]
  let length = before?.length ?? 0
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
      if (length > limit) settle(false)
    }
    const onEnd = (): void => settle(true)
    const onError = (error: Error): void => reject(error)
    const onClose = (): void => reject(new Error('the request broke off'))
    request.on('data', onData)
    request.on('end', onEnd)
    request.on('error', onError)
    request.on('close', onClose)
    // `read` has paused it, and then a listener alone does not make it flow again.
    request.resume()
  })
}
