/**
 * `npm run -s lab -- leaks [--quick]`: everything that could get out tries to, in every place, while a capture watches the wire.
 * Twice: first with nothing that guards, to see that the attempts are real; then in the program.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Report, Row } from '../../scripts/bench/report.ts'
import type { ExchangeLine, Place, TriedLine } from './lines.ts'
import type { Packet, Wire } from './wire.ts'
import { openWire, whyNoWire } from './wire.ts'

/** What one pass within the namespace has printed. */
interface Pass {
  readonly tried: readonly TriedLine[]
  readonly exchanges: readonly ExchangeLine[]
  readonly ports: readonly number[]
  readonly talk: { readonly said: number; readonly lost: number; readonly twice: number } | undefined
  readonly packets: readonly Packet[]
}

interface Shown {
  readonly attempts: number
  /** Attempts whose packets were seen. */
  readonly seen: number
  readonly packets: number
}

export interface LeaksResult {
  readonly attempts: number
  readonly refused: number
  readonly packets_elsewhere: number
  /** Attempts by place, and how many of them were told by an event. */
  readonly places: Readonly<
    Record<string, { readonly attempts: number; readonly refused: number; readonly told: number }>
  >
  /** With nothing that guards: to see that the attempts are real. */
  readonly unguarded: Shown | undefined
  /** Raw handles and system calls in a process that is only locked down: what the kernel is for. */
  readonly below_lockdown: Shown | undefined
  readonly exchanges: number
  readonly exchanges_failed: number
  readonly said: number
  readonly lost: number
  readonly twice: number
  /** What got out, by name. */
  readonly faults: readonly string[]
}

export async function leaks(args: readonly string[]): Promise<Report> {
  const why = whyNoWire()
  if (why !== undefined) throw new Error(`leaks cannot run here: ${why}`)
  const quick = args.includes('--quick')
  const open = quick ? undefined : await pass(['open'])
  const below = quick ? undefined : await pass(['below'])
  const result = judged(await pass(['measured', ...(quick ? ['quick'] : [])]), open, below)
  if (result.faults.length > 0) {
    process.exitCode = 1
    for (const fault of result.faults) console.error(fault)
  }
  return { rows: rowsOf(result), result: { ...result } }
}

/** One run of inside.ts, watched. */
async function pass(args: readonly string[]): Promise<Pass> {
  const wire = await openWire()
  const stop = (): void => {
    wire.close()
    process.exit(130)
  }
  process.once('SIGINT', stop)
  process.once('SIGTERM', stop)
  try {
    const lines = await runInside(wire, args)
    await wire.settle()
    const of = <T>(key: string): T[] => lines.filter((line) => key in line) as T[]
    const [talk] = of<{ talk: Pass['talk'] }>('talk')
    return {
      tried: of<TriedLine>('outcome'),
      exchanges: of<ExchangeLine>('exchanges'),
      ports: of<{ ports: number[] }>('ports').flatMap(({ ports }) => ports),
      talk: talk?.talk,
      packets: wire.packets,
    }
  } finally {
    process.off('SIGINT', stop)
    process.off('SIGTERM', stop)
    wire.close()
  }
}

async function runInside(wire: Wire, args: readonly string[]): Promise<object[]> {
  const inside = join(import.meta.dirname, 'inside.ts')
  const [command, ...rest] = [...wire.enter, process.execPath, '--no-warnings', inside, ...args]
  const child = spawn(command!, rest, { stdio: ['ignore', 'pipe', 'inherit'] })
  const lines: object[] = []
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (line.startsWith('{')) lines.push(JSON.parse(line))
  })
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`inside.ts ${args.join(' ')} ended with ${code}`)
  return lines
}

/** Attempts whose packets were seen. */
function shown({ tried, packets, ports }: Pass): Shown {
  const elsewhere = packets.filter((packet) => !isOurs(packet, ports))
  const seen = tried.filter((line) => elsewhere.some((packet) => isWithin(packet, line))).length
  return { attempts: tried.length, seen, packets: elsewhere.length }
}

function judged(
  { tried, exchanges, ports, talk, packets }: Pass,
  open: Pass | undefined,
  below: Pass | undefined,
): LeaksResult {
  const elsewhere = packets.filter((packet) => !isOurs(packet, ports))
  const leaked = tried.filter((line) => !line.refused)
  const names = [...new Set(tried.map(({ place }) => place))]
  const places = Object.fromEntries(
    names.map((place) => [place, countOf(tried.filter((line) => line.place === place))]),
  )
  const sum = (pick: (line: ExchangeLine) => number): number => exchanges.reduce((total, line) => total + pick(line), 0)
  return {
    ...{ attempts: tried.length, refused: tried.length - leaked.length, packets_elsewhere: elsewhere.length, places },
    unguarded: open && shown(open),
    below_lockdown: below && shown(below),
    ...{ exchanges: sum((line) => line.exchanges), exchanges_failed: sum(({ failed }) => failed) },
    ...{ said: talk?.said ?? 0, lost: talk?.lost ?? 0, twice: talk?.twice ?? 0 },
    faults: [
      ...leaked.map(({ place, family, name, outcome }) => `${place}: ${family}, ${name}: ${outcome}`),
      ...elsewhere.map(
        ({ text, at }) => `${text} (${tried.find((line) => isWithin({ at }, line))?.name ?? 'between attempts'})`,
      ),
    ],
  }
}

const isWithin = ({ at }: Pick<Packet, 'at'>, { from, to }: TriedLine): boolean => at >= from - 1 && at <= to + 1

function countOf(lines: readonly TriedLine[]) {
  return {
    attempts: lines.length,
    refused: lines.filter(({ refused }) => refused).length,
    told: lines.filter(({ told }) => told > 0).length,
  }
}

/** On loopback, to or from a gateway of ours. */
function isOurs({ device, from, to }: Packet, ports: readonly number[]): boolean {
  return device === 'lo' && ports.some((port) => from.endsWith(`.${port}`) || to.endsWith(`.${port}`))
}

const meanings: Readonly<Record<Place, string>> = {
  open: 'nothing guards',
  core: 'in the core, under Node’s permissions',
  broker: 'in the broker, after the lockdown',
  kernel: 'bound by the kernel alone, as under --confine',
  dependency: 'a bad package, in both halves',
  answers: 'answers of a hostile gateway',
  environment: 'variables of the environment',
}

function rowsOf(result: LeaksResult): Row[] {
  const { unguarded, below_lockdown: below, places } = result
  return [
    ...Object.entries(places).map(([place, { attempts, refused, told }]) => ({
      ...{ what: meanings[place as Place], value: attempts, unit: 'attempts' },
      setting: `${refused} refused, ${told} told`,
    })),
    { what: 'packets elsewhere', value: result.packets_elsewhere, unit: 'packets', setting: 'in the program' },
    ...(unguarded === undefined
      ? []
      : [
          {
            ...{ what: 'the same, with nothing that guards', value: unguarded.packets, unit: 'packets' },
            setting: `${unguarded.seen} of ${unguarded.attempts} attempts were seen on the wire`,
          },
        ]),
    ...(below === undefined
      ? []
      : [
          {
            ...{ what: 'raw handles and system calls, lockdown alone', value: below.packets, unit: 'packets' },
            setting: `${below.seen} of ${below.attempts} attempts were seen on the wire: the kernel's to refuse`,
          },
        ]),
    {
      ...{ what: 'exchanges meanwhile', value: result.exchanges, unit: 'exchanges' },
      setting: `${result.exchanges_failed} failed`,
    },
    {
      what: 'messages meanwhile',
      value: result.said,
      unit: 'messages',
      setting: `${result.lost} lost, ${result.twice} twice`,
    },
  ]
}
