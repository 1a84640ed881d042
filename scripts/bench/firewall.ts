/**
 * What the firewall's own process costs: the client as shipped, broker and confined core, against the same client with the
 * firewall in one process (library mode), with one gateway. Latency over a path with 40 ms round-trip time, to the gateway
 * and back; bulk on the bare loopback. Rounds are paired, short, and their order alternates, so that a slow moment of the machine
 * weighs on both sides; intervals are of the median of the rounds' ratios, by resampling.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from './ports.ts'
import type { Program } from './processes.ts'
import { start, startClient, startGateway, startOneProcess } from './processes.ts'
import type { Report, Row } from './report.ts'
import { interval, median, round } from './report.ts'

const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 10)
/** A round of latency is a few messages, and there are so many times more of them. */
const ECHOES = 4
const LATENCY_ROUNDS = 10 * ROUNDS
const OCTETS = Number(process.env.BENCH_OCTETS ?? 60_000_000)
const MESSAGE = 200
const ONE_WAY_MS = 20

type Name = 'two' | 'one'
const settings: Readonly<Record<Name, string>> = { two: 'broker and confined core', one: 'one process, library mode' }

interface Rig {
  readonly clients: Readonly<Record<Name, Program>>
  end(): Promise<void>
}

async function rig(template: string, slow: boolean): Promise<Rig> {
  const publicPort = slow ? await freePort() : 0
  const gateway = startGateway(['https', String(publicPort)])
  const { port, links } = (await gateway.next()) as { port: number; links: string[] }
  const others = [gateway]
  if (slow) {
    const relay = start(join(import.meta.dirname, 'relay.ts'), [String(publicPort), String(port), String(ONE_WAY_MS)])
    await relay.next()
    others.push(relay)
  }
  const folders = [0, 1].map(() => mkdtempSync(join(tmpdir(), 'sotto-bench-client-')))
  const clients = {
    two: startClient(links[0]!, ['--state', folders[0]!]),
    one: startOneProcess(links[1]!, folders[1]!),
  }
  for (const client of Object.values(clients)) {
    client.tell({ template, ...(slow ? {} : { rhythm: { concurrency: 5 } }) })
    await client.next()
  }
  return {
    clients,
    end: async () => {
      for (const program of [...Object.values(clients), ...others]) await program.end()
      for (const folder of folders) rmSync(folder, { recursive: true })
    },
  }
}

/** One figure of each client, in each of the rounds. */
async function paired(rounds: number, measure: (name: Name) => Promise<number>): Promise<Record<Name, number[]>> {
  const values: Record<Name, number[]> = { two: [], one: [] }
  for (const name of ['two', 'one'] as const) await measure(name)
  for (let i = 0; i < rounds; i++) {
    const order: readonly Name[] = i % 2 === 0 ? ['two', 'one'] : ['one', 'two']
    for (const name of order) values[name].push(await measure(name))
  }
  return values
}

const ratios = ({ two, one }: Record<Name, number[]>): number[] => two.map((value, i) => value / one[i]!)

export async function firewall(): Promise<Report> {
  const rows: Row[] = []
  const result: Record<string, unknown> = { rounds: ROUNDS }
  for (const slow of [true, false]) {
    const { clients, end } = await rig('support-chat', slow)
    const ms = await paired(LATENCY_ROUNDS, async (name) => {
      clients[name].tell({ run: 'echo', octets: MESSAGE, times: ECHOES })
      return median(((await clients[name].next()) as { ms: number[] }).ms)
    })
    await end()
    const place = slow ? '40 ms round trip' : 'bare loopback'
    const key = slow ? 'latency' : 'loopback_latency'
    add(key, 'ms', `support-chat, ${place}`, ms, rows, result)
  }
  const { clients, end } = await rig('downloads', false)
  for (const direction of ['up', 'down'] as const) {
    const mbps = await paired(ROUNDS, async (name) => {
      clients[name].tell({ run: direction, octets: OCTETS })
      return ((await clients[name].next()) as { mbps: number }).mbps
    })
    add(`tunnel_${direction}`, 'MB/s', 'downloads, 4 exchanges', mbps, rows, result)
  }
  await end()
  const { latency_ratio: ratio } = result as { latency_ratio: number }
  result.latency_overhead_percent = round(100 * (ratio - 1), 2)
  return { rows, result }
}

function add(
  key: string,
  unit: string,
  setting: string,
  values: Record<Name, number[]>,
  rows: Row[],
  result: Record<string, unknown>,
): void {
  for (const name of ['two', 'one'] as const) {
    rows.push({
      what: `${key} ${name}`,
      value: round(median(values[name]), 2),
      unit,
      setting: `${setting}, ${settings[name]}`,
    })
  }
  const { middle, low, high } = interval(ratios(values))
  rows.push({
    what: `${key} ratio`,
    value: round(middle),
    unit: '',
    setting: `95 % between ${round(low)} and ${round(high)}`,
  })
  result[`${key}_ratio`] = round(middle)
  result[`${key}_ratio_95`] = [round(low), round(high)]
  for (const name of ['two', 'one'] as const) result[`${key}_${name}`] = round(median(values[name]), 2)
}
