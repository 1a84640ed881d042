/**
 * A gateway for a benchmark: the real one, with the bulk service beside the mailbox. Prints {port, socket, links, pid} once up.
 *     gateway.ts https|http|unix [public port] [invites] [uses of each]      (unix: behind nginx, whose site answers strangers)
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'
import { startGateway } from '#gateway/gateway.ts'
import { initState, openState } from '#gateway/state.ts'
import { certificatePin, createSelfSigned } from '#gateway/tls-files.ts'
import { encodeInvite } from '#protocol/invite.ts'
import { deriveCohort } from '#protocol/recognition.ts'
import { compileBuiltins } from '../../camouflage-templates/builtin.ts'
import { bulkService } from './bulk-service.ts'
import { freePort } from './ports.ts'

const [listen = 'https', publicPort = '0', invitations = '4', uses = '8'] = process.argv.slice(2)
const folder = mkdtempSync(join(tmpdir(), 'sotto-bench-gateway-'))
const port = await freePort()
const certificate = join(folder, 'certificate.pem')
const key = join(folder, 'key.pem')
process.umask(0o077)
await createSelfSigned('localhost', { certificate, key }, new Date())
const socket = join(folder, 'gateway.sock')
const places: Readonly<Record<string, string>> = {
  https: `https: 127.0.0.1:${port}\n  certificate: ${certificate}\n  key: ${key}`,
  http: `http: 127.0.0.1:${port}`,
  unix: `unix: ${socket}`,
}
const site = new URL('../../gateway/decoy/sample-site', import.meta.url).pathname
const decoy = listen === 'unix' ? 'accel: "@decoy"' : `folder: ${site}`
await initState(
  join(folder, 'state'),
  `name: Bench
domain: localhost
port: ${Number(publicPort) || port}
addresses: [127.0.0.1]
listen:
  ${places[listen]!}
decoy: {${decoy}}
templates: [support-chat, gallery, beacon]
`,
)
const state = await openState(join(folder, 'state'))
const gateway = await startGateway({
  state,
  templates: compileBuiltins(),
  services: [bulkService],
  log: (line) => process.stderr.write(`${line}\n`),
})
const invites = await state.members.createInvites(
  Number(invitations),
  { name: 'bench', uses: Number(uses), days: 1, role: 'member' },
  Date.now(),
)
const tls = listen === 'https' ? await certificatePin({ certificate }) : undefined
const links = invites.map(({ code, cohort, info }) =>
  encodeInvite({
    name: 'Bench',
    gateways: [
      {
        host: 'localhost',
        port: state.config.port,
        addresses: ['127.0.0.1'],
        key: state.gatewayKey,
        cohort: cohort.secret,
        ...(tls === undefined ? {} : { tls }),
      },
    ],
    code,
    template: 'support-chat',
    expires: Math.floor(info.expires / 1000),
    root: state.packRoot,
  }),
)
gateway.sessions.setCohorts(
  state.members.cohorts(Date.now()).map(({ id, secret }) => ({ id, keys: deriveCohort(secret) })),
)
console.log(JSON.stringify({ port, socket, links, state: join(folder, 'state'), pid: process.pid }))

const end = async (): Promise<void> => {
  await gateway.stop()
  await state.close()
  rmSync(folder, { recursive: true })
  process.exit()
}
process.once('SIGTERM', () => void end())
for await (const line of createInterface({ input: process.stdin })) {
  const { run } = JSON.parse(line) as { run: 'memory' | 'cpu' }
  if (run === 'memory') {
    // V8 gives pages back in the background.
    for (let i = 0; i < 3; i++) {
      globalThis.gc?.()
      await setTimeout(500)
    }
    console.log(JSON.stringify({ rss: process.memoryUsage().rss, sessions: gateway.sessions.count }))
  } else {
    const { user, system } = process.cpuUsage()
    console.log(JSON.stringify({ us: user + system }))
  }
}
