/** `sotto peer` and `sotto join --node` as people type them; who is not typing is in this process, and so are gateway and node. */
import { join } from 'node:path'
import test from 'ava'
import { type Command, jsonLines, member, startMember } from './helpers/command.ts'
import { succeed } from './helpers/command-gateway.ts'
import { twoPeople } from './helpers/people-with-nodes.ts'

const LONG_MS = 600_000
/** The only look of these gateways: who had to wait twice would try all others before it again. */
const LOOK = ['--look', 'support-chat']

test('a node is joined, offered, allowed and used; a writer who is killed loses nothing', async (t) => {
  t.timeout(LONG_MS)
  const { folder, gateway, node, ada, ben } = await twoPeople(t)
  await ada.close()
  const json = async (state: string, ...args: string[]): Promise<Record<string, unknown>[]> =>
    jsonLines(await succeed(member(t, state, [...args, '--json'])))
  const [ofAda, ofBen] = [join(folder, 'Ada'), join(folder, 'Ben')]

  t.regex(await succeed(member(t, ofAda, ['join', '--node', ...LOOK], await node.link())), /joined your own node/)
  t.regex(await succeed(member(t, ofAda, ['peer', 'offer', 'Ben'])), /would see the address of Ben’s computer/)
  const offer = async (): Promise<unknown> => (await json(ofAda, 'peer', 'offer', 'Ben', '--yes', ...LOOK))[0]?.told
  // It does not wait for long, and goes on where it was when it is said again.
  while ((await offer()) !== true);
  await ben.until(() => ben.news.length > 0)
  await ben.close()

  t.like((await json(ofBen, 'peer'))[0], { name: 'Ada', host: 'localhost', ours: 'no' })
  t.regex(await succeed(member(t, ofBen, ['peer', 'allow', 'Ada'])), /sees the address of your computer/)
  t.deepEqual(
    (await json(ofBen, 'firewall', 'list')).map(({ kind }) => kind),
    ['gateway'],
    'looking allows nothing',
  )
  t.like((await json(ofBen, 'peer', 'allow', 'Ada', '--yes'))[0], { allowed: true })
  const [, peer] = await json(ofBen, 'firewall', 'list')
  t.like(peer, { kind: 'peer', source: 'contact', name: 'Ada', port: node.port })
  const nobody = await member(t, ofBen, ['peer', 'allow', 'Nobody', '--yes'])
  t.is(nobody.status, 2)
  t.regex(nobody.err, /No contact offers a node/)

  await ada.open()
  await ada.member.peers!.reached(LONG_MS)
  await gateway.stop()
  const chat: Command = startMember(t, ofBen, ['chat', '--json', ...LOOK])
  const texts = ['one', 'two', 'three']
  for (const text of texts) chat.say({ to: 'Ada', text })
  await chat.told(({ message }) => (message as { text?: string } | undefined)?.text === 'three', 'the last one')
  chat.child.kill('SIGKILL')
  await chat.ended
  await ben.open()
  for (const text of texts) await ada.hears(text)
  await gateway.start()
  ben.say('four')
  await ada.hears('four')
  t.deepEqual(ada.texts.toSorted(), [...texts, 'four'].toSorted())
})
