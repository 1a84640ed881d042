/** nginx in front of a gateway, as an operator configures it: it owns TLS and the website, the gateway answers its members. */
import type { ChildProcess } from 'node:child_process'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { nginxLocations } from '#gateway/deploy/nginx.ts'
import { routesOf } from '#gateway/deploy/routes.ts'
import { compileBuiltins } from '../../camouflage-templates/builtin.ts'
import type { Owner } from './command.ts'

export const NGINX = '/usr/sbin/nginx'

export const hasNginx = (): boolean => existsSync(NGINX)

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
      recursive_error_pages on;
      try_files $uri $uri/index.html ${otherwise};
    }`
}

/** What is added for the gateway, as `gateway init` writes it, with `@decoy` for the named location. */
export function gatewayText(socketPath: string): string {
  const routes = routesOf(compileBuiltins())
  return nginxLocations({ routes, socket: socketPath, patienceS: 75, mark: '@decoy', bodies: true })
}

/** Runs until its owner ends; includes count from `folder`. */
export async function runNginx(owner: Owner, folder: string, text: string): Promise<void> {
  const file = join(folder, 'nginx.conf')
  await writeFile(file, text)
  const tried = spawnSync(NGINX, ['-t', '-c', file, '-e', join(folder, 'error.log')], { encoding: 'utf8' })
  if (tried.status !== 0) throw new Error(tried.stderr)
  const child: ChildProcess = spawn(NGINX, ['-c', file, '-e', join(folder, 'error.log')], { stdio: 'ignore' })
  owner.teardown(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    // One that has lost the signal between two events would wait for the next one for ever.
    const stuck = setTimeout(() => child.kill('SIGKILL'), 5_000)
    child.kill('SIGQUIT')
    await once(child, 'exit')
    clearTimeout(stuck)
  })
}

/** Everything around `servers`: one process in the foreground, with all its files in `folder`. */
export function mainText(folder: string, servers: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `  ${name}_temp_path ${folder}/${name};`)
    .join('\n')
  return `daemon off;
master_process off;
pid ${folder}/nginx.pid;
error_log ${folder}/error.log;
events { worker_connections 1024; }
http {
  include /etc/nginx/mime.types;
  access_log off;
${temporary}
${servers}
}
`
}
