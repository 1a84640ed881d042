/** The firewall with the real world around it: a way out, the system's clock and randomness, and the dialers of this machine. */
import { randomBytes } from '#protocol/crypto/random.ts'
import type { Machine } from './dialers/installed/machine.ts'
import { openDialers } from './dialers/open-dialers.ts'
import { openBroker } from './library.ts'
import type { LocalBroker } from './local-broker.ts'
import type { Unlocked } from './unlock.ts'
import type { WayOut } from './way-out.ts'
import { systemWay } from './way-out.ts'

export interface SystemOptions {
  readonly ipv6Only?: boolean
  readonly http2?: boolean
  readonly meterTimes?: number
  /** As `DialersInput`. */
  readonly browser?: string | undefined
  readonly machine?: Machine
  readonly unlocked?: Unlocked | undefined
}

/**
 * `folder`: the broker's part of the state folder (`brokerFolder`).
 * @throws SottoError E_STATE_BUSY, E_STATE_UNREADABLE, E_DISK_FULL, E_BROWSER_MISSING, E_BROWSER_FAILED
 */
export async function systemBroker(
  folder: string,
  way: WayOut = systemWay,
  { ipv6Only = false, http2, meterTimes, browser, machine, unlocked }: SystemOptions = {},
): Promise<LocalBroker> {
  const dialers = await openDialers({ way, ipv6Only, http2, random: randomBytes, browser, machine, folder })
  const rest = { now: Date.now, random: randomBytes, network: way.facts, ipv6Only, meterTimes, unlocked }
  return await openBroker({ folder, ...dialers, ...rest })
}
