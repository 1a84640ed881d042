/**
 * The straight way between two people, over real sockets: Ada has a node, Ben connects to it, and messages take the mailbox
 * wherever they cannot go straight. Which way one went is told by what was down.
 */
import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { temporaryFolder } from './helpers/command.ts'
import { type Human, Place, twoPeople } from './helpers/people-with-nodes.ts'

/** Seconds of work, on a machine that may be doing much else. */
const LONG_MS = 600_000

interface Scene {
  readonly gateway: Place
  readonly node: Place
  readonly ada: Human
  readonly ben: Human
}

/** Ada has a node and offers it to Ben; nobody has allowed anything. */
async function offered(t: ExecutionContext): Promise<Scene> {
  t.timeout(LONG_MS)
  const { gateway, node, ada, ben } = await twoPeople(t)
  await ada.close()
  await ada.withBroker(async (broker) => void (await broker.admitInvite(await node.link(), 'node')))
  await ada.open()
  ada.member.chat.offerNode(ada.contact.id)
  await ada.member.peers!.reached(LONG_MS)
  await ada.member.peers!.attend()
  await ben.until(() => ben.news.length > 0)
  return { gateway, node, ada, ben }
}

async function allow(ben: Human): Promise<void> {
  await ben.close()
  await ben.withBroker(async (broker) => broker.allowPeer(broker.peerOffers()[0]!.root))
  await ben.open()
}

async function straight(t: ExecutionContext): Promise<Scene> {
  const scene = await offered(t)
  await allow(scene.ben)
  return scene
}

test('nothing goes straight before the person has allowed it', async (t) => {
  const { node, gateway, ben, ada } = await offered(t)
  await ben.member.peers!.attend()
  t.deepEqual(
    ben.broker.peerOffers().map(({ name, port, isAllowed }) => [name, port, isAllowed]),
    [['Ada', node.port, false]],
  )
  t.deepEqual(await ben.peers(), [])
  await node.stop()
  ben.say('by the mailbox')
  await ada.hears('by the mailbox')
  await node.start()
  await allow(ben)
  t.deepEqual(await ben.peers(), [node.port])
  await gateway.stop()
  ben.say('straight')
  await ada.hears('straight')
  t.deepEqual(ben.member.peers!.views()[0]?.way, { kind: 'ready' })
})

test('straight while the gateway is down, by the mailbox while the node is, once each', async (t) => {
  const { gateway, node, ada, ben } = await straight(t)
  const say = async (text: string): Promise<void> => {
    ben.say(text)
    await ada.hears(text)
  }
  await say('both are up')
  await gateway.stop()
  await say('only the node')
  await gateway.start()
  await node.stop()
  await say('only the gateway')
  await node.start()
  await gateway.stop()
  await say('only the node again')
  await gateway.start()
  await say('both again')
  ada.say('and back')
  await ben.hears('and back')
  t.deepEqual(ada.texts, ['both are up', 'only the node', 'only the gateway', 'only the node again', 'both again'])
})

test('what lies at the node is read when its owner is back; the sender may be gone', async (t) => {
  const { gateway, ada, ben } = await straight(t)
  await ada.close()
  await gateway.stop()
  ben.say('while you were away')
  const isPut = (): boolean => ben.member.chat.history(ben.contact.id, { limit: 1 })[0]?.status === 'sent'
  await ben.until(isPut)
  await ben.close()
  await ada.open()
  await ada.hears('while you were away')
  t.pass()
})

test('somebody else in the node’s place gets nothing: keys are pinned', async (t) => {
  const { node, ada, ben } = await straight(t)
  ben.say('before')
  await ada.hears('before')
  await node.stop()
  const stranger = await Place.make(t, join(await temporaryFolder(t), 'stranger'), { port: node.port })
  for (const file of ['certificate.pem', 'tls.key'])
    await copyFile(join(node.folder, file), join(stranger.folder, file))
  await stranger.start()
  await ben.close()
  await ben.open()
  ben.say('past a stranger')
  await ada.hears('past a stranger')
  t.not(ben.member.peers!.views()[0]?.way?.kind, 'ready')
  await ben.close()
  t.deepEqual(ada.texts, ['before', 'past a stranger'])
})

test('the node moves: who is allowed follows, and is asked nothing', async (t) => {
  const { gateway, node, ada, ben } = await straight(t)
  const before = node.port
  await node.stop()
  await ada.close()
  const moved = await Place.make(t, join(await temporaryFolder(t), 'elsewhere'))
  await moved.start()
  await ada.withBroker(async (broker) => void (await broker.admitInvite(await moved.link(), 'node')))
  await ada.open()
  await ben.until(() => ben.news.length > 0 && ben.member.chat.nodes()[0]?.theirs !== undefined && ben.news.length >= 2)
  await ben.member.peers!.attend()
  t.deepEqual(await ben.peers(), [moved.port])
  t.not(before, moved.port)
  await gateway.stop()
  ben.say('at the new place')
  await ada.hears('at the new place')
})

test('what is taken back ends on both sides, and so does what is removed or blocked', async (t) => {
  const { node, ada, ben } = await straight(t)
  ben.say('straight')
  await ada.hears('straight')
  t.is(node.guests(), 1)
  ada.member.chat.withdrawNode(ada.contact.id)
  await ada.member.peers!.attend()
  t.is(node.guests(), 0)
  await ben.until(() => ben.news.at(-1) === false)
  await ben.member.peers!.attend()
  t.deepEqual(await ben.peers(), [])
  ada.member.chat.offerNode(ada.contact.id)
  await ada.member.peers!.attend()
  await ben.until(() => ben.news.at(-1) === true)
  await allow(ben)
  t.deepEqual([node.guests(), await ben.peers()], [1, [node.port]])
  ben.member.chat.block(ben.contact.id)
  await ben.member.peers!.attend()
  t.deepEqual(await ben.peers(), [])
  ada.member.chat.remove(ada.contact.id)
  await ada.member.peers!.attend()
  t.is(node.guests(), 0)
})
