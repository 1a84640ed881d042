/** The operating system's random bytes, as programs hand them to protocol code. */
import { randomFillSync } from 'node:crypto'
import type { Random } from '../bytes.ts'

/** Octets fetched at once: asking for a few of them costs as much as asking for thousands. */
const POOL = 4_096
/** Requests up to this length are served from the pool. */
const SMALL = 256

const pool = new Uint8Array(POOL)
let at = POOL

/**
 * Short ones come out of a pool. That gives nobody more than there is without it: OpenSSL's generator keeps a state in the
 * memory of the process from which what comes next follows. What has been handed out is wiped, as that generator forgets it.
 */
export const randomBytes: Random = (length) => {
  if (length > SMALL) return randomFillSync(new Uint8Array(length))
  if (at + length > POOL) {
    randomFillSync(pool)
    at = 0
  }
  const bytes = pool.slice(at, at + length)
  pool.fill(0, at, at + length)
  at += length
  return bytes
}
