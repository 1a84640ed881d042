/** `npm run -s bench -- NAME [--json]`: prints a table for people and, with --json, last one line of JSON. */
import { parseArgs } from 'node:util'
import type { Report } from './bench/report.ts'
import { print } from './bench/report.ts'

const benches: Record<string, () => Promise<() => Promise<Report>>> = {
  tunnel: async () => (await import('./bench/tunnel.ts')).tunnel,
  latency: async () => (await import('./bench/latency.ts')).latency,
  firewall: async () => (await import('./bench/firewall.ts')).firewall,
  idle: async () => (await import('./bench/idle.ts')).idle,
  decoy: async () => (await import('./bench/decoy.ts')).decoy,
  file: async () => (await import('./bench/file.ts')).file,
  open: async () => (await import('./bench/open.ts')).open,
  ratchet: async () => (await import('./bench/ratchet.ts')).ratchet,
  tracker: async () => (await import('./bench/tracker.ts')).tracker,
  stranger: async () => (await import('./bench/stranger.ts')).stranger,
  templates: async () => (await import('./bench/templates.ts')).templates,
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean', default: false } },
})
const [name] = positionals
const load = name === undefined ? undefined : benches[name]
if (load === undefined) {
  console.error(`Usage: npm run -s bench -- NAME [--json]\n  NAME: ${Object.keys(benches).join(', ')}`)
  process.exit(2)
}
const run = await load()
print(await run(), values.json)
