/** Ordinary reverse proxies in front of the gateway, as the edges of hosting companies are. */
import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { sha256 } from '#protocol/crypto/hash.ts'
import { makeCertificate } from '../../scripts/bench/certificate.ts'
import type { Place } from './tcp-box.ts'

export interface ReverseProxy {
  readonly pin: Uint8Array
  close(): Promise<void>
}

interface Input {
  readonly folder: string
  readonly place: Place
  readonly origin: Place
  readonly directives: string
}

const programs = { nginx: '/usr/sbin/nginx', haproxy: '/usr/sbin/haproxy' } as const

export const hasProxy = (kind: keyof typeof programs): boolean => existsSync(programs[kind])

export async function startProxy(kind: keyof typeof programs, input: Input): Promise<ReverseProxy> {
  const { certificate, key } = await makeCertificate()
  const file = join(input.folder, `${kind}.conf`)
  await writeFile(join(input.folder, 'edge.pem'), `${certificate}\n${key}`, { mode: 0o600 })
  await writeFile(file, kind === 'nginx' ? nginxText(input) : haproxyText(input))
  const args = kind === 'nginx' ? ['-c', file, '-e', join(input.folder, 'edge.log')] : ['-f', file, '-db', '-q']
  const child = spawn(programs[kind], args, { stdio: 'ignore' })
  await answering(child, input.place)
  return {
    pin: sha256(new Uint8Array(new X509Certificate(certificate).raw)),
    close: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGTERM')
      await once(child, 'exit')
    },
  }
}

async function answering(child: ChildProcess, place: Place): Promise<void> {
  for (;;) {
    if (child.exitCode !== null) throw new Error('the reverse proxy does not start')
    const there = await new Promise<boolean>((resolve) => {
      const socket = connect(place)
      socket.once('connect', () => {
        socket.destroy()
        resolve(true)
      })
      socket.once('error', () => resolve(false))
    })
    if (there) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

function nginxText({ folder, place, origin, directives }: Input): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `  ${name}_temp_path ${folder}/${name};`)
    .join('\n')
  return `daemon off;
master_process off;
pid ${folder}/edge.pid;
error_log ${folder}/edge.log;
events { worker_connections 256; }
http {
  access_log off;
${temporary}
  proxy_cache_path ${folder}/cache keys_zone=edge:1m;
  server {
    listen ${place.host}:${place.port} ssl;
    ssl_certificate ${folder}/edge.pem;
    ssl_certificate_key ${folder}/edge.pem;
    location / {
      proxy_pass https://${origin.host}:${origin.port};
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Connection "";
      ${directives}
    }
  }
}
`
}

function haproxyText({ folder, place, origin, directives }: Input): string {
  return `defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend edge
  bind ${place.host}:${place.port} ssl crt ${folder}/edge.pem alpn http/1.1
  default_backend origin
backend origin
  ${directives}
  server origin ${origin.host}:${origin.port} ssl verify none
`
}
