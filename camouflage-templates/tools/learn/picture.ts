/** What of a recorded PNG may stand in a template: its form, and nothing that a camera, an editor or a person wrote into it. */
import { fromLatin1, latin1, readU32 } from '#protocol/bytes.ts'

export interface PictureForm {
  readonly chunks: readonly { readonly type: string; readonly hex: string }[]
  /** Octets of its first IDAT. */
  readonly idat: number
}

const SIGNATURE = '\x89PNG\r\n\x1a\n'
/** About colours and dots an inch; texts, times and camera data stay out. */
const harmless = new Set(['pHYs', 'sRGB', 'gAMA', 'cHRM', 'sBIT'])
const CHUNKS_LOOKED_AT = 16

/** undefined where the recording has no whole picture. One character an octet. */
export function readPicture(body: string): PictureForm | undefined {
  if (!body.startsWith(SIGNATURE)) return undefined
  const bytes = fromLatin1(body)
  const chunks: { type: string; hex: string }[] = []
  for (let at = SIGNATURE.length, n = 0; at + 8 <= bytes.length && n < CHUNKS_LOOKED_AT; n++) {
    const length = readU32(bytes, at)
    const type = latin1(bytes.subarray(at + 4, at + 8))
    if (at + 12 + length > bytes.length) return undefined
    const data = bytes.subarray(at + 8, at + 8 + length)
    if (type === 'IDAT') return { chunks, idat: Math.min(262_144, Math.max(8_192, length)) }
    if (harmless.has(type) && length <= 64) chunks.push({ type, hex: Buffer.from(data).toString('hex') })
    at += 12 + length
  }
  return undefined
}
