/** The web servers of the lab: one nginx with the same site several times, beside each other. */
import { gatewayText, mainText, websiteText } from '#test/helpers/front-nginx.ts'

export interface FrontInput {
  /** For its configuration, logs and temporary files. */
  readonly folder: string
  /** The site's files. */
  readonly root: string
  readonly certificate: string
  readonly key: string
  /** Socket of the site's own application, which answers what is no file. */
  readonly application: string
}

export interface ServerText {
  readonly port: number
  readonly text: string
}

/** Patience short enough to see its end. */
const patience = `
    client_header_timeout 2s;
    client_body_timeout 2s;
    keepalive_timeout 4s;
    lingering_timeout 1s;`

/** The site as its operator has it: files, and an application for everything else. */
function siteText({ root, application }: FrontInput): string {
  return `${patience}
${websiteText(root, '@application')}
    location @application {
      proxy_pass http://unix:${application};
      proxy_set_header Host $http_host;
    }
    location / {
      try_files /no-such-file @decoy;
    }`
}

/**
 * The site's own application, at a socket: no website is without paths that answer in JSON where templates live. It is
 * nginx again, because that refuses less than Node's parser does, so that what a gateway refuses would show.
 */
export const applicationServer = (socket: string): string => `
  server {
    listen unix:${socket};
    default_type application/json;
    location / {
      return 404 '{"error":"not_found","length":"$content_length"}';
    }
    location /api/features/ {
      return 400 '{"status":400,"error":"unknown context","query":"$args"}';
    }
    location /api/support/ {
      return 401 '{"error":"conversation_expired","length":"$content_length"}';
    }
    location ~ ^/photos/(?:uploads|originals)$ {
      return 403 '{"error":"link_expired","length":"$content_length"}';
    }
  }`

export const plainServer = (input: FrontInput, port: number): ServerText => ({ port, text: siteText(input) })

/** Paths of the sample site's application: those that have fixed answers. */
const applicationPaths = [
  '~ ^/(?:api|files|live|rpc|socket[.]io)/',
  '= /photos/uploads',
  '= /photos/originals',
  '= /collect',
  '= /graphql',
]

/** The server that a gateway which faces the network alone pretends to be. */
export function imitatedServer({ root, application }: FrontInput, port: number): ServerText {
  const locations = applicationPaths.map(
    (path) => `
    location ${path} {
      proxy_pass http://unix:${application};
      proxy_set_header Host $http_host;
    }`,
  )
  return {
    port,
    text: `${patience}
    server_tokens off;
    root ${root};
    index index.html;
    error_page 404 /404.html;${locations.join('')}`,
  }
}

export const gatewayServer = (input: FrontInput, port: number, socket: string): ServerText => ({
  port,
  text: siteText(input) + gatewayText(socket),
})

/**
 * The control of the comparison: the gateway behind a front that passes bodies on while they come. Over HTTP/2 that is
 * enough to tell, by the window that nginx opens.
 */
export function flawedServer(input: FrontInput, port: number, socket: string): ServerText {
  const text = siteText(input) + gatewayText(socket)
  return { port, text: text.replaceAll('proxy_request_buffering on;', 'proxy_request_buffering off;') }
}

/** One server of the timing tests: `/NAME/...` is asked of the upstream of that name as `/...`. */
export function timingServer(root: string, port: number, upstreams: Readonly<Record<string, string>>): ServerText {
  const locations = Object.entries(upstreams).map(
    ([name, target]) => `
    location ~ ^/${name}/ {
      rewrite ^/${name}(/.*)$ $1 break;
      ${target}
    }`,
  )
  return {
    port,
    text: `${lasting}
${websiteText(root)}
${locations.join('')}`,
  }
}

const lasting = `
    keepalive_timeout 75s;
    keepalive_requests 10000000;`

/** The site for measuring its own pages, on connections that last; with a gateway behind it where there is a `socket`. */
export function pagesServer(root: string, port: number, socket: string | undefined): ServerText {
  const site = `${lasting}
${websiteText(root)}
    location / {
      try_files /no-such-file @decoy;
    }`
  return { port, text: socket === undefined ? site : site + gatewayText(socket) }
}

/** As `gatewayText` passes a request on. */
export const passedTo = (socket: string): string => `proxy_pass http://unix:${socket};
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Connection "";
      proxy_read_timeout 75s;`

/** What Debian's nginx.conf says about answers. */
const debian = `
  sendfile on;
  tcp_nopush on;
  types_hash_max_size 2048;
  ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3;
  ssl_prefer_server_ciphers on;
  gzip on;`

/** `others`: servers that are whole already. */
export function frontText(input: FrontInput, servers: readonly ServerText[], others: readonly string[]): string {
  const texts = servers.map(
    ({ port, text }) => `
  server {
    listen 127.0.0.1:${port} ssl http2;
    server_name localhost;
    ssl_certificate ${input.certificate};
    ssl_certificate_key ${input.key};
${text}
  }`,
  )
  return mainText(input.folder, [debian, ...others, ...texts].join('\n'))
}
