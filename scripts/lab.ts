/** `npm run -s lab -- NAME [WHAT ...] [--json]`: prints a table for people and, with --json, last one line of JSON. */
import { parseArgs } from 'node:util'
import type { LabResult } from '../lab/result.ts'

const labs: Record<string, () => Promise<(what: readonly string[]) => Promise<LabResult>>> = {
  middlebox: async () => (await import('../lab/middlebox/middlebox.ts')).middlebox,
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean', default: false } },
})
const [name, ...what] = positionals
const load = name === undefined ? undefined : labs[name]
if (load === undefined) {
  console.error(`Usage: npm run -s lab -- NAME [WHAT ...] [--json]\n  NAME: ${Object.keys(labs).join(', ')}`)
  process.exit(2)
}
const run = await load()
const { result, ok } = await run(what)
if (values.json) console.log(JSON.stringify(result))
process.exit(ok ? 0 : 1)
