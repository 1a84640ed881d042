/**
 * Somebody who reads a site through a peer: one connection with real TLS inside, four requests with pauses. Lines of JSON:
 *     {id, run: 'visit', port, socks?: {user, port}}     -> {id}
 */
import { connect, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { connect as tlsConnect } from 'node:tls'
import { SocksClient } from 'socks'

interface Command {
  readonly id: number
  /** Local end of the tunnel, or its SOCKS server. */
  readonly port: number
  /** Where the tunnel is told by SOCKS where to go. */
  readonly socks?: { readonly user: string; readonly host: string; readonly port: number }
}

const LATE_MS = 8_000

async function open({ port, socks }: Command): Promise<Socket> {
  if (socks === undefined) {
    const socket = connect(port, '127.0.0.1')
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject))
    return socket
  }
  const { socket } = await SocksClient.createConnection({
    proxy: { host: '127.0.0.1', port, type: 5, userId: socks.user, password: '\0' },
    command: 'connect',
    destination: { host: socks.host, port: socks.port },
    timeout: LATE_MS,
  })
  return socket
}

async function visit(command: Command): Promise<void> {
  const socket = await open(command)
  const late = setTimeout(() => socket.destroy(new Error('nothing comes through')), LATE_MS)
  try {
    const inner = tlsConnect({ socket, servername: 'inner.example', rejectUnauthorized: false })
    await new Promise((resolve, reject) => {
      inner.once('secureConnect', resolve)
      inner.once('error', reject)
      socket.once('error', reject)
    })
    for (let i = 0; i < 4; i++) {
      await get(inner)
      await new Promise((resolve) => setTimeout(resolve, 100 + Math.random() * 300))
    }
    inner.destroy()
  } finally {
    clearTimeout(late)
    socket.destroy()
  }
}

/** By hand, on the one connection. */
function get(inner: Socket): Promise<void> {
  inner.write(`GET /${Math.random()} HTTP/1.1\r\nHost: inner.example\r\nAccept: */*\r\n\r\n`)
  let seen = Buffer.alloc(0)
  return new Promise((resolve, reject) => {
    const more = (piece: Buffer): void => {
      seen = Buffer.concat([seen, piece])
      const head = seen.indexOf('\r\n\r\n')
      const length = /content-length: (\d+)/i.exec(seen.toString('latin1', 0, Math.max(head, 0)))?.[1]
      if (length === undefined || seen.length < head + 4 + Number(length)) return
      inner.off('data', more).off('close', failed)
      resolve()
    }
    const failed = (): void => reject(new Error('the connection ended'))
    inner.on('data', more).once('close', failed)
  })
}

console.log(JSON.stringify({ ready: true }))
for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line) as Command
  visit(command).then(
    () => console.log(JSON.stringify({ id: command.id })),
    (error: Error) => console.log(JSON.stringify({ id: command.id, error: error.message })),
  )
}
process.exit()
