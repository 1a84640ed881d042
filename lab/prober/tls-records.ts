/** What the records of a TLS connection say to somebody who has no keys (RFC 8446 section 5.1). */
import { hex } from '#protocol/bytes.ts'
import { text } from './probe.ts'

const ALERT = 21
const HANDSHAKE = 22

const isRecord = (bytes: Uint8Array, at: number): boolean =>
  bytes[at]! >= 20 && bytes[at]! <= 24 && bytes[at + 1] === 3 && at + 5 <= bytes.length

/**
 * One line a record: type and version; alerts and server hellos with their content. No lengths: that of a signature is
 * chance. What is no record is told as text.
 */
export function tellRecords(bytes: Uint8Array): string {
  const lines: string[] = []
  let at = 0
  while (isRecord(bytes, at)) {
    const length = bytes[at + 3]! * 256 + bytes[at + 4]!
    const content = bytes.subarray(at + 5, at + 5 + length)
    const version = `${bytes[at + 1]}.${bytes[at + 2]}`
    lines.push(`record ${bytes[at]} ${version} ${tellContent(bytes[at]!, content)}`)
    at += 5 + length
  }
  return at >= bytes.length ? lines.join('\n') : [...lines, text(bytes.subarray(at))].join('\n')
}

function tellContent(type: number, content: Uint8Array): string {
  if (type === ALERT && content.length === 2) return `alert ${content[0]} ${content[1]}`
  // Message type and length, version, then 32 octets that are new each time, then a session id of the same kind.
  if (type === HANDSHAKE && content[0] === 2 && content.length > 39) {
    const id = content[38]!
    const [cipher, extensions] = [content.subarray(39 + id, 42 + id), extensionsOf(content.subarray(42 + id))]
    return `server hello ${id} ${hex(cipher)} ${extensions}`
  }
  return type === HANDSHAKE ? `handshake ${content[0]}` : ''
}

/** Types and lengths, in order. */
function extensionsOf(bytes: Uint8Array): string {
  const types: string[] = []
  for (let at = 2; at + 4 <= bytes.length; ) {
    const length = bytes[at + 2]! * 256 + bytes[at + 3]!
    types.push(`${bytes[at]! * 256 + bytes[at + 1]!}/${length}`)
    at += 4 + length
  }
  return types.join(' ')
}
