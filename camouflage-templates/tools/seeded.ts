/** Repeatable bytes for what a tool shows or measures; never for keys. */
import { createCipheriv } from 'node:crypto'
import type { Random } from '#protocol/bytes.ts'
import { concat, u32 } from '#protocol/bytes.ts'

const zero = new Uint8Array(12)

/** The same seed, the same bytes. */
export function seeded(seed: number): Random {
  const stream = createCipheriv('aes-128-ctr', concat(u32(seed >>> 0), zero), new Uint8Array(16))
  return (length) => new Uint8Array(stream.update(new Uint8Array(length)))
}
