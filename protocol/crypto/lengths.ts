/**
 * Keys and nonces of a wrong length are a mistake of ours, never a stranger's doing: they throw.
 */

/** @throws RangeError naming `what`, never its content */
export function requireLength(what: string, bytes: Uint8Array, length: number): void {
  if (bytes.length !== length) throw new RangeError(`${what} has ${length} octets, not ${bytes.length}`)
}
