/**
 * The straight way of a scenario: two members at a gateway without a box, and a node of the far one behind the box. The near one
 * puts messages to the node, and to the mailbox wherever that does not do; the far one answers by the mailbox.
 */
import { join } from 'node:path'
import type { Owner } from '#test/helpers/command.ts'
import { Human, Place } from '#test/helpers/people-with-nodes.ts'
import { Journey } from './journey.ts'
import type { LabMember } from './member.ts'
import type { Act, HttpRules, Scenario, TcpRules } from './scenario.ts'
import { TcpBox } from './tcp-box.ts'

export interface StraightPair {
  readonly near: LabMember
  readonly far: LabMember
  change(rules: TcpRules & HttpRules): void
  act(act: Act): void
}

/** @param address where the box stands; nobody else does */
export async function straightPair(
  { box: rules, isStraight: isExpected }: Scenario,
  address: string,
  folder: string,
  closing: (() => void | Promise<void>)[],
): Promise<StraightPair> {
  if (rules.kind !== 'tcp') throw new RangeError('the way to a node has a box of TCP')
  const owner: Owner = { teardown: (undo) => void closing.push(undo) }
  const gateway = await Place.make(owner, join(folder, 'gateway'))
  const node = await Place.make(owner, join(folder, 'node'), { address })
  await Promise.all([gateway.start(), node.start()])
  const box = new TcpBox({ host: '127.0.0.1', port: node.port }, {})
  await box.listen({ host: address, port: node.port })
  closing.push(() => box.close())
  const [far, near] = [
    await Human.join(owner, folder, 'Far', gateway),
    await Human.join(owner, folder, 'Near', gateway),
  ]
  near.member.chat.addContact(await far.member.chat.myCard())
  far.member.chat.addContact(await near.member.chat.myCard())
  await letIn(near, far, node)
  const isStraight = (): boolean => near.member.peers!.views()[0]?.way?.kind === 'ready'
  // The way is dialed when there is something to put there.
  for (let n = 0; isExpected && !isStraight(); n++) {
    near.say(`before ${n}`)
    await far.hears(`before ${n}`)
  }
  box.rules = rules
  // What has come about before would go on.
  if (rules.silent) box.cut()
  // A busy machine may take longer to end it than it is to be away.
  let moving = Promise.resolve()
  closing.push(() => moving)
  return {
    near: Object.assign(memberOf(near), { isStraight }),
    far: memberOf(far),
    change: (next) => {
      box.rules = next
    },
    act: (act) => {
      if (act === 'leave') moving = moving.then(() => node.stop())
      else if (act === 'return') moving = moving.then(() => node.start())
      else if (act === 'freeze') box.freeze()
      else box.cut()
    },
  }
}

/** The far one offers the node, and the near one lets it in. */
async function letIn(near: Human, far: Human, node: Place): Promise<void> {
  await far.close()
  await far.withBroker(async (broker) => void (await broker.admitInvite(await node.link(), 'node')))
  await far.open()
  far.member.chat.offerNode(far.contact.id)
  await near.until(() => near.news.length > 0)
  await near.close()
  await near.withBroker(async (broker) => broker.allowPeer(broker.peerOffers()[0]!.root))
  await near.open()
  await near.member.reached(SETTLE_MS)
}

/** Milliseconds for what takes a second on an idle machine. */
const SETTLE_MS = 60_000

function memberOf(human: Human): LabMember {
  const journey = new Journey()
  const lab: LabMember = {
    journey,
    onText: () => {},
    card: () => Promise.reject(new Error('they know each other')),
    add: () => {},
    met: Promise.resolve(),
    send: (text) => human.say(text),
    sleep: () => {
      throw new Error('only a process can sleep')
    },
    close: () => human.close(),
  }
  const see = ([status] = human.member.status()): void =>
    journey.see(
      status!.state,
      status!.template,
      status!.findings.map(({ code }) => code),
    )
  see()
  human.member.onStatus(() => see())
  human.member.chat.onEvent((event) => {
    if (event.type === 'message' && event.message.from === 'them') lab.onText(event.message.text)
  })
  return lab
}
