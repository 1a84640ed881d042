/**
 * `node firewall/bench.ts`: what the firewall costs. First the hop from core to broker, between two real processes and
 * without a network; then the dialer against node:https, both over TLS on the loopback in one process.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { Agent, get } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { tlsConnector } from './dialers/tls-connector.ts'
import { undiciDialer } from './dialers/undici.ts'
import { makeCertificates, startSite } from './fixtures/site.ts'
import { launch } from './launcher.ts'
import type { LocalBroker } from './local-broker.ts'
import type { ExchangeResponse, Permit } from './permit.ts'
import { refusalError } from './refusals.ts'

const LARGE = 262_144
const HOST = 'bench.test'
const large: ExchangeResponse = { status: 200, headers: [], body: new Uint8Array(LARGE).fill(7) }
const small: ExchangeResponse = { status: 200, headers: [['content-type', 'text/plain']], body: new Uint8Array(768) }
const unused = async (): Promise<never> => {
  throw new Error('not part of the measurement')
}

const permit: Permit = {
  endpoint: {
    ...{ id: 'bench', kind: 'gateway', name: 'bench', host: HOST, port: 443 },
    ...{ template: 'bench', expires: 0, source: 'invite' },
  },
  firstContact: unused,
  rekey: unused,
  judge: () => {},
  exchange: async ({ target }) => (target === '/large' ? large : small),
}

const broker: LocalBroker = {
  endpoints: async () => [permit.endpoint],
  admitInvite: unused,
  undo: unused,
  offerList: unused,
  offerPeers: unused,
  peerOffers: () => [],
  allowPeer: unused,
  view: () => undefined,
  allow: () => {},
  judged: () => {},
  joined: unused,
  ways: unused,
  password: unused,
  changePassword: unused,
  changeWays: unused,
  forget: unused,
  permit: async () => permit,
  network: unused,
  dialers: unused,
  onEvent: () => {},
  attempted: () => {},
  targets: () => [],
  refuse: refusalError,
  close: async () => {},
}

async function benchPipe(): Promise<void> {
  const state = await mkdtemp(join(tmpdir(), 'sotto-bench-'))
  try {
    const entry = join(import.meta.dirname, 'fixtures', 'bench-core.ts')
    const root = join(import.meta.dirname, '..')
    await launch({ entry, root, args: ['--state', state], env: process.env, openBroker: async () => broker })
  } finally {
    await rm(state, { recursive: true })
  }
}

async function rate(name: string, once: () => Promise<unknown>): Promise<void> {
  const rounds = 800
  for (let i = 0; i < rounds; i++) await once()
  const began = performance.now()
  for (let i = 0; i < rounds; i++) await once()
  const ms = performance.now() - began
  console.log(`${name}: ${((rounds * LARGE) / ms / 1000).toFixed(0)} MB/s`)
}

/** The same gathering as ours: one buffer of the announced length. */
function getPlain(agent: Agent, port: number, ca: string): Promise<Uint8Array> {
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>()
  get({ agent, host: '127.0.0.1', port, path: '/large', servername: HOST, ca }, (response) => {
    const body = Buffer.allocUnsafeSlow(Number(response.headers['content-length']))
    let at = 0
    response.on('data', (chunk: Uint8Array) => {
      body.set(chunk, at)
      at += chunk.length
    })
    response.on('end', () => resolve(body))
  }).on('error', reject)
  return promise
}

async function benchDialer(): Promise<void> {
  const certificates = await makeCertificates(HOST)
  const site = await startSite(certificates, (request, response) => {
    request.resume()
    request.on('end', () =>
      response
        .setHeader('content-length', request.method === 'GET' ? LARGE : 0)
        .end(request.method === 'GET' ? large.body : ''),
    )
  })
  const dialer = undiciDialer({ connector: tlsConnector() })
  const place = { id: 'bench', name: 'bench', host: HOST, port: site.port }
  const target = { ...place, addresses: ['127.0.0.1'], certificate: certificates.pin }
  const options = { family: 'node', timeoutMs: 10_000 } as const
  const request = { target: '/large', headers: [] }
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  await rate('dialer, down', () => dialer.exchange(target, { ...request, method: 'GET', body: undefined }, options))
  await rate('dialer, up', () => dialer.exchange(target, { ...request, method: 'POST', body: large.body }, options))
  await rate('node:https, down', () => getPlain(agent, site.port, certificates.authority))
  agent.destroy()
  await dialer.close()
  await site.close()
}

await benchPipe()
await benchDialer()
