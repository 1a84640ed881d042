/**
 * The site under watch: Debian's nginx with TLS and HTTP/2 in the site's namespace; behind it a gateway of the product and,
 * where that does not recognise somebody, the site's own application. Genuine visitors and members come to the same doors.
 */
import { execFileSync, spawn } from 'node:child_process'
import { createHash, X509Certificate } from 'node:crypto'
import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { generate } from 'selfsigned'
import type { CompiledTemplate } from '#engine/compile.ts'
import { encodeInvite, parseInvite } from '#protocol/invite.ts'
import type { Owner } from '#test/helpers/command.ts'
import { gatewayText, mainText, NGINX, websiteText } from '#test/helpers/front-nginx.ts'
import type { Program } from '../../../scripts/bench/processes.ts'
import { start, startOther } from '../../../scripts/bench/processes.ts'
import { gatewayMain, run, runJson } from '../../../scripts/demo/commands.ts'
import { gatewayFlags } from '../../../scripts/node-flags.ts'
import type { Network } from './network.ts'
import { inside, SERVER } from './network.ts'

/** The two websites, by what follows the first label of their hosts; one is held out where attackers are trained. */
export const SITES = ['ropewalk.example', 'orchards.example'] as const
export type SiteName = (typeof SITES)[number]

export interface Site {
  /** SHA-256 of the certificate, and of its public key as browsers count it. */
  readonly pin: Uint8Array
  readonly spki: string
  /** File with the certificate, PEM. */
  readonly certificate: string
  /** A link for one new member who shall reach the gateway as this host. */
  invite(host: string, template: string): Promise<string>
  /** The site's own application. */
  readonly application: Program
}

export async function openSite(
  owner: Owner,
  input: { readonly network: Network; readonly folder: string; readonly templates: readonly CompiledTemplate[] },
): Promise<Site> {
  const { network, folder, templates } = input
  const { pin, spki, certificate } = await certify(folder)
  const [gateway, application] = [join(folder, 'gateway.sock'), join(folder, 'application.sock')]
  const program = start(join(import.meta.dirname, 'application.ts'), [application])
  owner.teardown(() => program.end())
  await program.next()
  const state = await startGateway(owner, folder, gateway, templates)
  await startFront(owner, network, folder, { gateway, application })
  const links = new Links(state)
  return {
    ...{ pin, spki, certificate, application: program },
    invite: async (host, template) => {
      const invite = parseInvite(await links.next(), Date.now())
      const [way] = invite.gateways
      return encodeInvite({
        ...invite,
        template,
        gateways: [{ ...way!, host, port: 443, addresses: [SERVER], tls: pin }],
      })
    },
  }
}

/** One certificate for all hosts of both sites, named in the invites by its hash. */
async function certify(folder: string): Promise<Pick<Site, 'pin' | 'spki' | 'certificate'>> {
  const altNames = SITES.map((site) => ({ type: 2, value: `*.${site}` }) as const)
  const made = await generate([{ name: 'commonName', value: SITES[0] }], {
    ...{ keyType: 'ec', curve: 'P-256' },
    notAfterDate: new Date(Date.now() + 90 * 86_400_000),
    extensions: [{ name: 'subjectAltName', altNames }],
  })
  const certificate = join(folder, 'certificate.pem')
  writeFileSync(certificate, made.cert)
  writeFileSync(join(folder, 'key.pem'), made.private, { mode: 0o600 })
  const parsed = new X509Certificate(made.cert)
  const key = parsed.publicKey.export({ type: 'spki', format: 'der' })
  return {
    pin: new Uint8Array(createHash('sha256').update(parsed.raw).digest()),
    spki: createHash('sha256').update(key).digest('base64'),
    certificate,
  }
}

async function startGateway(
  owner: Owner,
  folder: string,
  socket: string,
  templates: readonly CompiledTemplate[],
): Promise<string> {
  const state = join(folder, 'gateway')
  const where = ['--listen', `unix:${socket}`, '--port', '443', '--address', SERVER, '--decoy', '@decoy']
  const look = ['--template', ...templates.map(({ id }) => id)]
  await run(gatewayMain, ['gateway', 'init', '--state', state, '--domain', SITES[0], ...where, ...look])
  const program = startOther(
    process.execPath,
    [...gatewayFlags, gatewayMain, 'gateway', 'run', '--state', state],
    ['ignore', 'ignore', 'ignore'],
  )
  owner.teardown(() => program.end())
  await appears(socket)
  return state
}

/** Waits for a file that a program makes. */
async function appears(file: string): Promise<void> {
  for (let tries = 0; !existsSync(file); tries++) {
    if (tries > 600) throw new Error(`${file} does not appear`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** Folder with the files of a site, the script of its room in its page. */
function publish(site: SiteName, folder: string): string {
  const sites = join(import.meta.dirname, 'sites')
  const place = join(folder, site)
  cpSync(join(sites, site), place, { recursive: true })
  const page = readFileSync(join(place, 'index.html'), 'utf8')
  const script = readFileSync(join(sites, 'room.js'), 'utf8')
  writeFileSync(
    join(place, 'index.html'),
    page.replace(' src="room.js">', () => `>\n${script}`),
  )
  return place
}

async function startFront(
  owner: Owner,
  network: Network,
  folder: string,
  sockets: { readonly gateway: string; readonly application: string },
): Promise<void> {
  const servers = SITES.map(
    (site) => `
  server {
    listen ${SERVER}:443 ssl http2;
    server_name *.${site};
    ssl_certificate ${folder}/certificate.pem;
    ssl_certificate_key ${folder}/key.pem;
    ssl_protocols TLSv1.2 TLSv1.3;
    keepalive_timeout 75s;
${websiteText(publish(site, folder), '@application')}
    location @application {
      proxy_pass http://unix:${sockets.application};
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Connection "";
      proxy_buffering off;
      proxy_read_timeout 75s;
    }
    location / {
      try_files /no-such-file @decoy;
    }
${gatewayText(sockets.gateway)}
  }`,
  )
  const text = mainText(folder, servers.join('\n')).replace('worker_connections 1024', 'worker_connections 4096')
  const file = join(folder, 'nginx.conf')
  writeFileSync(file, text)
  const log = join(folder, 'error.log')
  execFileSync(...inside(network.server, NGINX, ['-t', '-q', '-c', file, '-e', log]), { stdio: 'pipe' })
  const [command, args] = inside(network.server, NGINX, ['-c', file, '-e', log])
  const child = spawn(command, args, { stdio: 'ignore' })
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  owner.teardown(async () => {
    child.kill('SIGTERM')
    await ended
  })
  await appears(join(folder, 'nginx.pid'))
  if (child.exitCode !== null) throw new Error(readFileSync(log, 'utf8'))
}

/** Invites, made many at a time: each time is a process. */
class Links {
  private readonly state: string
  private links: string[] = []
  private making: Promise<void> | undefined

  constructor(state: string) {
    this.state = state
  }

  async next(): Promise<string> {
    while (this.links.length === 0) {
      this.making ??= this.make()
      await this.making
      this.making = undefined
    }
    return this.links.pop()!
  }

  private async make(): Promise<void> {
    const made = await runJson(gatewayMain, ['invite', 'create', '--state', this.state, '--count', '64'])
    this.links = (made as { readonly link: string }[]).map(({ link }) => link)
  }
}
