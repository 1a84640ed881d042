/** The firewall with the real world around it: a way out, the system's clock and randomness, and the undici dialer. */
import { randomBytes } from '#protocol/crypto/random.ts'
import { tlsConnector } from './dialers/tls-connector.ts'
import { undiciDialer } from './dialers/undici.ts'
import type { LocalBroker } from './library.ts'
import { openBroker } from './library.ts'
import type { WayOut } from './way-out.ts'
import { systemWay } from './way-out.ts'

/**
 * `folder`: the broker's part of the state folder (`brokerFolder`).
 * @throws SottoError E_STATE_BUSY, E_STATE_UNREADABLE, E_DISK_FULL
 */
export function systemBroker(
  folder: string,
  way: WayOut = systemWay,
  { ipv6Only = false, meterTimes }: { readonly ipv6Only?: boolean; readonly meterTimes?: number } = {},
): Promise<LocalBroker> {
  const dialer = undiciDialer({ connector: tlsConnector({ way, ipv6Only }) })
  return openBroker({ folder, dialer, now: Date.now, random: randomBytes, network: way.facts, ipv6Only, meterTimes })
}
