/**
 * Bulk throughput through the fastest template over TLS, with client and gateway as shipped, against plain HTTPS moving
 * the same octets and, where it is installed, against v2ray. The three are measured in turn, in each of several rounds.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { memberFlags } from '../node-flags.ts'
import type { Program } from './processes.ts'
import { start, startClient, startGateway } from './processes.ts'
import type { Report, Row } from './report.ts'
import { median, round } from './report.ts'
import { startV2ray, v2rayInstalled } from './v2ray.ts'

const OCTETS = Number(process.env.BENCH_OCTETS ?? 300_000_000)
const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 5)
const CONNECTIONS = 4
const here = (name: string): string => join(import.meta.dirname, name)

type Direction = 'up' | 'down'
interface Contestant {
  readonly name: string
  readonly setting: string
  measure(direction: Direction, octets: number): Promise<number>
  end(): Promise<void>
}

async function plain(name: string, flags: readonly string[], note: string): Promise<Contestant> {
  const server = start(here('plain-server.ts'), [], flags)
  const { port } = (await server.next()) as { port: number }
  const client = start(here('plain-client.ts'), [String(port), String(CONNECTIONS)], flags)
  const setting = `undici to node:https, bodies of 256 KiB, ${CONNECTIONS} connections, ${note}`
  return meter(name, setting, client, [server])
}

async function sotto(template: string): Promise<Contestant> {
  const gateway = startGateway(['https'])
  const { links } = (await gateway.next()) as { links: string[] }
  const state = mkdtempSync(join(tmpdir(), 'sotto-bench-client-'))
  const client = startClient(links[0]!, ['--state', state])
  client.tell({ template, rhythm: { concurrency: CONNECTIONS + 1 } })
  await client.next()
  const contestant = meter('sotto', `${template}, ${CONNECTIONS} exchanges, cover off, broker and core`, client, [
    gateway,
  ])
  return {
    ...contestant,
    end: async () => {
      await contestant.end()
      rmSync(state, { recursive: true })
    },
  }
}

function meter(name: string, setting: string, client: Program, others: readonly Program[]): Contestant {
  return {
    name,
    setting,
    measure: async (direction, octets) => {
      client.tell({ run: direction, direction, octets })
      return ((await client.next()) as { mbps: number }).mbps
    },
    end: async () => {
      for (const program of [client, ...others]) await program.end()
    },
  }
}

async function v2ray(): Promise<Contestant> {
  const peer = await startV2ray()
  return { ...peer, name: 'v2ray', setting: 'VLESS, WebSocket, TLS; one connection' }
}

export async function tunnel(template = 'downloads'): Promise<Report> {
  const contestants = [
    await plain('plain', [], 'Node as it is'),
    // V8 collects less with our flags, in anybody's program: said apart, so that no ratio hides it.
    await plain('plain_same_flags', memberFlags, 'with our flags of Node'),
    await sotto(template),
    ...(v2rayInstalled() ? [await v2ray()] : []),
  ]
  const speeds = new Map<string, number[]>()
  const run = async (contestant: Contestant, direction: Direction, octets: number): Promise<void> => {
    const key = `${contestant.name} ${direction}`
    speeds.set(key, [...(speeds.get(key) ?? []), await contestant.measure(direction, octets)])
  }
  for (const contestant of contestants)
    for (const direction of ['up', 'down'] as const) await contestant.measure(direction, OCTETS / 4)
  for (let i = 0; i < ROUNDS; i++) {
    for (const direction of ['up', 'down'] as const)
      for (const contestant of contestants) await run(contestant, direction, OCTETS)
  }
  for (const contestant of contestants) await contestant.end()
  return report(contestants, speeds)
}

function report(contestants: readonly Contestant[], speeds: ReadonlyMap<string, number[]>): Report {
  const rows: Row[] = []
  const result: Record<string, unknown> = {}
  for (const { name, setting } of contestants) {
    for (const direction of ['up', 'down'] as const) {
      const mbps = median(speeds.get(`${name} ${direction}`)!)
      rows.push({ what: `${name} ${direction}`, value: round(mbps, 0), unit: 'MB/s', setting })
      result[`${name}_${direction}_mbps`] = round(mbps, 1)
    }
  }
  const ratio = (direction: Direction, against: string): number | null => {
    const other = speeds.get(`${against} ${direction}`)
    // Ratio of each round, so that a slow moment of the machine weighs on both sides.
    return other === undefined
      ? null
      : round(median(speeds.get(`sotto ${direction}`)!.map((value, i) => value / other[i]!)))
  }
  result.up_ratio = ratio('up', 'plain')
  result.down_ratio = ratio('down', 'plain')
  result.same_flags_up_ratio = ratio('up', 'plain_same_flags')
  result.same_flags_down_ratio = ratio('down', 'plain_same_flags')
  result.v2ray_up_ratio = ratio('up', 'v2ray')
  result.v2ray_down_ratio = ratio('down', 'v2ray')
  return { rows, result }
}
