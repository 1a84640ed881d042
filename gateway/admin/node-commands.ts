/** `sotto node init|run|link`: a gateway of one's own beside the client, where friends put messages straight. */
import type { Command } from 'commander'
import type { AdminSurroundings } from './commands.ts'
import { registerInit } from './commands.ts'
import { createInvites } from './invites.ts'
import { jsonOption, stateOption } from './options.ts'

/** Days until a link that nobody used stops working: it goes from one terminal to the next. */
const LINK_DAYS = 7

export function registerNode(program: Command, around: AdminSurroundings): void {
  const node = program.command('node').description('Run a node of your own, where your friends reach you straight.')
  registerInit(node, around, 'node')
  node
    .command('link')
    .description('Print the link by which you yourself join your node: sotto join --node')
    .addOption(stateOption('node'))
    .addOption(jsonOption())
    .action(async ({ state, json }: { readonly state: string; readonly json: boolean }) => {
      const request = { name: 'owner', count: 1, uses: 1, days: LINK_DAYS, role: 'member' } as const
      const [made] = await createInvites({ state, ...request }, around.now())
      around.out(json ? `${JSON.stringify({ link: made!.link })}\n` : `${made!.link}\n`)
    })
}
