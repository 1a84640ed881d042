/** Turns the options of `gateway init` into the text of gateway.yaml. Checks how they go together; touches no file. */
import { resolve } from 'node:path'
import { SottoError } from '#protocol/errors.ts'
import { InviteLimits } from '#protocol/invite.ts'
import { DEFAULT_DIRECTORY } from '../acme/order.ts'
import { SITE_MARK, SOCKET_PATH } from '../deploy/plan.ts'
import { configText } from './config-text.ts'
import type { InitOptions } from './init.ts'
import { type DecoyOption, type ListenOption, parseDecoy, parseListen } from './options.ts'

const DEFAULT_TEMPLATES = ['support-chat'] as const

const misused = (what: string): SottoError => new SottoError('E_USAGE', what)

/** @throws SottoError E_USAGE */
export function answersOf(options: InitOptions & { readonly domain: string }): string {
  const behind = options.front === 'nginx' || options.front === 'caddy'
  const listen = parseListen(options.listen ?? (behind ? `unix:${SOCKET_PATH}` : 'https://0.0.0.0:443'))
  if (behind && !('unix' in listen))
    throw misused('behind nginx and caddy the gateway listens on a unix socket: --listen unix:path')
  if (options.front === 'none' && !('https' in listen))
    throw misused('--front none listens itself: --listen https://host:port')
  requireOneSite(options, behind)
  return configText({
    name: options.name ?? options.domain.slice(0, InviteLimits.nameCharacters),
    domain: options.domain,
    port: options.port ?? publicPort(listen),
    addresses: options.address,
    listen,
    tls: tlsOf(options, listen),
    acme: acmeOf(options),
    decoy: decoyOf(options),
    front: frontOf(options, listen),
    templates: options.template ?? DEFAULT_TEMPLATES,
    node: options.node === true,
  })
}

function requireOneSite({ site, upstream, decoy }: InitOptions, behind: boolean): void {
  if ([site, upstream, decoy].filter((choice) => choice !== undefined).length > 1)
    throw misused('--site, --upstream and --decoy exclude each other')
  if (behind && site === undefined && upstream === undefined)
    throw misused('--front needs the website it serves: --site folder, or --upstream http://host:port')
  if (upstream !== undefined && !/^https?:\/\//.test(upstream)) throw misused('--upstream takes http://host:port')
}

/** Behind a web server the public port is that server's. */
const publicPort = (listen: ListenOption): number =>
  'https' in listen ? Number(/:([0-9]+)$/.exec(listen.https)?.[1]) : 443

function tlsOf(
  { certificate, key, selfSigned, acme }: InitOptions,
  listen: ListenOption,
): { certificate: string; key: string } | undefined {
  const given = certificate !== undefined || key !== undefined
  if (!('https' in listen)) {
    if (selfSigned || acme)
      throw misused(
        '--self-signed and --acme are for https; unix and http need neither certificate nor key of their own',
      )
    return undefined
  }
  const ways = [given, selfSigned, acme].filter((way) => way).length
  if (ways !== 1 || (given && (certificate === undefined || key === undefined)))
    throw misused('https needs one of --certificate with --key, --acme, and --self-signed')
  return given
    ? { certificate: resolve(certificate!), key: resolve(key!) }
    : { certificate: 'certificate.pem', key: 'tls.key' }
}

/** The block of gateway.yaml; undefined where the certificate comes from somewhere else. */
function acmeOf({ acme, email, acmeDirectory }: InitOptions): Record<string, string> | undefined {
  if (!acme && (email !== undefined || acmeDirectory !== undefined))
    throw misused('--email and --acme-directory go with --acme')
  if (!acme) return undefined
  return {
    directory: acmeDirectory ?? DEFAULT_DIRECTORY,
    ...(email === undefined ? {} : { email }),
    http: '0.0.0.0:80',
  }
}

function decoyOf({ front, site, upstream, decoy }: InitOptions): DecoyOption {
  // nginx keeps a body for whoever answers; Caddy does not, so there the gateway asks an application itself.
  if (front === 'nginx' || (front === 'caddy' && upstream === undefined)) return { accel: SITE_MARK }
  const text = upstream ?? decoy
  if (text === undefined) return { folder: site === undefined ? 'site' : resolve(site) }
  const parsed = parseDecoy(text)
  return 'folder' in parsed ? { folder: resolve(parsed.folder) } : parsed
}

function frontOf(
  { front, site, upstream, certificate, key }: InitOptions,
  listen: ListenOption,
): Record<string, string> {
  const fields: Record<string, string> = front === undefined ? {} : { kind: front }
  if (front === 'nginx' || front === 'caddy') {
    if (site === undefined) fields.upstream = upstream!
    else fields.folder = resolve(site)
  }
  if (!('https' in listen)) {
    if (certificate !== undefined) fields.certificate = resolve(certificate)
    if (key !== undefined) fields.key = resolve(key)
  }
  return fields
}
