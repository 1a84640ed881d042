/** Straight to the target, over IPv6 or IPv4. */

import { reachOf } from './dialer.ts'
import { ordered, race } from './happy-eyeballs.ts'
import { addressesOf } from './names.ts'
import type { Route, RouteOptions } from './route.ts'

export function directRoute({ resolve, ipv6Only }: RouteOptions = {}): Route {
  return async function* (target, { deadline, prefer }) {
    const reach = reachOf(target)
    const timeoutMs = (): number => Math.max(1, deadline - performance.now())
    let addresses = ordered(await addressesOf(reach, { resolve, ipv6Only, timeoutMs: timeoutMs() }), prefer)
    while (addresses.length > 0) {
      const { socket, address } = await race(addresses, reach.port, { timeoutMs: timeoutMs(), name: reach.name })
      addresses = addresses.filter((other) => other !== address)
      yield { socket, by: address, left: addresses.length }
    }
  }
}
