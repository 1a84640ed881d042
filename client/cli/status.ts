/** `sotto status`: how one is connected. */
import type { AddCommand, Ground } from './commands.ts'
import { REACH_MS } from './leaving.ts'
import { outputFor } from './report.ts'
import { reportStatus, watchStatus } from './status-view.ts'
import { stopped } from './stopped.ts'
import { type Options, withMember } from './with-member.ts'

export function registerStatus(add: AddCommand, ground: Ground): void {
  add('status', 'Show how you are connected, why so, and what it cost today.')
    .option('--watch', 'go on until stopped, and tell every change')
    .action((options) => status(ground, options))
}

async function status(ground: Ground, options: Options & { watch?: boolean }): Promise<void> {
  const output = outputFor(options, ground.streams)
  const ways = await ground.broker.ways()
  await withMember(ground, { ...options, online: true }, async (member) => {
    if (options.watch) return await watchStatus(member, ways, output, ground.clockwork, stopped())
    await member.reached(REACH_MS).catch(() => {})
    reportStatus(member, ways, output)
  })
}
