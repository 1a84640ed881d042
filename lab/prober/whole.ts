/** Where an HTTP/1.1 answer ends, for a clock that stops with its last octet. */

const HEAD_END = '\r\n\r\n'

/**
 * Whether `received` holds one whole answer: its head and what RFC 9112, section 6, says follows. One that ends with its
 * connection has no end that could be seen, so it throws; as does one whose chunks are none.
 */
export function isWhole(received: Uint8Array): boolean {
  const text = Buffer.from(received.buffer, received.byteOffset, received.length)
  const end = text.indexOf(HEAD_END)
  if (end < 0) return false
  const head = text.toString('latin1', 0, end)
  if (/\r\ntransfer-encoding:[ \t]*chunked[ \t]*(\r\n|$)/i.test(head)) return hasLastChunk(text, end + HEAD_END.length)
  const length = /\r\ncontent-length:[ \t]*(\d+)[ \t]*(\r\n|$)/i.exec(head)?.[1]
  if (length === undefined) throw new Error(`an answer without its length: ${head.slice(0, 200)}`)
  return text.length >= end + HEAD_END.length + Number(length)
}

/** Chunks one after another, whatever is in them, up to that of length 0 and the empty line behind its trailers. */
function hasLastChunk(text: Buffer, from: number): boolean {
  for (let at = from; ; ) {
    const line = text.indexOf('\r\n', at)
    if (line < 0) return false
    const size = /^([0-9a-f]{1,8})[ \t]*(;|$)/i.exec(text.toString('latin1', at, line))?.[1]
    if (size === undefined) throw new Error(`a chunk without its length: ${text.toString('latin1', at, at + 50)}`)
    const length = Number.parseInt(size, 16)
    // The line's own end is the first half of the empty line where no trailers follow.
    if (length === 0) return text.indexOf(HEAD_END, line) >= 0
    const end = line + 2 + length
    if (text.length < end + 2) return false
    if (text.toString('latin1', end, end + 2) !== '\r\n') throw new Error('a chunk that is longer than it says')
    at = end + 2
  }
}
