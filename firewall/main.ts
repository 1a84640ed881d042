/** `sotto`: the core is `client/main.ts` of this program. */
import { findPackageJSON } from 'node:module'
import { dirname, extname, join } from 'node:path'
import { run } from './run.ts'

const entry = join(import.meta.dirname, '..', 'client', `main${extname(import.meta.filename)}`)
const root = dirname(findPackageJSON('..', import.meta.url) ?? entry)
await run({ entry, root, args: process.argv.slice(2), env: process.env })
