/** What contacts offer on its way to a real firewall, and our own node, which may be in other hands. */
import test, { type ExecutionContext } from 'ava'
import { startGateway } from '#firewall/fixtures/gateway.ts'
import { linkBy, offerBy, rootOf } from '#firewall/fixtures/offers.ts'
import { temporaryFolder } from '#firewall/fixtures/temporary.ts'
import { openBroker } from '#firewall/library.ts'
import { PolicyLimits } from '#firewall/limits.ts'
import type { LocalBroker } from '#firewall/local-broker.ts'
import { fromHex } from '#protocol/bytes.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import { SottoError } from '#protocol/errors.ts'
import { VirtualTime } from '#test/helpers/virtual-time.ts'
import type { Chat } from './chat/chat.ts'
import { acquainted, Person, World } from './chat/fixtures/world.ts'
import { ChatLimits } from './chat/limits.ts'
import type { NodeView } from './chat/nodes.ts'
import type { Clockwork } from './clockwork.ts'
import { type PeerParts, Peers } from './peers.ts'
import { Mailboxes } from './services/mailbox.ts'

const NOW = 1_900_000_000_000
const time = new VirtualTime()
const clockwork: Clockwork = {
  ...{ now: () => time.now, after: time.after, random: randomBytes },
  soon: (run) => run(),
}

async function firewall(t: ExecutionContext): Promise<LocalBroker> {
  const folder = await temporaryFolder(t)
  const broker = await openBroker({ folder, dialers: [], now: () => NOW, random: randomBytes })
  t.teardown(() => broker.close())
  return broker
}

function peersOf(t: ExecutionContext, parts: Pick<PeerParts, 'chat' | 'broker' | 'node'>): Peers {
  const open = (): never => t.fail('nothing is to be put') as never
  const peers = new Peers({ ...parts, mailboxes: new Mailboxes(clockwork), clockwork, open })
  t.teardown(() => peers.close())
  return peers
}

/** A contact who offers a node. */
function offering(person: number): NodeView {
  const root = fromHex(rootOf(person))!
  const contact = { id: `${person}`, name: `Person ${person}` } as NodeView['contact']
  return { contact, ours: 'no', theirs: { host: `p${person}.example`, root, offer: offerBy(person) } }
}

test('PolicyLimits.peers: more who offer do not push out whom the person has let in', async (t) => {
  const site = await startGateway()
  t.teardown(() => site.close())
  const broker = await firewall(t)
  await broker.admitInvite(site.link)
  const sent: number[] = []
  const offerPeers = broker.offerPeers.bind(broker)
  broker.offerPeers = async (offers) => {
    sent.push(offers.length)
    return await offerPeers(offers)
  }
  let nodes: NodeView[] = []
  const chat = { nodes: () => nodes, nodeFriends: () => [], onEvent: () => () => {} } as unknown as Chat
  const peers = peersOf(t, { chat, broker, node: undefined })
  const [friend, ...others] = Array.from({ length: PolicyLimits.peers + 4 }, (_, i) => offering(i + 1))
  nodes = [friend!]
  await peers.attend()
  await broker.allowPeer(rootOf(1))
  nodes = [...others, friend!]
  await peers.attend()
  t.deepEqual(
    (await broker.endpoints()).flatMap(({ kind, host }) => (kind === 'peer' ? [host] : [])),
    ['p1.example'],
  )
  t.is(broker.peerOffers().length, PolicyLimits.peers)
  t.deepEqual(sent, [1, PolicyLimits.peers], 'the pipe takes no more')
})

test('what the node did not answer is asked again a minute later', async (t) => {
  const world = new World(12)
  const [alice, bob] = [new Person(world, 'Alice'), new Person(world, 'Bob')]
  await acquainted(world, alice, bob)
  bob.chat.offerNode(alice.id)
  let asked = 0
  const node = {
    status: { state: { kind: 'ready' }, endpoint: { host: 'bob.example', port: 443 } },
    onChange: () => {},
    call: async (method: string) => {
      if (++asked === 1) throw new SottoError('E_TUNNEL_TIMEOUT', 'late')
      return method === 'node.keep' ? { place: new Uint8Array(16) } : { link: linkBy(1) }
    },
  } as unknown as PeerParts['node']
  await peersOf(t, { chat: bob.chat, broker: await firewall(t), node }).attend()
  t.is(bob.chat.nodes()[0]?.ours, 'waits')
  await time.run(() => bob.chat.nodes()[0]?.ours === 'told', 120_000)
  t.is(bob.chat.nodes()[0]?.ours, 'told')
})

test('ChatLimits.nodeTellings: an own node in other hands that moves each time makes us tell a friend a few times a day', async (t) => {
  const world = new World(13)
  const [alice, bob] = [new Person(world, 'Alice'), new Person(world, 'Bob')]
  await acquainted(world, alice, bob)
  bob.chat.offerNode(alice.id)
  let [moves, invites] = [0, 0]
  let connect = (): void => {}
  const node = {
    status: { state: { kind: 'ready' }, endpoint: { host: 'bob.example', port: 443 } },
    onChange: (listener: (status: { state: { kind: string } }) => void) => {
      connect = () => {
        for (const kind of ['waiting', 'ready']) listener({ state: { kind } })
      }
    },
    call: async (method: string) => {
      if (method === 'node.keep') return { place: new Uint8Array(16).fill(++moves) }
      invites++
      return { link: linkBy(1) }
    },
  } as unknown as PeerParts['node']
  const own: Clockwork = { ...clockwork, now: () => world.time.now, after: world.time.after }
  const parts = { chat: bob.chat, broker: await firewall(t), node, mailboxes: new Mailboxes(own), clockwork: own }
  const peers = new Peers({ ...parts, open: () => t.fail() as never })
  t.teardown(() => peers.close())
  const reconnect = async (times: number): Promise<void> => {
    for (let i = 0; i < times; i++) {
      connect()
      await peers.attend()
    }
    await world.pass(60_000)
  }
  await reconnect(50)
  t.true(moves >= 50)
  t.is(invites, ChatLimits.nodeTellings)
  const told = (): number => alice.events.filter(({ type }) => type === 'node').length
  t.true(told() >= 1 && told() <= ChatLimits.nodeTellings)
  await reconnect(50)
  t.is(invites, ChatLimits.nodeTellings)
  const before = moves
  await world.pass(ChatLimits.nodeTellingsMs)
  await peers.attend()
  t.is(invites, ChatLimits.nodeTellings + 1, 'where it is by now, without anything happening')
  t.true(moves > before && moves < before + 5, 'and the node is not asked all the time meanwhile')
})

test('our own node may answer anything: nobody is told of it, and nothing ends', async (t) => {
  const world = new World(11)
  const [alice, bob] = [new Person(world, 'Alice'), new Person(world, 'Bob')]
  await acquainted(world, alice, bob)
  bob.chat.offerNode(alice.id)
  const place = new Uint8Array(16)
  const answers: (readonly [keep: unknown, invite: unknown])[] = [
    [null, {}],
    [{ place: new Uint8Array(60_000) }, { link: 'x' }],
    [{ place }, null],
    [{ place }, { link: 7 }],
    [{ place }, { link: 'x' }],
    [{ place }, { link: 'x'.repeat(60_000) }],
  ]
  for (const [keep, invite] of answers) {
    const node = {
      status: { state: { kind: 'ready' }, endpoint: { host: 'bob.example', port: 443 } },
      onChange: () => {},
      call: async (method: string) => (method === 'node.keep' ? keep : invite),
    } as unknown as PeerParts['node']
    const peers = peersOf(t, { chat: bob.chat, broker: await firewall(t), node })
    await t.notThrowsAsync(peers.attend())
    t.is(bob.chat.nodes()[0]?.ours, 'waits', JSON.stringify(invite)?.slice(0, 40))
  }
})
