/** How each peer is set up: a client in the members' namespace, a server in the site's, something real behind it. */
import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Owner } from '#test/helpers/command.ts'
import { makeCertificate } from '../../../scripts/bench/certificate.ts'
import type { Network } from '../ground/network.ts'
import { inside, SERVER } from '../ground/network.ts'

export interface PeerInput {
  readonly owner: Owner
  readonly network: Network
  /** Of this peer's own. */
  readonly folder: string
  /** Port of what shall be reached, at the server's end. */
  readonly target: number
}

export interface Way {
  /** Port that the wire sees. */
  readonly port: number
  readonly entry: object
}

export interface Peer {
  readonly name: string
  /** Debian's package, where it is not there. */
  readonly missing: string | undefined
  start(input: PeerInput): Promise<Way>
}

const PORT = 8444
const ENTRY = 9050
const ID = '2b6f0f6e-5a0c-4a6e-9d0b-3f3a1c0e7a11'

const lacks = (command: string, name: string): string | undefined =>
  spawnSync('which', [command]).status === 0 ? undefined : name

let used = 0

export const installedPeers: readonly Peer[] = [
  { name: 'v2ray VLESS, WebSocket, TLS', missing: lacks('v2ray', 'v2ray'), start: (input) => v2ray(input, 'vless') },
  { name: 'v2ray VMess, WebSocket, TLS', missing: lacks('v2ray', 'v2ray'), start: (input) => v2ray(input, 'vmess') },
  { name: 'shadowsocks', missing: lacks('ss-server', 'shadowsocks-libev'), start: shadowsocks },
  { name: 'obfs4', missing: lacks('obfs4proxy', 'obfs4proxy'), start: obfs4 },
  { name: 'httptunnel', missing: lacks('hts', 'httptunnel'), start: httptunnel },
]

/** Each its own ports: the ones before may still be there. */
function ports(): { readonly port: number; readonly entry: number } {
  used++
  return { port: PORT + used, entry: ENTRY + used }
}

function run(
  { owner }: PeerInput,
  namespace: string,
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): void {
  const [ip, argv] = inside(namespace, command, args)
  const child = spawn(ip, argv, { stdio: ['ignore', 'ignore', 'ignore'], env: { ...process.env, ...env } })
  child.on('error', () => {})
  owner.teardown(() => void child.kill('SIGKILL'))
}

/** Resolves once something listens on the port in the namespace. */
async function listens(namespace: string, port: number): Promise<void> {
  const [command, args] = inside(namespace, 'ss', ['-Hltn', `sport = :${port}`])
  for (let tries = 0; spawnSync(command, args).stdout.length === 0; tries++) {
    if (tries > 100) throw new Error(`nothing listens on port ${port}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

// ---- v2ray --------------------------------------------------------------------------------------------------------------

async function v2ray(input: PeerInput, protocol: 'vless' | 'vmess'): Promise<Way> {
  const { network, folder, target } = input
  const { port, entry } = ports()
  mkdirSync(folder, { mode: 0o700 })
  const { certificate, key } = await makeCertificate()
  writeFileSync(join(folder, 'cert.pem'), certificate)
  writeFileSync(join(folder, 'key.pem'), key, { mode: 0o600 })
  const files = [{ certificateFile: join(folder, 'cert.pem'), keyFile: join(folder, 'key.pem') }]
  const stream = (tls: object): object => ({
    ...{ network: 'ws', security: 'tls', wsSettings: { path: '/chat' } },
    tlsSettings: { serverName: 's9999.ropewalk.example', ...tls },
  })
  const user = protocol === 'vless' ? { id: ID, encryption: 'none' } : { id: ID, security: 'auto' }
  const server = {
    log: { loglevel: 'none' },
    inbounds: [
      {
        ...{ listen: SERVER, port, protocol, streamSettings: stream({ certificates: files }) },
        settings: protocol === 'vless' ? { clients: [{ id: ID }], decryption: 'none' } : { clients: [{ id: ID }] },
      },
    ],
    outbounds: [{ protocol: 'freedom' }],
  }
  const client = {
    log: { loglevel: 'none' },
    inbounds: [
      {
        ...{ listen: '127.0.0.1', port: entry, protocol: 'dokodemo-door' },
        settings: { address: SERVER, port: target, network: 'tcp' },
      },
    ],
    outbounds: [
      {
        ...{ protocol, streamSettings: stream({ allowInsecure: true }) },
        settings: { vnext: [{ address: SERVER, port, users: [user] }] },
      },
    ],
  }
  for (const [name, namespace, config] of [
    ['server', network.server, server],
    ['client', network.clients, client],
  ] as const) {
    const file = join(folder, `${name}.json`)
    writeFileSync(file, JSON.stringify(config), { mode: 0o600 })
    run(input, namespace, 'v2ray', ['-config', file])
  }
  await listens(network.server, port)
  await listens(network.clients, entry)
  return { port, entry: { port: entry } }
}

// ---- shadowsocks --------------------------------------------------------------------------------------------------------

async function shadowsocks(input: PeerInput): Promise<Way> {
  const { network, target } = input
  const { port, entry } = ports()
  const common = ['-k', 'a password of the lab', '-m', 'chacha20-ietf-poly1305']
  run(input, network.server, 'ss-server', ['-s', SERVER, '-p', String(port), ...common])
  const way = ['-s', SERVER, '-p', String(port), '-b', '127.0.0.1', '-l', String(entry), '-L', `${SERVER}:${target}`]
  run(input, network.clients, 'ss-tunnel', [...way, ...common])
  await listens(network.server, port)
  await listens(network.clients, entry)
  return { port, entry: { port: entry } }
}

// ---- obfs4 --------------------------------------------------------------------------------------------------------------

async function obfs4(input: PeerInput): Promise<Way> {
  const { network, folder, target } = input
  const { port } = ports()
  const state = (name: string): Record<string, string> => {
    mkdirSync(join(folder, name), { recursive: true, mode: 0o700 })
    return {
      TOR_PT_MANAGED_TRANSPORT_VER: '1',
      TOR_PT_STATE_LOCATION: join(folder, name),
      TOR_PT_EXIT_ON_STDIN_CLOSE: '0',
    }
  }
  run(input, network.server, 'obfs4proxy', [], {
    ...state('server'),
    ...{ TOR_PT_SERVER_TRANSPORTS: 'obfs4', TOR_PT_SERVER_BINDADDR: `obfs4-${SERVER}:${port}` },
    TOR_PT_ORPORT: `${SERVER}:${target}`,
  })
  await listens(network.server, port)
  const bridge = readFileSync(join(folder, 'server', 'obfs4_bridgeline.txt'), 'latin1')
  const cert = /cert=\S+/.exec(bridge)![0]
  // The client chooses its port by itself, and says so on a line that it prints.
  const [command, args] = inside(network.clients, 'obfs4proxy', [])
  const env = { ...process.env, ...state('client'), TOR_PT_CLIENT_TRANSPORTS: 'obfs4' }
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'ignore'], env })
  input.owner.teardown(() => void child.kill('SIGKILL'))
  const local = await new Promise<number>((resolve, reject) => {
    let text = ''
    child.once('close', () => reject(new Error('obfs4proxy ended')))
    child.stdout.on('data', (piece: Buffer) => {
      text += piece.toString('latin1')
      const found = /CMETHOD obfs4 socks5 127\.0\.0\.1:(\d+)/.exec(text)?.[1]
      if (found !== undefined) resolve(Number(found))
    })
  })
  return { port, entry: { port: local, socks: { user: `${cert};iat-mode=0`, host: SERVER, port } } }
}

// ---- httptunnel ---------------------------------------------------------------------------------------------------------

async function httptunnel(input: PeerInput): Promise<Way> {
  const { network, target } = input
  const { port, entry } = ports()
  run(input, network.server, 'hts', ['-S', '-F', `${SERVER}:${target}`, String(port)])
  run(input, network.clients, 'htc', ['-S', '-F', String(entry), `${SERVER}:${port}`])
  await listens(network.server, port)
  await listens(network.clients, entry)
  return { port, entry: { port: entry } }
}
