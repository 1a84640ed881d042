/** A gateway behind a real nginx that serves the website itself: members talk, and everybody else sees nginx and nothing but nginx. */
import { createHash, X509Certificate } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { randomBytes } from '#protocol/crypto/random.ts'
import { encodeInvite, parseInvite } from '#protocol/invite.ts'
import { compileBuiltins } from '../camouflage-templates/builtin.ts'
import { makeCertificate } from '../scripts/bench/certificate.ts'
import { freePort, reachable } from '../scripts/bench/ports.ts'
import { jsonLines, member, temporaryFolder } from './helpers/command.ts'
import { pairOf, startedGateway, succeed } from './helpers/command-gateway.ts'
import { gatewayText, hasNginx, startNginx } from './helpers/front-nginx.ts'
import { exchangeRaw } from './helpers/front-raw.ts'

const site = join(import.meta.dirname, '..', 'gateway', 'decoy', 'sample-site')

function head(method: string, target: string, lines: readonly string[] = []): string {
  return [`${method} ${target} HTTP/1.1`, 'Host: localhost', ...lines, 'Connection: close', '', ''].join('\r\n')
}

function withBody(method: string, target: string, body: string, lines: readonly string[] = []): string {
  return head(method, target, [...lines, `Content-Length: ${body.length}`]) + body
}

/** Requests of every template and kind with a token that nobody expects: perfect but for the secret. */
function templateRequests(): [string, string][] {
  return compileBuiltins().flatMap((template) =>
    (['poll', 'send', 'bulk'] as const).map((kind): [string, string] => {
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
 * Not among them, because it does differ: the head of a POST to a path of a template whose body never comes. nginx reads
 * the body for the gateway, where a static site answers at once. Only a site with an application at that path waits, too:
 * such a site is what lab/prober compares with.
 */
const strangers: readonly [string, string][] = [
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
  ['other methods', head('DELETE', picture)],
  ['options', head('OPTIONS', '/photos/')],
  ['unknown method', head('BREW', picture)],
  ['up and away', head('GET', '/photos/../../etc/passwd')],
  ['escapes', head('GET', '/photos/%68arbour/DSC04410.png')],
  ['bad escape', head('GET', '/photos/%zz')],
  ['long query', head('GET', `/api/features/desktop.json?context=${'A'.repeat(5_000)}`)],
  ['too long', head('GET', `/api/features/desktop.json?context=${'A'.repeat(9_000)}`)],
  ['redirect of one’s own', head('GET', picture, ['X-Accel-Redirect: /index.html'])],
  ['old protocol', `GET ${picture} HTTP/1.0\r\n\r\n`],
]

test('behind nginx members talk, and strangers see the same nginx as without Sotto', async (t) => {
  if (!hasNginx()) {
    t.log('nginx is not installed here: nothing was tested')
    t.pass()
    return
  }
  const folder = await temporaryFolder(t)
  const [port, plain] = [await freePort(), await freePort()]
  const socketPath = join(folder, 'gateway.sock')
  const made = await makeCertificate()
  const [certificate, key] = [join(folder, 'certificate.pem'), join(folder, 'key.pem')]
  await writeFile(certificate, made.certificate)
  await writeFile(key, made.key, { mode: 0o600 })
  const place = ['--listen', `unix:${socketPath}`, '--port', String(port), '--decoy', '@decoy']
  const gateway = await startedGateway(t, place)
  await startNginx(t, {
    ...{ folder, root: site, certificate, key },
    fronts: [
      { port, extra: gatewayText(socketPath) },
      { port: plain, extra: '' },
    ],
  })
  await Promise.all([reachable(port), reachable(plain)])

  const same = async (name: string, request: string): Promise<void> => {
    const octets = Buffer.from(request, 'latin1')
    const [seen, expected] = await Promise.all([exchangeRaw(port, octets), exchangeRaw(plain, octets)])
    t.regex(expected, /^HTTP\/1\.1 \d\d\d /, name)
    // Short where they differ: the first place.
    if (seen === expected) {
      t.pass()
      return
    }
    const at = [...expected].findIndex((character, i) => character !== seen[i])
    t.fail(`${name}: ${JSON.stringify(seen.slice(0, at + 80))}\n not ${JSON.stringify(expected.slice(0, at + 80))}`)
  }
  for (const [name, request] of strangers) await same(name, request)

  const tls = new Uint8Array(createHash('sha256').update(new X509Certificate(made.certificate).raw).digest())
  const pinned = (link: string): string => {
    const invite = parseInvite(link, Date.now())
    return encodeInvite({ ...invite, gateways: invite.gateways.map((each) => ({ ...each, tls })) })
  }
  const [ada, ben] = await pairOf(t, gateway, ['Ada', 'Ben'], pinned)
  for (const look of ['beacon', 'gallery', 'support-chat']) {
    await succeed(member(t, ada, ['send', 'Ben', `looking like ${look}`, '--look', look]))
  }
  const received = jsonLines(await succeed(member(t, ben, ['recv', '--json', '--look', 'gallery'])))
  t.deepEqual(
    received.map(({ text }) => text),
    ['looking like beacon', 'looking like gallery', 'looking like support-chat'],
  )

  // A gateway that is away is no reason for another answer.
  await gateway.stop('SIGKILL')
  for (const [name, request] of strangers) await same(`${name}, without a gateway`, request)
})
