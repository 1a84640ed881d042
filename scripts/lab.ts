/** `npm run -s lab -- NAME [--json]`: trials against an adversary. Prints a table and, with --json, last one line of JSON. */
import { parseArgs } from 'node:util'
import type { Report } from './bench/report.ts'
import { print } from './bench/report.ts'

const scenarios: Record<string, () => Promise<() => Promise<Report>>> = {
  rotation: async () => (await import('../lab/rotation.ts')).rotation,
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean', default: false } },
})
const [name] = positionals
const load = name === undefined ? undefined : scenarios[name]
if (load === undefined) {
  console.error(`Usage: npm run -s lab -- NAME [--json]\n  NAME: ${Object.keys(scenarios).join(', ')}`)
  process.exit(2)
}
const run = await load()
print(await run(), values.json)
