/** `npm run -s lab -- middlebox [NAME ...]`: all scenarios, or those named. */
import type { Report } from '../../scripts/bench/report.ts'
import type { Ground } from './ground.ts'
import { openGround } from './ground.ts'
import { canMakeNamespaces, closeNamespaces } from './namespace.ts'
import { canRelayPackets } from './packet-relay.ts'
import { hasProxy } from './reverse-proxy.ts'
import { play } from './run.ts'
import type { Row, Scenario } from './scenario.ts'
import { scenarios } from './scenarios.ts'

/** Played side by side: most of the time of most scenarios is waiting. */
const LANES = 3
const grounds = new Set<Ground>()

export async function middlebox(names: readonly string[]): Promise<Report> {
  const wanted = names.length === 0 ? scenarios : scenarios.filter(({ name }) => names.includes(name))
  if (names.some((name) => !scenarios.some((scenario) => scenario.name === name)))
    throw new RangeError(`there is no such scenario; there are: ${scenarios.map(({ name }) => name).join(', ')}`)
  // Ctrl-C: what would outlive this process is ended first.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      closeNamespaces()
      void Promise.all([...grounds].map((ground) => ground.close())).finally(() => process.exit(130))
    })
  }
  const rows = await playAll(wanted.filter(isPossible))
  const left = wanted.filter((scenario) => !isPossible(scenario)).map(({ name }) => name)
  if (left.length > 0) console.error(`not possible on this machine: ${left.join(', ')}`)
  print(rows)
  if (rows.some(({ faults }) => faults.length > 0)) process.exitCode = 1
  // The table of its own says all that the rows of a report could.
  return { rows: [], result: { scenarios: rows } }
}

/** What needs programs or rights that this machine does not give is left out, and said. */
function isPossible({ box }: Scenario): boolean {
  if (box.kind === 'namespace') return canMakeNamespaces()
  if (box.kind === 'packets') return canMakeNamespaces() && canRelayPackets()
  return 'directives' in box ? hasProxy(box.kind) : true
}

/** A scenario that restarts the gateway has one of its own. */
export async function playAll(wanted: readonly Scenario[], lanes: number = LANES): Promise<Row[]> {
  const rows = new Map<Scenario, Row>()
  const queue = [...wanted]
  const ground = await opened()
  const lane = async (): Promise<void> => {
    for (let scenario = queue.shift(); scenario !== undefined; scenario = queue.shift())
      rows.set(scenario, await playOn(ground, scenario))
  }
  try {
    await Promise.all(Array.from({ length: Math.min(lanes, wanted.length) }, lane))
  } finally {
    await closed(ground)
  }
  return wanted.map((scenario) => rows.get(scenario)!)
}

async function playOn(shared: Ground, scenario: Scenario): Promise<Row> {
  if (!scenario.turns?.some(({ act }) => act === 'restart')) return await play(scenario, shared)
  const own = await opened()
  try {
    return await play(scenario, own)
  } finally {
    await closed(own)
  }
}

async function opened(): Promise<Ground> {
  const ground = await openGround()
  grounds.add(ground)
  return ground
}

async function closed(ground: Ground): Promise<void> {
  grounds.delete(ground)
  await ground.close()
}

function print(rows: readonly Row[]): void {
  const width = Math.max(...rows.map(({ name }) => name.length))
  const head = [
    'scenario'.padEnd(width),
    ' msgs',
    ' lost',
    ' dup',
    '  p50 ms',
    '  p99 ms',
    'first ms',
    ' re',
    'noticed',
    'recovered',
    'template',
  ]
  console.log(head.join(' '))
  for (const row of rows) {
    const { name, messages, lost, duplicates, p50_ms, p99_ms, first_ms, reconnects, template, faults } = row
    const { noticed_ms, recovered_ms } = row
    const cells = [
      [messages, 5],
      [lost, 5],
      [duplicates, 4],
      [p50_ms, 8],
      [p99_ms, 8],
      [first_ms, 8],
      [reconnects, 3],
      [noticed_ms ?? '-', 7],
      [recovered_ms ?? '-', 9],
    ] as const
    const numbers = cells.map(([value, wide]) => String(value).padStart(wide)).join(' ')
    const notes = [row.named.join(' '), faults.length > 0 ? `FAULT ${faults.join(', ')}` : '']
      .filter(Boolean)
      .join('  ')
    console.log(`${name.padEnd(width)} ${numbers} ${template.padEnd(12)} ${notes}`.trimEnd())
  }
}
