/** `sotto`: the core is `client/main.ts` of this program; `sotto firewall` needs none. */
import { findPackageJSON } from 'node:module'
import { dirname, extname, join } from 'node:path'
import { isForFirewall } from './commands.ts'
import { run, runFirewall } from './run.ts'

const entry = join(import.meta.dirname, '..', 'client', `main${extname(import.meta.filename)}`)
const root = dirname(findPackageJSON('..', import.meta.url) ?? entry)
const args = process.argv.slice(2)
if (isForFirewall(args)) await runFirewall(args, process.env)
else await run({ entry, root, args, env: process.env })
