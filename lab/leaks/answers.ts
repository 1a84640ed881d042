/** Answers of a hostile gateway that would lead a browser, or a careless client, somewhere else. */
import type { IncomingMessage, ServerResponse } from 'node:http'

const away = 'https://198.51.100.7/'

type Answer = (response: ServerResponse, request: IncomingMessage) => void

const withHead =
  (status: number, head: Record<string, string | string[]>, body = ''): Answer =>
  (response) => {
    response.writeHead(status, head)
    response.end(body)
  }

/** By what they do. Each is the answer to a GET of its own path. */
export const answers: Readonly<Record<string, Answer>> = {
  'Location, 301': withHead(301, { location: away }),
  'Location, 302 to another scheme': withHead(302, { location: 'http://198.51.100.7/' }),
  'Location, 307': withHead(307, { location: away }),
  'Location, 308 to a name': withHead(308, { location: 'https://leak.example.org/' }),
  'Location of a created thing': withHead(201, { location: away, 'content-location': away }),
  Refresh: withHead(200, { refresh: `0; url=${away}` }),
  'Alt-Svc to HTTP/2 elsewhere': withHead(200, { 'alt-svc': 'h2="198.51.100.7:443"; ma=86400' }),
  'Alt-Svc to HTTP/3 elsewhere': withHead(200, { 'alt-svc': 'h3="198.51.100.7:443"; ma=86400; persist=1' }),
  'Link: preload and preconnect': withHead(200, {
    link: [
      `<${away}a.css>; rel=preload; as=style`,
      `<${away}>; rel=preconnect`,
      '<//leak.example.org>; rel=dns-prefetch',
    ],
  }),
  '103 with preloads': (response) => {
    response.writeEarlyHints({ link: `<${away}b.js>; rel=preload; as=script` })
    response.end('late')
  },
  'a page with everything that loads': withHead(
    200,
    { 'content-type': 'text/html' },
    `<meta http-equiv=refresh content="0;url=${away}"><base href="${away}"><img src=x.png><script src=y.js></script><iframe src=z></iframe>`,
  ),
  'a report to be sent': withHead(200, {
    'report-to': `{"group":"default","max_age":86400,"endpoints":[{"url":"${away}"}]}`,
    nel: '{"report_to":"default","max_age":86400,"success_fraction":1}',
    'content-security-policy': `default-src 'none'; report-uri ${away}`,
  }),
  'a proxy that wants to know us': withHead(407, { 'proxy-authenticate': `Negotiate`, location: away }),
  '305, use a proxy': withHead(305, { location: 'http://198.51.100.7:3128/' }),
  '401 with a realm elsewhere': withHead(401, { 'www-authenticate': `Bearer realm="${away}token"` }),
}

export function pathOf(index: number): string {
  return `/answer/${index}`
}
