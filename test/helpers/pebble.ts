/** Pebble: a certificate authority for tests, by those who make Let's Encrypt's, with a name server that knows one address. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort, reachable } from '../../scripts/bench/ports.ts'
import type { Owner } from './command.ts'
import { issueCertificate } from './test-ca.ts'

export const hasPebble = (): boolean => existsSync('/usr/bin/pebble') && existsSync('/usr/bin/pebble-challtestsrv')

export interface Pebble {
  readonly directory: string
  /** File: the root that vouches for the directory's own certificate. */
  readonly authority: string
}

/** `httpPort`: where it looks for proofs, in place of port 80. Every name leads to 127.0.0.1. */
export async function startPebble(t: Owner, folder: string, httpPort: number): Promise<Pebble> {
  const [port, management, names, control] = [await freePort(), await freePort(), await freePort(), await freePort()]
  const { certificate, key, authority } = await issueCertificate({ folder, domain: 'localhost' })
  const files = { config: join(folder, 'pebble.json'), authority: join(folder, 'authority.pem') }
  const listen = { listenAddress: `127.0.0.1:${port}`, managementListenAddress: `127.0.0.1:${management}` }
  const ports = { httpPort, tlsPort: 1 }
  await writeFile(files.config, JSON.stringify({ pebble: { ...listen, certificate, privateKey: key, ...ports } }))
  await writeFile(files.authority, authority)
  const off = ['http01', 'https01', 'tlsalpn01', 'defaultIPv6'].flatMap((name) => [`-${name}`, ''])
  const on = ['-dns01', `127.0.0.1:${names}`, '-management', `127.0.0.1:${control}`]
  run(t, 'pebble-challtestsrv', [...on, ...off])
  run(t, 'pebble', ['-config', files.config, '-strict', '-dnsserver', `127.0.0.1:${names}`])
  await reachable(names)
  await reachable(port)
  return { directory: `https://localhost:${port}/dir`, authority: files.authority }
}

function run(t: Owner, program: string, args: readonly string[]): void {
  // Without its sleeps between validations; it goes on refusing one nonce in twenty, as real ones may.
  const child = spawn(`/usr/bin/${program}`, args, { stdio: 'ignore', env: { PEBBLE_VA_NOSLEEP: '1' } })
  t.teardown(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  })
}
