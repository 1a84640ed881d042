/**
 * Members who look like Chromium: every template for it over the dialer for it, through a real nginx that speaks HTTP/2
 * and through one that does not, to the gateway as it ships.
 */
import { readFileSync, rmSync } from 'node:fs'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { realClockwork } from '#client/clockwork.ts'
import { Tunnel } from '#client/tunnel.ts'
import { openDialers } from '#firewall/dialers/open-dialers.ts'
import { makeCertificates } from '#firewall/fixtures/site.ts'
import { openBroker } from '#firewall/library.ts'
import type { Permit } from '#firewall/permit.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import { encodeInvite } from '#protocol/invite.ts'
import type { Service } from '#protocol/services/service.ts'
import { Priority } from '#protocol/session/stream.ts'
import { compileBuiltins } from '../camouflage-templates/builtin.ts'
import { freePort, reachable } from '../scripts/bench/ports.ts'
import { SharedOwner } from './helpers/command.ts'
import { hasNginx, mainText, runNginx } from './helpers/front-nginx.ts'
import type { RealGateway } from './helpers/real-gateway.ts'
import { startRealGateway } from './helpers/real-gateway.ts'

const echo: Service = { unary: { 'test.echo': (args) => args }, subscribe: {} }
const owner = new SharedOwner()
const HOST = 'localhost'

let gateway: RealGateway
let folder: string
/** Port and what its log has, by whether it speaks HTTP/2. */
const fronts = new Map<boolean, number>()
let pin: Uint8Array

test.before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sotto-dialers-'))
  owner.teardown(() => rmSync(folder, { recursive: true }))
  gateway = await startRealGateway([echo])
  owner.teardown(() => gateway.stop())
  const certificates = await makeCertificates(HOST)
  pin = certificates.pin
  await writeFile(join(folder, 'cert.pem'), certificates.certificate)
  await writeFile(join(folder, 'key.pem'), certificates.privateKey)
  if (!hasNginx()) return
  fronts.set(true, await freePort())
  fronts.set(false, await freePort())
  const servers = [...fronts].map(([h2, port]) => serverText(h2, port)).join('\n')
  const log = 'log_format seen "$server_port $server_protocol $request_method $uri";\n'
  await runNginx(owner, folder, mainText(folder, log + servers))
  await Promise.all([...fronts.values()].map(reachable))
})
test.after.always(() => owner.end())

const serverText = (h2: boolean, port: number): string => `
  server {
    listen 127.0.0.1:${port} ssl${h2 ? ' http2' : ''};
    ssl_certificate ${folder}/cert.pem;
    ssl_certificate_key ${folder}/key.pem;
    access_log ${folder}/seen.log seen;
    gzip on; gzip_types application/json; gzip_min_length 20;
    client_max_body_size 1m;
    location / {
      proxy_pass http://127.0.0.1:${gateway.port};
      proxy_http_version 1.1;
      proxy_set_header Host ${HOST}:${gateway.port};
      proxy_read_timeout 60s;
    }
  }`

async function permitTo(t: { teardown(undo: () => Promise<void>): void }, port: number): Promise<Permit> {
  const own = join(folder, `member-${port}-${Math.random().toString(36).slice(2)}`)
  const dialers = await openDialers({ random: randomBytes, folder: own })
  const broker = await openBroker({ folder: own, ...dialers, now: Date.now, random: randomBytes })
  t.teardown(() => broker.close())
  const { code, secret } = await gateway.invite()
  const { gatewayKey: key } = gateway.state
  const link = encodeInvite({
    ...{ name: 'Test', code, template: 'support-chat-chromium', root: randomBytes(32) },
    expires: Math.floor(Date.now() / 1000) + 3_600,
    gateways: [{ host: HOST, port, addresses: ['127.0.0.1'], key, cohort: secret, tls: pin }],
  })
  const [endpoint] = await broker.admitInvite(link)
  return await broker.permit(endpoint!.id)
}

const seenAt = (port: number): string[] =>
  readFileSync(join(folder, 'seen.log'), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith(`${port} `))

const templates = compileBuiltins('chromium')

for (const h2 of [true, false]) {
  for (const template of templates) {
    const run = hasNginx() ? test : test.skip
    run(`${template.id} over ${h2 ? 'HTTP/2' : 'HTTP/1.1'}`, async (t) => {
      const port = fronts.get(h2)!
      const tunnel = new Tunnel({
        ...{ permit: await permitTo(t, port), template, clockwork: realClockwork, preferredAead: 1 },
      })
      for (let i = 0; i < 3; i++) t.is(await tunnel.call('test.echo', i, { timeoutMs: 20_000 }), i)
      const body = randomBytes(60_000)
      const answer = await tunnel.call('test.echo', { body }, { priority: Priority.bulk })
      t.true(Buffer.from((answer as { body: Uint8Array }).body).equals(body))
      await tunnel.stop()
      const seen = seenAt(port)
      t.true(seen.every((line) => line.includes(h2 ? ' HTTP/2.0 ' : ' HTTP/1.1 ')))
      t.true(
        seen.some((line) => /GET \/assets\/.*\.css$/.test(line)),
        'the page came with what belongs to it',
      )
    })
  }
}
