import { join } from 'node:path'
import test from 'ava'
import { Command } from 'commander'
import { openState } from '#gateway/state.ts'
import { parseInvite } from '#protocol/invite.ts'
import { temporaryFolder } from '#test/helpers/command.ts'
import type { AdminSurroundings } from './commands.ts'
import { registerNode } from './node-commands.ts'

const now = Date.parse('2026-05-01T12:00:00Z')

test('a node is a gateway of one person, who joins it by a link and lets others in', async (t) => {
  const state = join(await temporaryFolder(t), 'node')
  const sotto = async (...line: string[]): Promise<string> => {
    let printed = ''
    const out = (text: string): void => {
      printed += text
    }
    const around: AdminSurroundings = {
      out,
      now: () => now,
      terminal: false,
      confirm: async () => false,
      status: () => {},
    }
    const program = new Command('sotto').exitOverride()
    registerNode(program, around)
    await program.parseAsync(['node', ...line, '--state', state], { from: 'user' })
    return printed
  }
  const made = await sotto('init', '--domain', 'anna.example', '--listen', 'https://127.0.0.1:7443', '--self-signed')
  t.regex(made, /Next: sotto node run/)
  const invite = parseInvite((await sotto('link')).trim(), now)
  t.like(invite.gateways[0], { host: 'anna.example', port: 7443 })
  t.deepEqual(JSON.parse(await sotto('link', '--json')).link.slice(0, 8), 'sotto://')
  const open = await openState(state)
  t.true(open.config.node)
  t.deepEqual(
    open.members.listInvites(now).map(({ role, name, uses }) => [role, name, uses]),
    [
      ['member', 'owner', 1],
      ['member', 'owner', 1],
    ],
  )
  await open.close()
})
