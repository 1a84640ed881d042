/** nginx in front of a gateway, as an operator configures it: it owns TLS and the website, the gateway answers its members. */
import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Owner } from './command.ts'

export const NGINX = '/usr/sbin/nginx'

export const hasNginx = (): boolean => existsSync(NGINX)

/** Paths that the templates use, as regular expressions of nginx's locations. */
export const templatePaths: readonly string[] = ['^/api/features/', '^/api/support/', '^/photos/']

/** What the templates send to them: method, a space, path. */
const templateRequests: readonly string[] = [
  '^GET /api/features/',
  '^POST /api/support/v1/',
  '^GET /photos/[a-z-]+/',
  '^POST /photos/(?:uploads|originals)$',
]

/**
 * The website, and nothing but the website. Every request ends in this named location: those that the gateway does not
 * know, too, since its decoy is `accel: "@decoy"`. `otherwise`: what answers where there is no file, such as the site's
 * own application.
 */
export function websiteText(root: string, otherwise = '=404'): string {
  return `
    root ${root};
    index index.html;
    error_page 404 /404.html;
    client_max_body_size 1m;

    location @decoy {
      try_files $uri $uri/index.html ${otherwise};
    }`
}

/**
 * What is added for the gateway. Without the gateway (stopped, restarting) the website answers as well. What no member
 * sends is the website's at once: `Expect`, which nginx answers before it asks anybody; a method that no template has at
 * that path, whose body nginx would read before it refuses it; and HTTP/1.0 without `Host`, which a gateway's HTTP parser
 * refuses in its own words. The website's own error page must follow then, too (`recursive_error_pages`). Bodies are read
 * as for any application (no `proxy_request_buffering off`): over HTTP/2 the window that nginx opens for a body tells, and
 * an application behind the website could not get a body again of which a part has gone to the gateway.
 */
export function gatewayText(socketPath: string): string {
  return `
    recursive_error_pages on;

    location ~ ${templatePaths.map((path) => `(?:${path})`).join('|')} {
      proxy_pass http://unix:${socketPath};
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Connection "";
      proxy_buffering off;
      proxy_read_timeout 75s;
      error_page 418 502 503 504 = @decoy;
      if ($http_expect) {
        return 418;
      }
      set $sotto_request "$request_method $uri";
      if ($sotto_request !~ "${templateRequests.map((request) => `(?:${request})`).join('|')}") {
        return 418;
      }
      if ($http_host = "") {
        return 418;
      }
    }`
}

export interface FrontPlace {
  readonly port: number
  /** Locations beside the website's. */
  readonly extra: string
}

export interface NginxInput {
  /** For its configuration, logs and temporary files. */
  readonly folder: string
  readonly root: string
  readonly certificate: string
  readonly key: string
  readonly fronts: readonly FrontPlace[]
}

/** A whole configuration around what stands in its `http` block. */
export function aroundServers(folder: string, http: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `  ${name}_temp_path ${folder}/${name};`)
    .join('\n')
  return `daemon off;
master_process off;
pid ${folder}/nginx.pid;
error_log ${folder}/error.log;
events { worker_connections 256; }
http {
  include /etc/nginx/mime.types;
  access_log off;
${temporary}
${http}
}
`
}

export function configurationText({ folder, root, certificate, key, fronts }: NginxInput): string {
  const servers = fronts.map(
    ({ port, extra }) => `
  server {
    listen 127.0.0.1:${port} ssl;
    server_name localhost;
    ssl_certificate ${certificate};
    ssl_certificate_key ${key};
${websiteText(root)}
    location / {
      try_files /no-such-file @decoy;
    }
${extra}
  }`,
  )
  return aroundServers(folder, servers.join('\n'))
}

/** Runs until its owner ends. */
export function startNginx(owner: Owner, input: NginxInput): Promise<void> {
  return runNginx(owner, input.folder, configurationText(input))
}

/** As `startNginx`, with a configuration of one's own. */
export async function runNginx(owner: Owner, folder: string, text: string): Promise<void> {
  const file = join(folder, 'nginx.conf')
  await writeFile(file, text)
  const child: ChildProcess = spawn(NGINX, ['-c', file, '-e', join(folder, 'error.log')], { stdio: 'ignore' })
  owner.teardown(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGQUIT')
    await once(child, 'exit')
  })
}
