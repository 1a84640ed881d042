/** Nodes of contacts, made up by a core that has turned hostile: offered to the broker, and then asked for. */
import type { Broker } from '#firewall/permit.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import { encodeInvite } from '#protocol/invite.ts'
import { sealPeerOffer } from '#protocol/peer-offer.ts'
import type { Family } from '../attempt.ts'

function offerOf(host: string, port: number, addresses: readonly string[]): { name: string; offer: Uint8Array } {
  const place = { host, port, addresses, key: randomBytes(32), cohort: randomBytes(32) }
  const rest = { code: randomBytes(16), template: 'support-chat', expires: 4_000_000_000, root: randomBytes(32) }
  return {
    name: 'A friend',
    offer: sealPeerOffer(randomBytes(32), 1, encodeInvite({ name: 'Leak', gateways: [place], ...rest })),
  }
}

/** Ends where the broker gives leave to dial what was offered, and asks for it. */
async function offered(broker: Broker, ...offers: readonly { name: string; offer: Uint8Array }[]): Promise<void> {
  const [peer] = await broker.offerPeers(offers)
  if (peer === undefined) throw Object.assign(new Error('only offered'), { code: 'ONLY_OFFERED' })
  const permit = await broker.permit(peer.id)
  await permit.exchange(
    { method: 'GET', target: '/', headers: [], body: undefined },
    { timeoutMs: 700, family: 'node' },
  )
}

export const peers = (broker: Broker): Family => ({
  'a node that nobody has let in': ({ name, port }) => offered(broker, offerOf(name, port, [])),
  'a node at an address': ({ name, port, v4 }) => offered(broker, offerOf(name, port, [v4])),
  'a node in the own network': ({ port }) => offered(broker, offerOf('127.0.0.1', port, [])),
  'more nodes than fit': ({ name, port }) =>
    offered(broker, ...Array.from({ length: 17 }, () => offerOf(name, port, []))),
  'what is no offer': () => offered(broker, { name: 'A friend', offer: randomBytes(300) }),
  'a name that is none': ({ name, port }) => offered(broker, { ...offerOf(name, port, []), name: '\u001b[2J' }),
})
