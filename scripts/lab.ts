/** `npm run -s lab -- NAME [options] [--json]`: as `bench`, for what lab/ measures. Options are the scenario's. */
import type { Report } from './bench/report.ts'
import { print } from './bench/report.ts'

const scenarios: Record<string, () => Promise<(args: readonly string[]) => Promise<Report>>> = {
  rotation: async () => (await import('../lab/rotation.ts')).rotation,
  probes: async () => (await import('../lab/prober/scenario.ts')).probes,
  detectors: async () => (await import('../lab/detectors/detectors.ts')).detectors,
  fingerprint: async () => (await import('../lab/fingerprint/fingerprint.ts')).fingerprint,
  transfer: async () => (await import('../lab/transfer.ts')).transfer,
  proxies: async () => (await import('../lab/proxies.ts')).proxiesScenario,
  middlebox: async () => (await import('../lab/middlebox/middlebox.ts')).middlebox,
  formal: async () => (await import('../lab/formal/formal.ts')).formal,
  leaks: async () => (await import('../lab/leaks/leaks.ts')).leaks,
}

const [name, ...args] = process.argv.slice(2)
const load = name === undefined ? undefined : scenarios[name]
if (load === undefined) {
  console.error(`Usage: npm run -s lab -- NAME [options] [--json]\n  NAME: ${Object.keys(scenarios).join(', ')}`)
  process.exit(2)
}
const run = await load()
print(await run(args.filter((arg) => arg !== '--json')), args.includes('--json'))
// Everything is ended by now; a socket that the kernel has not let go of must not keep the caller waiting.
process.stdout.write('', () => process.exit())
