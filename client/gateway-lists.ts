/** Asks a gateway for the signed list of its operator's gateways, and offers it to the firewall, which alone judges it. */
import type { Broker } from '#firewall/permit.ts'
import { GatewayListLimits } from '#protocol/gateway-list.ts'
import type { Tunnel } from './tunnel.ts'

/** Once for a tunnel, when it is first ready. What is added is connected to from the next start on. */
export function watchGatewayList(tunnel: Pick<Tunnel, 'onChange' | 'call' | 'status'>, broker: Broker): void {
  let asked = false
  const ask = (): void => {
    if (asked || tunnel.status.state.kind !== 'ready') return
    asked = true
    askForList(tunnel, broker).catch(() => {})
  }
  tunnel.onChange(ask)
  ask()
}

/** Rejects where the gateway knows no lists, or the firewall refuses this one. */
export async function askForList(tunnel: Pick<Tunnel, 'call' | 'status'>, broker: Broker): Promise<void> {
  const { list } = ((await tunnel.call('gateways.list', {})) ?? {}) as { readonly list?: unknown }
  if (!(list instanceof Uint8Array) || list.length === 0 || list.length > GatewayListLimits.bytes) return
  await broker.offerList(tunnel.status.endpoint.id, list)
}
