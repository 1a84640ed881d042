/** A pack as people meet it: the operator's commands, and a member whose core is confined. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { builtinText } from '../camouflage-templates/builtin.ts'
import { jsonLines, member, operator, startMember, temporaryFolder } from './helpers/command.ts'
import { joined, startedGateway, succeed } from './helpers/command-gateway.ts'

test('a member takes up a pack while the program runs, and begins with it the next time', async (t) => {
  const gateway = await startedGateway(t)
  const state = await joined(t, gateway, 'Ada')
  const file = join(await temporaryFolder(t), 'look.yaml')
  const look = builtinText('support-chat').replace('id: support-chat', 'id: new-look')
  writeFileSync(file, look.replace('holdMs: [6000, 8000]', 'holdMs: [1000, 1500]'))
  const templates = async (...args: string[]): Promise<string> =>
    await succeed(operator(t, ['templates', ...args, '--state', gateway.state]))
  await templates('delegate')
  await templates('pack', file)
  const chat = startMember(t, state, ['chat', '--json'])
  await chat.told(({ type }) => type === 'ready' || type === 'status', 'being connected')
  await templates('rotate', '--now')
  await chat.told((line) => JSON.stringify(line).includes('new-look'), 'the new look')
  chat.child.stdin.end()
  await chat.ended
  const [status] = jsonLines(await succeed(member(t, state, ['status', '--json'])))
  t.like(status, { template: 'new-look', pack: { serial: 1, template: 'new-look' } })
})
