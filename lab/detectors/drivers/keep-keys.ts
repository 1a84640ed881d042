/**
 * The secrets of all TLS connections of this process, written to a file some time later. Node's own `--tls-keylog` writes each
 * line at once, in the middle of the handshake: a millisecond, which would be seen in the time that a client takes for it.
 */
import { appendFile } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import tls from 'node:tls'

/** Milliseconds; far below those that a session is watched. */
const LATER_MS = 500

export function keepKeys(file: string): void {
  let lines: Buffer[] = []
  const write = (): void => {
    const all = Buffer.concat(lines)
    lines = []
    appendFile(file, all, { mode: 0o600 }).catch((error: Error) => {
      throw error
    })
  }
  const { connect } = tls
  const keeping = (...args: Parameters<typeof connect>): tls.TLSSocket => {
    const socket = connect(...args)
    socket.on('keylog', (line: Buffer) => {
      if (lines.length === 0) setTimeout(write, LATER_MS)
      lines.push(line)
    })
    return socket
  }
  tls.connect = keeping as typeof connect
  syncBuiltinESMExports()
}
