/** `sotto password`: of the state folder. It is read and kept by the launcher, before this; here the core's own key follows. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import { openStore } from '#client/store/open-store.ts'
import { passwordInArguments } from '#firewall/prompt.ts'
import type { AddCommand, Ground } from './commands.ts'
import { createOutput } from './report.ts'

interface Options {
  readonly json?: boolean
}

export function registerPassword(program: Command, add: AddCommand, ground: Ground): void {
  const { broker, clockwork, folder, streams } = ground
  const password = program
    .command('password')
    .description('The password of this folder: show whether there is one, set, remove.')
  const show = async ({ json }: Options, { args }: Command): Promise<void> => {
    // The launcher does nothing with it either: what stands behind a verb here can only be a password.
    if (args.length > 0) throw passwordInArguments()
    const { isSet, lock } = await broker.password()
    const chat = join(folder, 'chat')
    // Locks its key where that is not locked yet.
    if (existsSync(chat)) openStore({ folder: chat, tables: [], random: clockwork.random, lock }).close()
    const text = isSet
      ? 'This folder has a password: without it nobody reads what it holds. There is no way around a lost one.'
      : 'This folder has no password: whoever has it has your messages. Next: sotto password set'
    createOutput(json === true, streams.stdout, streams.stderr).result({ password: isSet }, text)
  }
  add('show', 'Show whether there is one.', password, true).allowExcessArguments().action(show)
  add('set', 'Set one, or another: it is asked for, or the first line of standard input.', password)
    .allowExcessArguments()
    .action(show)
  add('remove', 'Take it away: whoever has the folder then has what it holds.', password)
    .allowExcessArguments()
    .action(show)
}
