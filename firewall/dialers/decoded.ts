/** Answers as a browser reads them: it takes compressed ones, so whoever claims to be one gets them. RFC 9110 section 8.4. */
import { promisify } from 'node:util'
import { brotliDecompress, gunzip, inflate, zstdDecompress } from 'node:zlib'
import { DialLimits } from '../limits.ts'
import type { ExchangeResponse } from '../permit.ts'
import { pathError } from './path-error.ts'

type Decoder = (body: Uint8Array, options: { readonly maxOutputLength: number }) => Promise<Buffer>

const decoders: Readonly<Record<string, Decoder>> = {
  gzip: promisify(gunzip),
  deflate: promisify(inflate),
  br: promisify(brotliDecompress),
  zstd: promisify(zstdDecompress),
}

/** Fields that tell of the body as it came. */
const ofBody: ReadonlySet<string> = new Set(['content-encoding', 'content-length'])

/** What is said of an answer whose body has been unpacked. */
export const unpackedFields = (headers: ExchangeResponse['headers']): ExchangeResponse['headers'] =>
  headers.filter(([field]) => !ofBody.has(field.toLowerCase()))

/**
 * Bounded by `DialLimits.responseBytes`, whatever it claims to unpack to. `name`: the endpoint's, for error texts.
 * @throws SottoError E_PATH_ANSWER
 */
export async function decoded(response: ExchangeResponse, name: string): Promise<ExchangeResponse> {
  const encoding = response.headers
    .find(([field]) => field.toLowerCase() === 'content-encoding')?.[1]
    .trim()
    .toLowerCase()
  if (encoding === undefined || encoding === 'identity') return response
  const decode = Object.hasOwn(decoders, encoding) ? decoders[encoding]! : undefined
  if (decode === undefined) throw pathError('E_PATH_ANSWER', name, 'it is packed in a way that was not asked for')
  try {
    const body = await decode(response.body, { maxOutputLength: DialLimits.responseBytes })
    const headers = unpackedFields(response.headers)
    return { ...response, headers, body: new Uint8Array(body.buffer, body.byteOffset, body.length) }
  } catch (cause) {
    throw pathError('E_PATH_ANSWER', name, 'it cannot be unpacked', cause)
  }
}
