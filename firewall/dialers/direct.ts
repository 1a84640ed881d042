/** Straight to the target, over IPv6 or IPv4. */
import { isIP } from 'node:net'
import { systemWay } from '../way-out.ts'
import { reachOf } from './dialer.ts'
import { ordered, race } from './happy-eyeballs.ts'
import { addressesOf } from './names.ts'
import type { Route, RouteOptions } from './route.ts'

export function directRoute({ way = systemWay, resolve = way.resolve, ipv6Only }: RouteOptions = {}): Route {
  return async function* (target, { deadline, prefer, unwanted }) {
    const reach = reachOf(target)
    const timeoutMs = (): number => Math.max(1, deadline - performance.now())
    // What worked in this run is known as well, whatever the resolver says by now.
    const remembered = [...(reach.remembered ?? []), ...(prefer === undefined || isIP(prefer) === 0 ? [] : [prefer])]
    let addresses = ordered(
      await addressesOf({ ...reach, remembered }, { resolve, ipv6Only, timeoutMs: timeoutMs() }),
      prefer,
    )
    while (addresses.length > 0) {
      const options = { way, timeoutMs: timeoutMs(), name: reach.name, unwanted }
      const { socket, address } = await race(addresses, reach.port, options)
      addresses = addresses.filter((other) => other !== address)
      yield { socket, by: address, left: addresses.length }
    }
  }
}
