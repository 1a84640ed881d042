/** The firewall with the real world around it: the system's resolver, clock and randomness, and the dialers of this machine. */
import { lookup } from 'node:dns/promises'
import { randomBytes } from '#protocol/crypto/random.ts'
import { openDialers } from './dialers/open-dialers.ts'
import { directRoute } from './dialers/way.ts'
import type { LocalBroker } from './library.ts'
import { openBroker } from './library.ts'

/**
 * `folder`: the broker's part of the state folder (`brokerFolder`).
 * @throws SottoError E_STATE_BUSY, E_STATE_UNREADABLE, E_DISK_FULL
 */
export async function systemBroker(folder: string): Promise<LocalBroker> {
  const dialers = await openDialers({ route: directRoute({ resolve: systemResolver }), random: randomBytes })
  return await openBroker({ folder, ...dialers, now: Date.now, random: randomBytes })
}

async function systemResolver(host: string): Promise<string[]> {
  return (await lookup(host, { all: true, order: 'verbatim' })).map(({ address }) => address)
}
