/** What the generated system files are made of: the configuration, and where things are. Pure. */
import { resolve } from 'node:path'
import type { CompiledTemplate } from '#engine/compile.ts'
import { SottoError } from '#protocol/errors.ts'
import type { GatewayConfig, Website } from '../config.ts'
import { type Route, routesOf } from './routes.ts'

/** Folder of the program, where `scripts/` is. */
export const PROGRAM: string = resolve(import.meta.dirname, '../..')
export const SERVICE = 'sotto-gateway'
/** User the gateway runs as. */
export const SERVICE_USER = 'sotto'
/** Named location of nginx, mark for Caddy: "answer as the website does". */
export const SITE_MARK = '@site'
/** Made by systemd when the gateway starts, gone when it stops. */
export const SOCKET_PATH = '/run/sotto/gateway.sock'

/** The group of the web server in front, whose members may enter the socket's folder. */
export const frontGroups: Readonly<Record<FrontKind, string>> = {
  nginx: 'www-data',
  caddy: 'caddy',
  none: SERVICE_USER,
}

export type FrontKind = 'nginx' | 'caddy' | 'none'

/** Seconds a web server waits beyond the longest hold. */
const PATIENCE_S = 25

export interface TlsPaths {
  readonly certificate: string
  readonly key: string
}

export interface Plan {
  readonly kind: FrontKind
  readonly domain: string
  readonly port: number
  /** The gateway's socket; undefined where it listens on TCP itself. */
  readonly socket: string | undefined
  /** What the web server in front serves. */
  readonly site: Website
  /** Certificate the operator has named; undefined where the usual one is used. */
  readonly tls: TlsPaths | undefined
  /** The gateway gets its certificate itself, and answers on port 80 for that. */
  readonly acme: boolean
  readonly routes: readonly Route[]
  /** Seconds until a web server gives up on a held exchange. */
  readonly patienceS: number
  /** Absolute paths: the state folder, and the folder of the program. */
  readonly state: string
  readonly program: string
}

/** @throws SottoError E_CONFIG where the configuration names no front to write files for */
export function planOf(
  config: GatewayConfig,
  templates: readonly CompiledTemplate[],
  places: { readonly state: string; readonly program: string },
): Plan {
  const { front, listen, decoy, domain, port } = config
  const site = front?.site ?? (decoy.kind === 'accel' ? undefined : decoy)
  if (front?.kind === undefined || site === undefined)
    throw new SottoError('E_CONFIG', 'front.kind is missing: nginx, caddy or none')
  return {
    ...{ kind: front.kind, domain, port },
    socket: listen.kind === 'unix' ? listen.path : undefined,
    site,
    tls:
      listen.kind === 'https'
        ? { certificate: listen.certificate, key: listen.key }
        : front.certificate !== undefined && front.key !== undefined
          ? { certificate: front.certificate, key: front.key }
          : undefined,
    acme: config.acme !== undefined,
    routes: routesOf(templates),
    patienceS: Math.ceil(config.holdMs / 1000) + PATIENCE_S,
    ...places,
  }
}
