/**
 * `sotto`: the core is `client/main.ts` of this program. The lockdown is this file's only import of ours: what comes after it,
 * dependencies too, is loaded into a process that is locked.
 */
import { findPackageJSON } from 'node:module'
import { dirname, extname, join } from 'node:path'
import { lockDown } from './lockdown.ts'

const leave = lockDown()
const { run } = await import('./run.ts')
const entry = join(import.meta.dirname, '..', 'client', `main${extname(import.meta.filename)}`)
const root = dirname(findPackageJSON('..', import.meta.url) ?? entry)
await run({ entry, root, args: process.argv.slice(2), env: process.env, leave })
