/** `sotto` on a machine whose clock is wrong by SOTTO_CLOCK_SHIFT milliseconds: broker and core alike. Run by a test. */
import { join } from 'node:path'
import { lockDown } from '#firewall/lockdown.ts'
import { shiftClock } from './command-shifted-clock.ts'

const leave = lockDown()
shiftClock()
const { run } = await import('#firewall/run.ts')
const root = join(import.meta.dirname, '..', '..')
const entry = join(import.meta.dirname, 'command-shifted-core.ts')
await run({ entry, root, args: process.argv.slice(2), env: process.env, leave })
