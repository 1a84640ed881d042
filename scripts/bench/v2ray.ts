/** Debian's v2ray as a peer to measure against: VLESS over WebSocket over TLS on loopback, both ends v2ray. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeCertificate } from './certificate.ts'
import { freePort, reachable } from './ports.ts'
import type { Program } from './processes.ts'
import { start, startOther } from './processes.ts'

const ID = '2b6f0f6e-5a0c-4a6e-9d0b-3f3a1c0e7a11'

export const v2rayInstalled = (): boolean => spawnSync('v2ray', ['-version'], { stdio: 'ignore' }).status === 0

export interface V2ray {
  measure(direction: 'up' | 'down', octets: number): Promise<number>
  end(): Promise<void>
}

export async function startV2ray(): Promise<V2ray> {
  const folder = mkdtempSync(join(tmpdir(), 'sotto-bench-'))
  const target = start(new URL('tcp-server.ts', import.meta.url).pathname, [])
  const { port: targetPort } = (await target.next()) as { port: number }
  const { certificate, key } = await makeCertificate()
  writeFileSync(join(folder, 'cert.pem'), certificate)
  writeFileSync(join(folder, 'key.pem'), key, { mode: 0o600 })
  const [serverPort, entryPort] = [await freePort(), await freePort()]
  const server = run(folder, 'server', serverConfig(folder, serverPort))
  const client = run(folder, 'client', clientConfig(serverPort, entryPort, targetPort))
  await reachable(serverPort)
  await reachable(entryPort)
  const meter = start(new URL('tcp-client.ts', import.meta.url).pathname, [String(entryPort)])
  const programs: Program[] = [meter, client, server, target]
  return {
    measure: async (direction, octets) => {
      meter.tell({ direction, octets })
      return ((await meter.next()) as { mbps: number }).mbps
    },
    end: async () => {
      for (const program of programs) await program.end()
      rmSync(folder, { recursive: true })
    },
  }
}

function run(folder: string, name: string, config: object): Program {
  const file = join(folder, `${name}.json`)
  writeFileSync(file, JSON.stringify(config))
  return startOther('v2ray', ['-config', file])
}

const stream = (security: object): object => ({
  network: 'ws',
  security: 'tls',
  tlsSettings: { serverName: 'localhost', ...security },
  wsSettings: { path: '/chat' },
})

function serverConfig(folder: string, port: number): object {
  const certificates = [{ certificateFile: join(folder, 'cert.pem'), keyFile: join(folder, 'key.pem') }]
  return {
    log: { loglevel: 'error' },
    inbounds: [
      {
        listen: '127.0.0.1',
        port,
        protocol: 'vless',
        settings: { clients: [{ id: ID }], decryption: 'none' },
        streamSettings: stream({ certificates }),
      },
    ],
    outbounds: [{ protocol: 'freedom' }],
  }
}

function clientConfig(serverPort: number, entryPort: number, targetPort: number): object {
  const vnext = [{ address: '127.0.0.1', port: serverPort, users: [{ id: ID, encryption: 'none' }] }]
  return {
    log: { loglevel: 'error' },
    inbounds: [
      {
        listen: '127.0.0.1',
        port: entryPort,
        protocol: 'dokodemo-door',
        settings: { address: '127.0.0.1', port: targetPort, network: 'tcp' },
      },
    ],
    outbounds: [{ protocol: 'vless', settings: { vnext }, streamSettings: stream({ allowInsecure: true }) }],
  }
}
