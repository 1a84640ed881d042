/**
 * nginx in front: it owns TLS and the website. The gateway is asked on the paths of live templates only, and what it does
 * not know it hands back by `X-Accel-Redirect` to a *named* location, which keeps method and body.
 */
import { type Plan, SITE_MARK } from './plan.ts'
import type { Route } from './routes.ts'

/** File name of the snippet, from nginx's own folder. */
export const NGINX_SNIPPET = 'snippets/sotto-gateway.conf'

const indent = (depth: number, lines: readonly string[]): string[] =>
  lines.map((line) => (line === '' ? '' : `${'    '.repeat(depth)}${line}`))

/** What one connection with the website, or with the gateway, is told of the visitor's: with WebSockets, what it asked for. */
const connectionLines = (sockets: boolean): string[] =>
  sockets
    ? ['proxy_set_header Upgrade $http_upgrade;', 'proxy_set_header Connection $http_connection;']
    : ['proxy_set_header Connection "";']

/** How the website itself answers; the same in `location /` and in the named location. */
function siteLines({ site, routes }: Plan): string[] {
  if (site.kind === 'folder') return ['try_files $uri $uri/ =404;']
  return [
    `proxy_pass ${site.url};`,
    'proxy_http_version 1.1;',
    'proxy_set_header Host $http_host;',
    ...connectionLines(routes.some(({ sockets }) => sockets)),
    'proxy_set_header X-Forwarded-For $remote_addr;',
    'proxy_set_header X-Forwarded-Proto $scheme;',
  ]
}

export interface LocationInput {
  readonly routes: readonly Route[]
  readonly socket: string
  readonly patienceS: number
  /** Named location that answers as the website does. */
  readonly mark: string
  /**
   * Whether the website is an application that reads request bodies: nginx then keeps the body until the gateway has
   * decided, as it does for the application itself. A static site answers before a body has come, and so must this.
   */
  readonly bodies: boolean
}

/** The locations that ask the gateway. Without the gateway (stopped, restarting) the website answers alone. */
export function nginxLocations({ routes, socket, patienceS, mark, bodies }: LocationInput): string {
  return routes.map((route) => block(route)).join('\n\n')

  function block({ methods, paths, sockets }: Route): string {
    const whole = paths.length === 1 ? paths[0]! : `^(?:${paths.map((path) => path.slice(1, -1)).join('|')})$`
    return [
      `location ~ "${whole}" {`,
      ...indent(1, [
        '# Members are in no log; strangers are, where the website logs them.',
        'access_log off;',
        `proxy_pass http://unix:${socket}:;`,
        'proxy_http_version 1.1;',
        'proxy_set_header Host $http_host;',
        ...connectionLines(sockets),
        `proxy_request_buffering ${bodies ? 'on' : 'off'};`,
        'proxy_buffering off;',
        'proxy_connect_timeout 5s;',
        `proxy_read_timeout ${patienceS}s;`,
        '# The website’s own error pages must follow, too.',
        'recursive_error_pages on;',
        `error_page 418 502 503 504 = ${mark};`,
        '# What no member sends is the website’s at once.',
        `if ($request_method !~ "^(?:${methods.join('|')})$") {`,
        '    return 418;',
        '}',
        'if ($http_expect) {',
        '    return 418;',
        '}',
        'if ($http_host = "") {',
        '    return 418;',
        '}',
      ]),
      '}',
    ].join('\n')
  }
}

/** To be included in the website's `server` block. */
export function nginxSnippet(plan: Plan): string {
  const { routes, socket, patienceS, site } = plan
  const folder = site.kind === 'folder' ? [`root ${quoted(site.folder)};`] : []
  return [
    '# Written by `sotto gateway init` from the templates in use: run it again when they change.',
    '# Belongs into the `server` block of the website.',
    '',
    '# This must answer exactly as the website does. If yours has more to it, repeat that here.',
    `location ${SITE_MARK} {`,
    ...indent(1, [...folder, 'recursive_error_pages on;', ...siteLines(plan)]),
    '}',
    '',
    nginxLocations({ routes, socket: socket!, patienceS, mark: SITE_MARK, bodies: site.kind === 'upstream' }),
    '',
  ].join('\n')
}

/** A whole website with the snippet in it, for a machine that has none yet. */
export function nginxSite(plan: Plan): string {
  const { domain, port, site, tls } = plan
  const live = `/etc/letsencrypt/live/${domain}`
  const { certificate, key } = tls ?? { certificate: `${live}/fullchain.pem`, key: `${live}/privkey.pem` }
  const root =
    site.kind === 'folder' ? [`root ${quoted(site.folder)};`, 'index index.html;', 'error_page 404 /404.html;'] : []
  return [
    '# Written by `sotto gateway init`: the website, with the gateway behind it.',
    'server {',
    ...indent(1, [
      'listen 80;',
      'listen [::]:80;',
      `server_name ${domain};`,
      '',
      '# Where certbot proves that the domain is yours.',
      'location /.well-known/acme-challenge/ {',
      '    root /var/www/html;',
      '}',
      'location / {',
      `    return 301 https://$host${port === 443 ? '' : `:${port}`}$request_uri;`,
      '}',
    ]),
    '}',
    '',
    'server {',
    ...indent(1, [
      `listen ${port} ssl http2;`,
      `listen [::]:${port} ssl http2;`,
      `server_name ${domain};`,
      `ssl_certificate ${quoted(certificate)};`,
      `ssl_certificate_key ${quoted(key)};`,
      'ssl_protocols TLSv1.2 TLSv1.3;',
      'server_tokens off;',
      ...root,
      '',
      'location / {',
      ...indent(1, siteLines(plan)),
      '}',
      '',
      `include ${NGINX_SNIPPET};`,
    ]),
    '}',
    '',
  ].join('\n')
}

/** Paths of an operator's own machine; nginx reads `$` in some of them as a variable, so the configuration refuses it. */
const quoted = (path: string): string => `"${path.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
