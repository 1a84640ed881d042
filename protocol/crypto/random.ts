/** The operating system's random bytes, as programs hand them to protocol code. */
import { randomBytes as nodeRandomBytes } from 'node:crypto'
import type { Random } from '../bytes.ts'

export const randomBytes: Random = (length) => new Uint8Array(nodeRandomBytes(length))
