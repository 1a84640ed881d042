/**
 * Caddy in front. Two ways to hand back what the gateway does not know, because Caddy has read a request's body once it
 * has asked the gateway, and has it no more for whoever answers instead:
 *
 * - a static website needs no body. The gateway marks its answer, and Caddy goes on with the rest of the website's own
 *   route as if it had not asked.
 * - an application gets it from the gateway itself, which passes the request on, body and all, and the answer back.
 */
import { type Plan, SITE_MARK } from './plan.ts'
import type { Route } from './routes.ts'

/** Loopback port of the stand-in that answers "website" for a gateway that is away. */
export const CADDY_AWAY_PORT = 8791

export const CADDY_SNIPPET = 'sotto-gateway.caddy'

const tabs = (depth: number, lines: readonly string[]): string[] =>
  lines.map((line) => (line === '' ? '' : `${'\t'.repeat(depth)}${line}`))

function matcher(route: Route, name: string): string[] {
  const paths =
    route.paths.length === 1 ? route.paths[0]! : `^(?:${route.paths.map((path) => path.slice(1, -1)).join('|')})$`
  return [
    `@${name} {`,
    ...tabs(1, [`method ${route.methods.join(' ')}`, `path_regexp ${paths}`, 'not header Expect *']),
    '}',
  ]
}

/** Where the gateway is away, the second in the list answers: the stand-in, or the application itself. */
function proxy({ socket, site, patienceS }: Plan, name: string, awayPort: number): string[] {
  const second = site.kind === 'folder' ? `127.0.0.1:${awayPort}` : site.url
  const back = [`@away header X-Accel-Redirect ${SITE_MARK}`, 'handle_response @away {', '\tvars sotto site', '}']
  return [
    `reverse_proxy @${name} unix/${socket} ${second} {`,
    ...tabs(1, [
      'lb_policy first',
      'lb_retries 1',
      'fail_duration 1s',
      'header_down -X-Accel-Redirect',
      'transport http {',
      '\tcompression off',
      '\tdial_timeout 5s',
      `\tresponse_header_timeout ${patienceS}s`,
      '}',
      ...(site.kind === 'folder' ? back : []),
    ]),
    '}',
  ]
}

/** Top level of the Caddyfile: the snippet `sotto`, and the stand-in. */
export function caddySnippet(plan: Plan, awayPort: number = CADDY_AWAY_PORT): string {
  const routes = plan.routes.flatMap((route, at) => {
    const name = `sotto${at}`
    return ['', ...matcher(route, name), ...proxy(plan, name, awayPort)]
  })
  const standIn = [
    '',
    '# Says "the website answers" while the gateway is away.',
    `http://:${awayPort} {`,
    ...tabs(1, ['bind 127.0.0.1', `header X-Accel-Redirect ${SITE_MARK}`, 'respond 200']),
    '}',
  ]
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
    ...(plan.site.kind === 'folder' ? standIn : []),
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
