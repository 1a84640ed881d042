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
import { freePort } from '../../scripts/bench/ports.ts'
import type { ProxyKind } from './scenario.ts'
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

/** What has to be there for each, the last one is started last. */
const programs: Readonly<Record<ProxyKind, readonly string[]>> = {
  nginx: ['/usr/sbin/nginx'],
  haproxy: ['/usr/sbin/haproxy'],
  caddy: ['/usr/bin/caddy'],
  // Speaks no TLS of its own: HAProxy does, on either side of it.
  varnish: ['/usr/sbin/haproxy', '/usr/sbin/varnishd'],
}

export const hasProxy = (kind: ProxyKind): boolean => programs[kind].every((program) => existsSync(program))

export async function startProxy(kind: ProxyKind, input: Input): Promise<ReverseProxy> {
  const { certificate, key } = await makeCertificate()
  await writeFile(join(input.folder, 'edge.pem'), `${certificate}\n${key}`, { mode: 0o600 })
  const children = await start(kind, input)
  await Promise.all(children.map((child) => answering(child, input.place)))
  return {
    pin: sha256(new Uint8Array(new X509Certificate(certificate).raw)),
    close: async () => {
      for (const child of children) {
        if (child.exitCode !== null || child.signalCode !== null) continue
        child.kill('SIGTERM')
        const late = setTimeout(() => child.kill('SIGKILL'), 2_000)
        await once(child, 'exit')
        clearTimeout(late)
      }
    },
  }
}

async function start(kind: ProxyKind, input: Input): Promise<ChildProcess[]> {
  const file = join(input.folder, `${kind}.conf`)
  const run = (program: string, args: readonly string[]): ChildProcess =>
    // What it remembers, and certificates of its own, stay in the folder.
    spawn(program, args, { stdio: 'ignore', env: { ...process.env, HOME: input.folder, XDG_DATA_HOME: input.folder } })
  const [program, second] = programs[kind]
  if (kind === 'nginx') {
    await writeFile(file, nginxText(input))
    return [run(program!, ['-c', file, '-e', join(input.folder, 'edge.log')])]
  }
  if (kind === 'haproxy') {
    await writeFile(file, haproxyText(input))
    return [run(program!, ['-f', file, '-db', '-q'])]
  }
  if (kind === 'caddy') {
    await writeFile(file, caddyText(input))
    return [run(program!, ['run', '--config', file, '--adapter', 'caddyfile'])]
  }
  const inside = {
    cache: { host: '127.0.0.1', port: await freePort() },
    back: { host: '127.0.0.1', port: await freePort() },
  }
  await writeFile(file, haproxyText({ ...input, directives: '' }, inside))
  const outer = run(program!, ['-f', file, '-db', '-q'])
  const vcl = join(input.folder, 'edge.vcl')
  await writeFile(vcl, varnishText(input, inside.back))
  const listen = `${inside.cache.host}:${inside.cache.port}`
  // Without its jail it can read what only its owner may.
  const args = ['-j', 'none', '-F', '-f', vcl, '-n', join(input.folder, 'varnish'), '-a', listen, '-s', 'malloc,16m']
  return [outer, run(second!, args)]
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

/** `inside`: what comes goes through a cache that speaks plain HTTP, and comes back for the way to the origin. */
function haproxyText({ folder, place, origin, directives }: Input, inside?: { cache: Place; back: Place }): string {
  const cache =
    inside === undefined
      ? ''
      : `backend cache
  server cache ${inside.cache.host}:${inside.cache.port}
frontend back
  bind ${inside.back.host}:${inside.back.port}
  default_backend origin
`
  return `defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend edge
  bind ${place.host}:${place.port} ssl crt ${folder}/edge.pem alpn http/1.1
  default_backend ${inside === undefined ? 'origin' : 'cache'}
${cache}backend origin
  ${directives}
  server origin ${origin.host}:${origin.port} ssl verify none
`
}

function caddyText({ folder, place, origin, directives }: Input): string {
  return `{
	admin off
	auto_https off
	skip_install_trust
}
https://:${place.port} {
	bind ${place.host}
	tls ${folder}/edge.pem ${folder}/edge.pem
	reverse_proxy https://${origin.host}:${origin.port} {
		header_up Host {hostport}
		transport http {
			tls_insecure_skip_verify
		}
		${directives}
	}
}
`
}

/** Varnish's own rules are what makes it a cache: two minutes for whatever does not forbid it, and passing on what sets cookies. */
function varnishText({ directives }: Input, back: Place): string {
  return `vcl 4.1;
backend origin { .host = "${back.host}"; .port = "${back.port}"; }
${directives}
`
}
