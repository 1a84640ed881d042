/** A gateway that gets its certificate itself, from a real ACME server on loopback. */
import { X509Certificate } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'
import { connect } from 'node:tls'
import test from 'ava'
import { Command, operator, temporaryFolder } from '#test/helpers/command.ts'
import { hasPebble, startPebble } from '#test/helpers/pebble.ts'
import { issueCertificate } from '#test/helpers/test-ca.ts'
import { freePort } from '../../scripts/bench/ports.ts'
import { gatewayMain } from '../../scripts/demo/commands.ts'
import { pageRefusal } from '../decoy/refusal.ts'
import type { Handler } from '../server.ts'
import { startServer } from '../server.ts'
import { readTlsFiles } from '../tls-files.ts'
import { CertificateKeeper, renewalIn } from './keeper.ts'
import { orderCertificate } from './order.ts'
import { openPort80 } from './port-80.ts'

const DOMAIN = 'workshop.example'
const DAY_MS = 86_400_000

interface Page {
  readonly status: number
  readonly headers: readonly string[]
  readonly body: string
}

function ask(port: number, path: string, method = 'GET'): Promise<Page> {
  return new Promise((resolve, reject) => {
    const asked = request(
      { host: '127.0.0.1', port, path, method, headers: { host: DOMAIN }, agent: false },
      (answer) => {
        let body = ''
        answer.setEncoding('latin1').on('data', (text: string) => {
          body += text
        })
        answer.on('end', () => resolve({ status: answer.statusCode!, headers: answer.rawHeaders, body }))
      },
    )
    asked.once('error', reject)
    asked.end()
  })
}

/** The certificate that a visitor is shown. */
function shown(port: number): Promise<X509Certificate> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, servername: DOMAIN, rejectUnauthorized: false }, () => {
      resolve(socket.getPeerX509Certificate()!)
      socket.destroy()
    })
    socket.once('error', reject)
  })
}

test('port 80: everybody is sent to https, as nginx does it; proofs are there for as long as they are shown', async (t) => {
  const port = await freePort()
  const port80 = await openPort80({ host: '127.0.0.1', port }, `https://${DOMAIN}`)
  t.teardown(() => port80.server.close(0))
  const moved = await ask(port, '/photos/?a=b')
  t.is(moved.status, 301)
  t.deepEqual(moved.headers.slice(-4), ['Location', `https://${DOMAIN}/photos/?a=b`, 'Connection', 'close'])
  t.true(moved.body.includes('301 Moved Permanently'))
  const place = '/.well-known/acme-challenge/token'
  t.is((await ask(port, place)).status, 301, 'nothing is different before there is a proof')
  port80.show('token', 'token.proof')
  t.is((await ask(port, place)).body, 'token.proof')
  t.is((await ask(port, `${place}2`)).status, 301)
  port80.hide('token')
  t.is((await ask(port, place)).status, 301)
})

test('a certificate is renewed when a third of its time is left, at once for another name or key', async (t) => {
  const folder = await temporaryFolder(t)
  const { certificate, key } = await issueCertificate({ folder, domain: DOMAIN, days: 90 })
  const [pem, secret] = [await readFile(certificate), await readFile(key)]
  const now = Date.now()
  t.true(Math.abs(renewalIn(pem, secret, DOMAIN, now) / DAY_MS - 60) < 0.1)
  t.true(renewalIn(pem, secret, DOMAIN, now + 61 * DAY_MS) < 0)
  t.is(renewalIn(pem, secret, 'other.example', now), 0)
  const other = await issueCertificate({ folder, domain: DOMAIN })
  t.is(renewalIn(pem, await readFile(other.key), DOMAIN, now), 0)
})

/** A keeper on files of its own, with a clock that the test moves. */
async function keeperOn(folder: string, order: (n: number) => Promise<string>) {
  const waits: { afterMs: number; run: () => void }[] = []
  const lines: string[] = []
  const state = { now: Date.now(), orders: 0, renewed: 0, waits, lines }
  const files = { certificate: join(folder, 'certificate.pem'), key: join(folder, 'tls.key') }
  const keeper = new CertificateKeeper({
    ...{ domain: DOMAIN, files, accountKey: join(folder, 'acme-account.key') },
    now: () => state.now,
    schedule: (afterMs, run) => {
      waits.push({ afterMs, run })
      return () => {}
    },
    order: () => order(state.orders++),
    renewed: () => void state.renewed++,
    log: (line) => void lines.push(line),
  })
  return { keeper, files, state }
}

/** Resolves once there is the wait number `n`. */
async function waited(state: { readonly waits: readonly unknown[] }, n: number): Promise<void> {
  while (state.waits.length < n) await new Promise((resolve) => setTimeout(resolve, 10))
}

test('an authority that refuses: asked ever more seldom, told each time, and the keys are made once and for the owner alone', async (t) => {
  const folder = await temporaryFolder(t)
  const { keeper, files, state } = await keeperOn(folder, async () => {
    throw new Error('not today')
  })
  void keeper.start()
  const hours: number[] = []
  for (let n = 1; n <= 8; n++) {
    await waited(state, n)
    hours.push(state.waits[n - 1]!.afterMs / 3_600_000)
    state.waits[n - 1]!.run()
  }
  t.deepEqual(hours, [0.25, 0.5, 1, 2, 4, 8, 12, 12])
  t.deepEqual(state.lines.slice(0, 1), [`asking for a certificate for ${DOMAIN}`])
  t.regex(state.lines[1]!, /^not today; next try in 15 minutes$/)
  t.is((await stat(files.key)).mode & 0o777, 0o600)
  t.is((await stat(join(folder, 'acme-account.key'))).mode & 0o777, 0o600)
  keeper.stop()
})

test('what comes of the authority and is no certificate replaces nothing', async (t) => {
  const folder = await temporaryFolder(t)
  const { certificate, key } = await issueCertificate({ folder, domain: DOMAIN })
  const { keeper, files, state } = await keeperOn(folder, async () => 'no certificate')
  await writeFile(files.key, await readFile(key))
  await writeFile(files.certificate, await readFile(certificate))
  await keeper.start()
  await waited(state, 1)
  t.is(state.orders, 0, 'the one there is good for long')
  state.now += 80 * DAY_MS
  state.waits[0]!.run()
  await waited(state, 2)
  t.is(state.orders, 1)
  t.is(state.renewed, 0)
  t.deepEqual(await readFile(files.certificate), await readFile(certificate))
})

test('a gateway alone gets its certificate from an authority, keeps being the website meanwhile, and renews it', async (t) => {
  if (!hasPebble()) {
    t.log('pebble is not installed here: nothing was tested')
    t.pass()
    return
  }
  const folder = await temporaryFolder(t)
  const [port, httpPort] = [await freePort(), await freePort()]
  const pebble = await startPebble(t, folder, httpPort)
  const state = join(folder, 'state')
  const listen = ['--listen', `https://127.0.0.1:${port}`, '--port', String(port), '--front', 'none']
  const acme = ['--acme', '--email', 'anna@workshop.example', '--acme-directory', pebble.directory]
  const made = await operator(t, [
    'gateway',
    'init',
    '--state',
    state,
    '--domain',
    DOMAIN,
    ...listen,
    ...acme,
    '--json',
  ])
  t.is(made.status, 0, made.err)
  const { files } = JSON.parse(made.out) as { files: { path: string }[] }
  t.false(
    files.some(({ path }) => path.includes('letsencrypt')),
    'nobody else is to renew it',
  )
  const unit = await readFile(files.find(({ path }) => path.endsWith('.service'))!.path, 'utf8')
  t.regex(unit, /AmbientCapabilities=CAP_NET_BIND_SERVICE/)
  const config = join(state, 'gateway.yaml')
  const text = (await readFile(config, 'utf8')).replace(
    '"0.0.0.0:80"',
    `"127.0.0.1:${httpPort}"\n  authority: ${pebble.authority}`,
  )
  await writeFile(config, text)

  const run = new Command(t, [gatewayMain, 'gateway', 'run', '--state', state], { server: true })
  await run.until(({ err }) => (/ is up/.test(err) ? true : undefined), 'being up')
  t.regex(run.err, /certificate for workshop\.example until \d{4}-/)
  const first = await shown(port)
  t.is(first.checkHost(DOMAIN), DOMAIN)
  t.regex(first.issuer, /Pebble/)
  t.is((await ask(httpPort, '/')).status, 301)
  for (const name of ['tls.key', 'acme-account.key']) t.is((await stat(join(state, name))).mode & 0o777, 0o600)
  run.child.kill('SIGTERM')
  await run.ended

  // The same account and key, months later.
  const authority = await readFile(pebble.authority)
  const port80 = await openPort80({ host: '127.0.0.1', port: httpPort }, `https://${DOMAIN}`)
  t.teardown(() => port80.server.close(0))
  const [accountKey, key] = [await readFile(join(state, 'acme-account.key')), await readFile(join(state, 'tls.key'))]
  const input = { directory: pebble.directory, email: undefined, authority, proofs: port80, accountKey, key }
  const second = new X509Certificate(await orderCertificate({ ...input, domain: DOMAIN }))
  t.not(second.serialNumber, first.serialNumber)
  t.deepEqual(
    second.publicKey.export({ format: 'der', type: 'spki' }),
    first.publicKey.export({ format: 'der', type: 'spki' }),
  )

  const gone = await operator(t, ['gateway', 'uninstall', '--state', state, '--yes'])
  t.is(gone.status, 0, gone.err)
  t.false(existsSync(state), 'nothing is left')
})

test('a server that runs shows the new certificate to whoever comes next', async (t) => {
  const folder = await temporaryFolder(t)
  const old = await issueCertificate({ folder, domain: DOMAIN })
  const port = await freePort()
  const handle: Handler = async (_, response) => void response.end('website')
  const listen = { kind: 'https', host: '127.0.0.1', port, certificate: old.certificate, key: old.key } as const
  const server = await startServer(listen, handle, { refusal: pageRefusal })
  t.teardown(() => server.close(0))
  const before = await shown(port)
  const files = await issueCertificate({ folder, domain: DOMAIN })
  server.renew(await readTlsFiles(files))
  t.not((await shown(port)).fingerprint256, before.fingerprint256)
})
