/** `sotto` on a machine whose clock is wrong by SOTTO_CLOCK_SHIFT milliseconds: broker and core alike. Run by a test. */
import { join } from 'node:path'
import { run } from '#firewall/run.ts'
import { shiftClock } from './command-shifted-clock.ts'

shiftClock()
const root = join(import.meta.dirname, '..', '..')
const entry = join(import.meta.dirname, 'command-shifted-core.ts')
await run({ entry, root, args: process.argv.slice(2), env: process.env })
