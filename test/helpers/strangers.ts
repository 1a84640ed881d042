/** Requests of people who are no members: what a prober sends to a website that might have a gateway behind it. */
import { randomBytes } from '#protocol/crypto/random.ts'
import { compileBuiltins } from '../../camouflage-templates/builtin.ts'

/** What it is, and its octets as characters. */
export type Stranger = readonly [name: string, request: string]

export function head(method: string, target: string, lines: readonly string[] = []): string {
  return [`${method} ${target} HTTP/1.1`, 'Host: localhost', ...lines, 'Connection: close', '', ''].join('\r\n')
}

export function withBody(method: string, target: string, body: string, lines: readonly string[] = []): string {
  return head(method, target, [...lines, `Content-Length: ${body.length}`]) + body
}

/** Requests of every template and kind with a token that nobody expects: perfect but for the secret. */
export function templateRequests(): Stranger[] {
  return compileBuiltins().flatMap((template) =>
    (['poll', 'send', 'bulk'] as const).map((kind): Stranger => {
      const shape = template.shape(kind)
      const secret = { token: randomBytes(16), parcel: randomBytes(shape.up.fit(300)) }
      const { method, target, headers, body } = shape.encodeRequest({
        ...secret,
        host: 'localhost',
        random: randomBytes,
      })
      const length = body === undefined ? [] : [`Content-Length: ${body.length}`]
      const text = head(method, target, [...headers.map(([name, value]) => `${name}: ${value}`), ...length])
      return [`${template.id} ${kind}`, text + (body === undefined ? '' : Buffer.from(body).toString('latin1'))]
    }),
  )
}

const picture = '/photos/harbour/DSC04410.png'
const upload = '/photos/uploads?s=0123456789abcdef0123456789abcdef'
/**
 * Not among them, because it does differ: the head of a POST to a path of support-chat whose body never comes. That
 * template has its token in the body, so the gateway waits where a static site answers at once. Only a site with an
 * application at that path waits, too.
 */
export const strangers: readonly Stranger[] = [
  ...templateRequests(),
  ['page', head('GET', '/')],
  ['not there', head('GET', '/nothing')],
  ['not there, on a path of a template', head('GET', '/api/features/desktop.json?h=1')],
  ['folder without its slash', head('GET', '/photos')],
  ['folder', head('GET', '/photos/')],
  ['picture', head('GET', picture)],
  ['picture, head only', head('HEAD', picture)],
  ['part of a picture', head('GET', picture, ['Range: bytes=10-99'])],
  ['parts of a picture', head('GET', picture, ['Range: bytes=0-9,20-29'])],
  ['part behind the end', head('GET', picture, ['Range: bytes=99999999-'])],
  ['picture, not if it is older', head('GET', picture, ['If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT'])],
  ['picture, if it matches', head('GET', picture, ['If-Match: "0"'])],
  ['picture, any tag', head('GET', picture, ['If-None-Match: *'])],
  ['picture, compressed', head('GET', picture, ['Accept-Encoding: gzip'])],
  ['form', withBody('POST', upload, 'a=1', ['Content-Type: application/x-www-form-urlencoded'])],
  ['form to a picture', withBody('POST', picture, 'a=1')],
  ['empty form', withBody('POST', upload, '')],
  ['large form', withBody('POST', upload, 'x'.repeat(700_000))],
  ['form beyond the limit', head('POST', upload, ['Content-Length: 1048577'])],
  ['chunked form', `${head('POST', upload, ['Transfer-Encoding: chunked'])}3\r\na=1\r\n0\r\n\r\n`],
  ['form whose body does not come', head('POST', upload, ['Content-Length: 100'])],
  ['other methods', head('DELETE', picture)],
  ['options', head('OPTIONS', '/photos/')],
  ['unknown method', head('BREW', picture)],
  ['up and away', head('GET', '/photos/../../etc/passwd')],
  ['escapes', head('GET', '/photos/%68arbour/DSC04410.png')],
  ['bad escape', head('GET', '/photos/%zz')],
  ['long query', head('GET', `/api/features/desktop.json?context=${'A'.repeat(5_000)}`)],
  ['too long', head('GET', `/api/features/desktop.json?context=${'A'.repeat(9_000)}`)],
  ['redirect of one’s own', head('GET', picture, ['X-Accel-Redirect: /index.html'])],
  ['long header', head('GET', picture, [`X-Long: ${'a'.repeat(40_000)}`])],
  ['expects', withBody('POST', upload, 'a=1', ['Expect: 100-continue'])],
  ['expects something else', withBody('POST', upload, 'a=1', ['Expect: the-best'])],
  ['old protocol', `GET ${picture} HTTP/1.0\r\n\r\n`],
]
