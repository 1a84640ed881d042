/** The client of a benchmark as shipped: a broker in this process, the core in a confined child (core.ts). */
import { join } from 'node:path'
import { launch } from '#firewall/launcher.ts'
import { systemBroker } from '#firewall/system-broker.ts'

const root = join(import.meta.dirname, '..', '..')
const entry = join(import.meta.dirname, 'core.ts')
const { code, error } = await launch({
  entry,
  root,
  args: process.argv.slice(2),
  env: process.env,
  openBroker: systemBroker,
})
if (error !== undefined) throw error
process.exitCode = code ?? 1
