/**
 * What a gateway behind nginx costs the site's own pages, on paths that no template uses: nginx's requests a second and CPU
 * time with a gateway behind it against the same nginx without, and beside it the same for two of those without.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SharedOwner } from '#test/helpers/command.ts'
import { gatewayText, hasNginx, mainText, runNginx, websiteText } from '#test/helpers/front-nginx.ts'
import { freePort } from './ports.ts'
import type { Program } from './processes.ts'
import { startGateway } from './processes.ts'
import type { Report, Row } from './report.ts'
import { interval, round } from './report.ts'

const REQUESTS = 12_000
const ROUNDS = 12
const SITE = new URL('../../gateway/decoy/sample-site', import.meta.url).pathname

/** One nginx, one process. */
interface Front {
  readonly port: number
  readonly pid: number
}

interface Measured {
  readonly perSecond: number
  readonly us: number
}

/** Nothing where there is no nginx. `load`: load.ts. */
export async function ownPages(load: Program): Promise<Report> {
  if (!hasNginx()) return { rows: [], result: {} }
  const owner = new SharedOwner()
  const folder = mkdtempSync(join(tmpdir(), 'sotto-bench-pages-'))
  owner.teardown(() => rmSync(folder, { recursive: true }))
  try {
    const gateway = startGateway(['unix'])
    owner.teardown(() => gateway.end())
    const { socket } = (await gateway.next()) as { socket: string }
    const withIt = await front(owner, join(folder, 'with'), gatewayText(socket))
    const [without, again] = [await front(owner, join(folder, 'without')), await front(owner, join(folder, 'again'))]
    return await compare(load, [withIt, without, again])
  } finally {
    await owner.end()
  }
}

async function front(owner: SharedOwner, folder: string, more = ''): Promise<Front> {
  mkdirSync(folder)
  const port = await freePort()
  const server = `
  server {
    listen 127.0.0.1:${port};
    keepalive_timeout 75s;
    keepalive_requests 10000000;
${websiteText(SITE)}
    location / {
      try_files /no-such-file @decoy;
    }
${more}
  }`
  await runNginx(owner, folder, mainText(folder, server))
  while (!(await answers(port))) await new Promise((resolve) => setTimeout(resolve, 20))
  return { port, pid: Number(readFileSync(join(folder, 'nginx.pid'), 'utf8')) }
}

async function answers(port: number): Promise<boolean> {
  return await fetch(`http://127.0.0.1:${port}/`).then(
    (answer) => answer.ok,
    () => false,
  )
}

/** Each round asks all, beginning with another one each time. */
async function compare(load: Program, fronts: readonly [Front, Front, Front]): Promise<Report> {
  const rounds: Measured[][] = []
  for (let round = -1; round < ROUNDS; round++) {
    const found: Measured[] = []
    for (let turn = 0; turn < fronts.length; turn++) {
      const at = (turn + round + 1) % fronts.length
      found[at] = await measure(load, fronts[at]!)
    }
    // The first one warms up.
    if (round >= 0) rounds.push(found)
  }
  const ratio = (key: keyof Measured, of: number, against: number): ReturnType<typeof interval> =>
    interval(rounds.map((each) => each[of]![key] / each[against]![key]))
  const figures = {
    pages_ratio: ratio('perSecond', 0, 1),
    pages_null: ratio('perSecond', 2, 1),
    pages_cpu_ratio: ratio('us', 0, 1),
    pages_cpu_null: ratio('us', 2, 1),
  }
  const setting = `sample site, plain HTTP, 16 connections, ${ROUNDS} rounds of ${REQUESTS} requests`
  const rows = Object.entries(figures).map(([name, { middle, low, high }]): Row => {
    const what = `${name.includes('null') ? 'without against without' : 'with a gateway behind against without'}`
    const of = name.includes('cpu') ? 'CPU of nginx a page' : 'pages a second'
    const range = `(${round(low)} to ${round(high)})`
    return { what: `behind nginx: ${of}, ${what}`, value: round(middle), unit: 'ratio', setting: `${range} ${setting}` }
  })
  const result = Object.fromEntries(Object.entries(figures).map(([name, { middle }]) => [name, round(middle)]))
  return { rows, result }
}

async function measure(load: Program, { port, pid }: Front): Promise<Measured> {
  const before = cpuOf(pid)
  load.tell({ port, requests: REQUESTS, kind: 'site' })
  const { perSecond } = (await load.next()) as { perSecond: number }
  return { perSecond, us: (cpuOf(pid) - before) / REQUESTS }
}

/** Microseconds on a processor, of a process with one thread: Linux has them in nanoseconds. */
const cpuOf = (pid: number): number => Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[0]) / 1000
