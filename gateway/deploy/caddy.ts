/**
 * Caddy in front. Two ways to hand back what the gateway does not know, because Caddy has read a request's body once it
 * has asked the gateway, and has it no more for whoever answers instead:
 *
 * - a static website needs no body. The gateway marks its answer, and Caddy goes on with the rest of the website's own
 *   route as if it had not asked.
 * - an application gets it from the gateway itself, which passes the request on, body and all, and the answer back.
 */
import { basename, dirname } from 'node:path'
import { type Plan, SITE_MARK } from './plan.ts'
import type { Route } from './routes.ts'

export const CADDY_SNIPPET = 'sotto-gateway.caddy'

const tabs = (depth: number, lines: readonly string[]): string[] =>
  lines.map((line) => (line === '' ? '' : `${'\t'.repeat(depth)}${line}`))

/** Without the gateway (stopped, restarting) its socket is not there, and the website answers alone. */
function matcher({ methods, paths }: Route, name: string, socket: string, bodies: boolean): string[] {
  const whole = paths.length === 1 ? paths[0]! : `^(?:${paths.map((path) => path.slice(1, -1)).join('|')})$`
  return [
    `@${name} {`,
    ...tabs(1, [
      `method ${methods.join(' ')}`,
      `path_regexp ${whole}`,
      '# What no member sends is the website’s at once.',
      'not header Expect *',
      // A static website looks at no body, so it has nothing against one in odd chunks; whoever passes it on does.
      ...(bodies || methods.includes('GET') ? [] : ['header Content-Length *']),
      'file {',
      `\troot ${dirname(socket)}`,
      `\ttry_files ${basename(socket)}`,
      '}',
    ]),
    '}',
  ]
}

function proxy({ socket, site, patienceS }: Plan, name: string): string[] {
  const back = [`@back header X-Accel-Redirect ${SITE_MARK}`, 'handle_response @back {', '\tvars sotto site', '}']
  return [
    `reverse_proxy @${name} unix/${socket} {`,
    ...tabs(1, [
      'header_down -X-Accel-Redirect',
      'transport http {',
      '\tdial_timeout 5s',
      `\tresponse_header_timeout ${patienceS}s`,
      '}',
      ...(site.kind === 'folder' ? back : []),
    ]),
    '}',
  ]
}

/** The snippet `sotto`, for the top of the Caddyfile. */
export function caddySnippet(plan: Plan): string {
  const routes = plan.routes.flatMap((route, at) => {
    const name = `sotto${at}`
    return ['', ...matcher(route, name, plan.socket!, plan.site.kind === 'upstream'), ...proxy(plan, name)]
  })
  return [
    '# Written by `sotto gateway init` from the templates in use: run it again when they change.',
    '# Import this file at the top of the Caddyfile, and write in the website’s block:',
    '#     route {',
    '#         import sotto',
    '#         ... the website ...',
    '#     }',
    '(sotto) {',
    ...tabs(1, routes.slice(1)),
    '}',
    '',
  ].join('\n')
}

/** A whole website with the snippet in it. Caddy gets and renews the certificate, where none is named. */
export function caddySite({ domain, port, site, tls }: Plan): string {
  const own = tls === undefined ? [] : [`tls ${quoted(tls.certificate)} ${quoted(tls.key)}`, '']
  const page = [
    'handle_errors {',
    ...tabs(1, ['@missing expression `{err.status_code} == 404`', 'rewrite @missing /404.html', 'file_server']),
    '}',
  ]
  const website = site.kind === 'folder' ? ['file_server'] : [`reverse_proxy ${site.url}`]
  return [
    '# Written by `sotto gateway init`: the website, with the gateway behind it.',
    `${domain}${port === 443 ? '' : `:${port}`} {`,
    ...tabs(1, [
      ...own,
      ...(site.kind === 'folder' ? [`root * ${quoted(site.folder)}`] : []),
      'route {',
      ...tabs(1, ['import sotto', ...website]),
      '}',
      ...(site.kind === 'folder' ? page : []),
    ]),
    '}',
    '',
  ].join('\n')
}

const quoted = (path: string): string => `"${path.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
