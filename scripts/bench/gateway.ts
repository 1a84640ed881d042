/** A gateway for a benchmark: the real one, with the bulk service beside the mailbox. Prints {port} once it is up. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { compileBuiltins } from '../../camouflage-templates/builtin.ts'
import { encodeInvite } from '#protocol/invite.ts'
import { startGateway } from '#gateway/gateway.ts'
import { initState, openState } from '#gateway/state.ts'
import { certificatePin, createSelfSigned } from '#gateway/tls-files.ts'
import { createInterface } from 'node:readline'
import { freePort } from './ports.ts'
import { bulkService } from './bulk-service.ts'

const [listen = 'https', policy = 'ram'] = process.argv.slice(2)
const folder = mkdtempSync(join(tmpdir(), 'sotto-bench-gateway-'))
const port = await freePort()
const certificate = join(folder, 'certificate.pem')
const key = join(folder, 'key.pem')
process.umask(0o077)
await createSelfSigned('localhost', { certificate, key }, new Date())
const place = listen === 'https' ? `https: 127.0.0.1:${port}\n  certificate: ${certificate}\n  key: ${key}` : `http: 127.0.0.1:${port}`
const site = new URL('../../gateway/decoy/sample-site', import.meta.url).pathname
await initState(
  join(folder, 'state'),
  `name: Bench
domain: localhost
port: ${port}
addresses: [127.0.0.1]
listen:
  ${place}
decoy: {folder: ${site}}
templates: [support-chat, gallery, beacon]
mailbox: {policy: ${policy}}
`,
)
const state = await openState(join(folder, 'state'))
const gateway = await startGateway({
  state,
  templates: compileBuiltins(),
  services: [bulkService],
  log: (line) => process.stderr.write(`${line}\n`),
})
const invites = await state.members.createInvites(4, { name: 'bench', uses: 8, days: 1, role: 'member' }, Date.now())
const tls = listen === 'https' ? await certificatePin({ certificate, key }) : undefined
const links = invites.map(({ code, cohort, info }) =>
  encodeInvite({
    name: 'Bench',
    gateways: [
      {
        host: 'localhost',
        port,
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
console.log(JSON.stringify({ port, links, state: join(folder, 'state'), pid: process.pid }))

const end = async (): Promise<void> => {
  await gateway.stop()
  await state.close()
  rmSync(folder, { recursive: true })
  process.exit()
}
process.once('SIGTERM', () => void end())
for await (const line of createInterface({ input: process.stdin })) {
  if (line === '{"memory":true}') {
    globalThis.gc?.()
    console.log(JSON.stringify({ rss: process.memoryUsage().rss, sessions: gateway.sessions.count }))
  }
}
