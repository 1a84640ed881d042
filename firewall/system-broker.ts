/** The firewall with the real world around it: the system's resolver, clock and randomness, and the undici dialer. */
import { lookup } from 'node:dns/promises'
import { randomBytes } from '#protocol/crypto/random.ts'
import { systemRoute } from './dialers/route.ts'
import { tlsConnector } from './dialers/tls-connector.ts'
import { undiciDialer } from './dialers/undici.ts'
import type { LocalBroker } from './library.ts'
import { openBroker } from './library.ts'

/**
 * `folder`: the broker's part of the state folder (`brokerFolder`).
 * @throws SottoError E_STATE_BUSY, E_STATE_UNREADABLE, E_DISK_FULL
 */
export function systemBroker(folder: string): Promise<LocalBroker> {
  const dialer = undiciDialer({ connector: tlsConnector({ route: systemRoute({ resolve: systemResolver }) }) })
  return openBroker({ folder, dialer, now: Date.now, random: randomBytes })
}

async function systemResolver(host: string): Promise<string[]> {
  return (await lookup(host, { all: true, order: 'verbatim' })).map(({ address }) => address)
}
