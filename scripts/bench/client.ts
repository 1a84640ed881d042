/**
 * The client of a benchmark as shipped: a broker in this process, the core in a confined child (core.ts, or what SOTTO_BENCH_CORE
 * names). Arguments: an invite that lasts as long as the benchmark, then the command line.
 */
import { join } from 'node:path'
import { launch } from '#firewall/launcher.ts'
import { systemBroker } from '#firewall/system-broker.ts'
import { systemWay } from '#firewall/way-out.ts'
import { METER_TIMES } from './meter-times.ts'

const root = join(import.meta.dirname, '..', '..')
const entry = join(import.meta.dirname, process.env.SOTTO_BENCH_CORE ?? 'core.ts')
const [link, ...args] = process.argv.slice(2)
const { code, error } = await launch({
  entry,
  root,
  args,
  env: process.env,
  openBroker: async (folder) => {
    const broker = await systemBroker(folder, systemWay, { meterTimes: METER_TIMES })
    await broker.admitInvite(link!)
    return broker
  },
})
if (error !== undefined) throw error
process.exitCode = code ?? 1
