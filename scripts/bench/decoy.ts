/**
 * What recognition costs those who are not recognised: requests a second of the site with and without it, CPU time added to a
 * stranger's request on a path that a template uses, and behind nginx what a page costs that is no template's.
 */
import { join } from 'node:path'
import { ownPages } from './own-pages.ts'
import type { Program } from './processes.ts'
import { start, startGateway } from './processes.ts'
import type { Report } from './report.ts'
import { interval, median, round } from './report.ts'

/** Many short rounds: what disturbs the machine for a second spoils few of them. */
const REQUESTS = 4_000
const ROUNDS = 31
const here = (name: string): string => join(import.meta.dirname, name)

interface Measured {
  readonly perSecond: number
  /** CPU microseconds of the server a request. */
  readonly us: number
}

async function cpu(server: Program): Promise<number> {
  server.tell({ run: 'cpu' })
  return ((await server.next()) as { us: number }).us
}

async function measure(load: Program, server: Program, port: number, kind: 'site' | 'template'): Promise<Measured> {
  const before = await cpu(server)
  load.tell({ port, requests: REQUESTS, kind })
  const { perSecond } = (await load.next()) as { perSecond: number }
  return { perSecond, us: ((await cpu(server)) - before) / REQUESTS }
}

export async function decoy(): Promise<Report> {
  const [gateway, site, load] = [startGateway(['http']), start(here('h3-site.ts'), []), start(here('load.ts'), [])]
  const ports = [
    ((await gateway.next()) as { port: number }).port,
    ((await site.next()) as { port: number }).port,
  ] as const
  const ratios: number[] = []
  const added: number[] = []
  const speeds: number[] = []
  const pairOfRuns = async (kind: 'site' | 'template', first: boolean): Promise<[Measured, Measured]> => {
    // Whoever comes second finds a warmer machine: take turns.
    if (first) return [await measure(load, gateway, ports[0], kind), await measure(load, site, ports[1], kind)]
    const without = await measure(load, site, ports[1], kind)
    return [await measure(load, gateway, ports[0], kind), without]
  }
  for (const kind of ['site', 'template'] as const) await pairOfRuns(kind, true)
  for (let i = 0; i < ROUNDS; i++) {
    const [withIt, without] = await pairOfRuns('site', i % 2 === 0)
    ratios.push(withIt.perSecond / without.perSecond)
    speeds.push(withIt.perSecond)
    const [strangers, reference] = await pairOfRuns('template', i % 2 === 0)
    added.push(strangers.us - reference.us)
  }
  for (const program of [gateway, site]) await program.end()
  const pages = await ownPages(load)
  await load.end()
  const ratio = interval(ratios)
  const range = `(${round(ratio.low)} to ${round(ratio.high)})`
  const setting = `sample site, plain HTTP, 16 connections, three templates live, ${ROUNDS} rounds of ${REQUESTS} requests`
  return {
    rows: [
      { what: 'site with recognition', value: round(median(speeds), 0), unit: 'requests/s', setting },
      { what: 'against h3 alone', value: round(ratio.middle), unit: 'ratio', setting: `${range} ${setting}` },
      { what: 'added to a stranger on a template path', value: round(median(added), 1), unit: 'us CPU', setting },
      ...pages.rows,
    ],
    result: {
      ratio: round(ratio.middle),
      ratio_low: round(ratio.low),
      ratio_high: round(ratio.high),
      stranger_us: round(median(added), 1),
      requests_per_second: round(median(speeds), 0),
      ...pages.result,
    },
  }
}
