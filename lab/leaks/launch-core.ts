/** Starts the hostile core as the product starts its own. Arguments: its main module, then the command line. */
import { join } from 'node:path'
import { lockDown } from '#firewall/lockdown.ts'

const leave = lockDown()
const { run } = await import('#firewall/run.ts')
const { LINK, ROOT } = process.env
const [entry, ...args] = process.argv.slice(2)
const root = ROOT ?? join(import.meta.dirname, '..', '..')
await run({ entry: entry!, root, args: ['join', ...args], env: process.env, leave, link: LINK })
