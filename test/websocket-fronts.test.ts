/**
 * WebSockets behind a real nginx and a real Caddy with the files that `gateway init` has written, before a site whose own
 * application speaks socket.io: a stranger's genuine client gets that application, a member's socket goes to the gateway,
 * by the real firewall over its pipe.
 */
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { duplexPair } from 'node:stream'
import test, { type ExecutionContext } from 'ava'
import { Server as SocketServer } from 'socket.io'
import { io } from 'socket.io-client'
import { realClockwork } from '#client/clockwork.ts'
import { Tunnel } from '#client/tunnel.ts'
import { compileTemplate } from '#engine/compile.ts'
import { serveBroker } from '#firewall/broker.ts'
import { connectBroker } from '#firewall/core-side.ts'
import { tlsConnector } from '#firewall/dialers/tls-connector.ts'
import { undiciDialer } from '#firewall/dialers/undici.ts'
import { openBroker } from '#firewall/library.ts'
import type { Permit } from '#firewall/permit.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import { ServiceFailure } from '#protocol/services/service.ts'
import { loadBuiltin } from '../camouflage-templates/builtin.ts'
import { freePort, reachable } from '../scripts/bench/ports.ts'
import { type Owner, temporaryFolder } from './helpers/command.ts'
import type { GatewayProcess } from './helpers/command-gateway.ts'
import { invite, startedGateway } from './helpers/command-gateway.ts'
import { hasCaddy, startCaddy } from './helpers/front-caddy.ts'
import { hasNginx, mainText, runNginx } from './helpers/front-nginx.ts'
import { issueCertificate } from './helpers/test-ca.ts'

const template = compileTemplate(loadBuiltin('websocket'))

/** The site: a page, and a socket.io server that knows no Sotto. */
async function startApplication(t: Owner): Promise<string> {
  const server = createServer((_request, response) => response.end('a page\n'))
  const rooms = new SocketServer(server)
  rooms.on('connection', (socket) => {
    socket.emit('welcome', 'from the application')
    socket.on('shout', (text: string, answer: (text: string) => void) => answer(text.toUpperCase()))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(async () => void (await rooms.close()))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function startFront(t: Owner, kind: 'nginx' | 'caddy', etc: string, folder: string): Promise<void> {
  const read = (name: string): Promise<string> => readFile(join(etc, kind, name), 'utf8')
  if (kind === 'caddy') {
    await startCaddy(t, folder, [await read('sotto-gateway.caddy'), await read('sotto-gateway-site.caddy')].join('\n'))
    return
  }
  const written = await read('sites-available/sotto-gateway')
  const site = written
    .replaceAll(/^ +listen \[::\].*\n/gm, '')
    .replace('listen 80;', `listen 127.0.0.1:${await freePort()};`)
  await runNginx(t, join(etc, 'nginx'), mainText(folder, site))
}

/** What the core has of the firewall: everything over the pipe. */
async function permitFor(t: ExecutionContext, gateway: GatewayProcess, authority: string): Promise<Permit> {
  const connector = tlsConnector({ resolve: async () => ['127.0.0.1'], authorities: [authority] })
  const folder = await temporaryFolder(t)
  const options = { folder: join(folder, 'firewall'), now: Date.now, random: randomBytes }
  const local = await openBroker({ ...options, dialers: [undiciDialer({ connector })] })
  const [near, far] = duplexPair()
  const served = serveBroker(local, far, () => {})
  t.teardown(async () => {
    served.close()
    await local.close()
  })
  const [endpoint] = await local.admitInvite((await invite(t, gateway)).link)
  return await connectBroker(near, () => {}).permit(endpoint!.id)
}

for (const kind of ['nginx', 'caddy'] as const) {
  test(`behind ${kind}, a stranger's socket is the application's and a member's the gateway's`, async (t) => {
    if (!(kind === 'nginx' ? hasNginx() : hasCaddy())) {
      t.log(`${kind} is not installed here: nothing was tested`)
      t.pass()
      return
    }
    const folder = await temporaryFolder(t)
    const { certificate, key, authority } = await issueCertificate({ folder, domain: 'localhost' })
    const [port, etc] = [await freePort(), join(folder, 'etc')]
    const place = [
      ...['--front', kind, '--listen', `unix:${join(folder, 'gateway.sock')}`, '--port', String(port), '--etc', etc],
      ...['--certificate', certificate, '--key', key, '--upstream', await startApplication(t)],
    ]
    const gateway = await startedGateway(t, place, ['websocket', 'support-chat'])
    await startFront(t, kind, etc, folder)
    await reachable(port)

    for (const transports of [['websocket'], ['polling', 'websocket']]) {
      const stranger = io(`https://localhost:${port}`, {
        transports,
        reconnection: false,
        forceNew: true,
        ca: authority,
      })
      t.teardown(() => stranger.disconnect())
      const welcome = await new Promise((resolve, reject) => {
        stranger.once('welcome', resolve)
        stranger.once('connect_error', reject)
      })
      t.is(welcome, 'from the application')
      if (stranger.io.engine.transport.name !== 'websocket')
        await new Promise((resolve) => stranger.io.engine.once('upgrade', resolve))
      t.is(await stranger.emitWithAck('shout', 'hello'), 'HELLO')
    }

    const permit = await permitFor(t, gateway, authority)
    const tunnel = new Tunnel({ permit, template, clockwork: realClockwork, preferredAead: 1 })
    t.teardown(() => tunnel.stop())
    await new Promise<void>((resolve) => {
      tunnel.onChange(({ socket }) => {
        if (socket) resolve()
      })
    })
    const error = await t.throwsAsync(tunnel.call('no.such', { body: randomBytes(40_000) }))
    t.true(error instanceof ServiceFailure, 'the gateway has answered')
    t.true(tunnel.status.socket)
    t.notRegex(gateway.log(), /fault/)
  })
}
