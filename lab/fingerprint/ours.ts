/** The same visit as a browser's, by a dialer of ours that looks like it. */
import { browserDialer, resumes } from '#firewall/dialers/browser.ts'
import type { Dialer } from '#firewall/dialers/dialer.ts'
import { impersonation } from '#firewall/dialers/impersonation.ts'
import type { BrowserProfile } from '#firewall/dialers/profile.ts'
import { tlsConnector } from '#firewall/dialers/tls-connector.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import { clientNamed } from '../../camouflage-templates/builtin.ts'
import type { Recorder, SeenConnection } from './recorder.ts'
import { RECORDED_HOST, startRecorder } from './recorder.ts'
import type { PlannedRequest } from './visit.ts'
import { CONNECTIONS, fieldsOf, PLAN, siteOf } from './visit.ts'

/** Milliseconds that one exchange may take. */
const PATIENCE = 20_000

/** Everything that the dialer shows of itself. Rejects where there is no TLS library for it on this platform. */
export async function recordOurs(profile: BrowserProfile, alpn: readonly string[]): Promise<readonly SeenConnection[]> {
  const style = await impersonation(profile, randomBytes)
  if (style === undefined) throw new Error('there is no TLS library for it on this platform')
  const recorder = await startRecorder(
    siteOf(() => 0, { fresh: 0, resumed: 0 }),
    alpn,
  )
  const dialers: Dialer[] = []
  const open = (): Dialer => {
    const connector = tlsConnector({ style, resumes: resumes(profile) })
    const dialer = browserDialer({ profile, connector, leaks: [], apartMs: 0 })
    dialers.push(dialer)
    return dialer
  }
  try {
    await visitAs(profile, open, recorder)
    return recorder.seen
  } finally {
    await Promise.all(dialers.map((dialer) => dialer.close()))
    await recorder.close()
  }
}

async function visitAs({ family }: BrowserProfile, open: () => Dialer, recorder: Recorder): Promise<void> {
  const client = clientNamed(family)
  const { port, pin } = recorder
  const target = { id: 'lab', name: 'Lab', host: RECORDED_HOST, port, addresses: ['127.0.0.1'], certificate: pin }
  const ask = async (dialer: Dialer, planned: PlannedRequest): Promise<void> => {
    const { method, target: path, body: octets } = planned
    const body = octets === undefined ? undefined : new Uint8Array(octets).fill(120)
    const request = { method, target: path, headers: fieldsOf(client, planned, port), body }
    const exchange = (): Promise<unknown> => dialer.exchange(target, request, { family, timeoutMs: PATIENCE })
    // The recorder ends connections: what is on its way at that moment is asked for once more.
    await exchange().catch(exchange)
  }
  const get = (path: string): PlannedRequest => ({ kind: 'fetch', method: 'GET', target: path, sets: {} })
  const main = open()
  const [page, style, script, ...rest] = PLAN
  await ask(main, page!)
  await Promise.all([ask(main, style!), ask(main, script!)])
  for (const planned of rest) await ask(main, planned)
  for (let i = 0; i <= CONNECTIONS; i++) await ask(main, get(`/again?${i}`))
  // Nobody who never came has a ticket.
  for (let i = 1; i < CONNECTIONS; i++) await ask(open(), get('/other'))
}
