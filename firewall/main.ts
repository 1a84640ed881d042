/**
 * `sotto`: the core is `client/main.ts` of this program; `sotto firewall` needs none. The lockdown is this file's only import
 * of ours: what comes after it, dependencies too, is loaded into a process that is locked.
 */
import { findPackageJSON } from 'node:module'
import { dirname, extname, join } from 'node:path'
import { type Leave, lockDown } from './lockdown.ts'

void start(lockDown())

async function start(leave: Leave): Promise<void> {
  const { isConfined, isForFirewall, withoutConfine } = await import('./options.ts')
  const { run, runConfined, runFirewall } = await import('./run.ts')
  const { coreEntry: entry } = await import('./program.ts')
  const bound = join(import.meta.dirname, 'kernel', `main${extname(import.meta.filename)}`)
  const root = dirname(findPackageJSON('..', import.meta.url) ?? entry)
  const [args, env] = [process.argv.slice(2), process.env]
  if (isForFirewall(args)) await runFirewall(args, env)
  else if (isConfined(args)) await runConfined({ args: withoutConfine(args), env, leave, main: bound, entry, root })
  else await run({ entry, root, args, env, leave })
}
