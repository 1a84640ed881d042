/**
 * A message of 200 octets from one member to another and back, through mailbox and held polls, against `ws` over TLS
 * doing the same; over a path with 40 ms round-trip time (a delaying relay between clients and server) and bare loopback.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from './ports.ts'
import type { Program } from './processes.ts'
import { start, startClient, startGateway } from './processes.ts'
import type { Report, Row } from './report.ts'
import { quantile, round } from './report.ts'

const OCTETS = 200
const TIMES = 60
const ROUNDS = 5
const ONE_WAY_MS = 20
const TEMPLATE = 'support-chat'
const here = (name: string): string => join(import.meta.dirname, name)

/** Two clients, of which one answers. */
interface Pair {
  ping(times: number): Promise<number[]>
  end(): Promise<void>
}

async function ask(program: Program, command: object): Promise<Record<string, unknown>> {
  program.tell(command)
  return (await program.next()) as Record<string, unknown>
}

async function delayed(target: number, port = 0): Promise<{ program: Program; port: number }> {
  const program = start(here('relay.ts'), [String(port), String(target), String(ONE_WAY_MS)])
  return { program, port: ((await program.next()) as { port: number }).port }
}

async function webSockets(slow: boolean): Promise<Pair> {
  const server = start(here('ws-server.ts'), [])
  const { port } = (await server.next()) as { port: number }
  const relay = slow ? await delayed(port) : undefined
  const clients = [0, 1].map(() => start(here('ws-client.ts'), [String(relay?.port ?? port)]))
  for (const client of clients) await client.next()
  await ask(clients[1]!, { run: 'answer', octets: OCTETS })
  return pairOf(clients, [server, ...(relay === undefined ? [] : [relay.program])], (times) => ({
    run: 'ping',
    octets: OCTETS,
    times,
  }))
}

async function members(slow: boolean): Promise<Pair> {
  const publicPort = slow ? await freePort() : 0
  const gateway = startGateway(['https', String(publicPort)])
  const { port, links } = (await gateway.next()) as { port: number; links: string[] }
  const relay = slow ? await delayed(port, publicPort) : undefined
  const folders = [0, 1].map(() => mkdtempSync(join(tmpdir(), 'sotto-bench-client-')))
  const clients = folders.map((folder, i) => startClient(links[i]!, ['--state', folder]))
  for (const client of clients) await ask(client, { template: TEMPLATE })
  const [a, b] = [await ask(clients[0]!, { run: 'queue' }), await ask(clients[1]!, { run: 'queue' })]
  await ask(clients[1]!, { run: 'answer', ...a, octets: OCTETS })
  const others = [gateway, ...(relay === undefined ? [] : [relay.program])]
  const pair = pairOf(clients, others, (times) => ({ run: 'ping', ...b, octets: OCTETS, times }))
  return {
    ...pair,
    end: async () => {
      await pair.end()
      for (const folder of folders) rmSync(folder, { recursive: true })
    },
  }
}

function pairOf(clients: readonly Program[], others: readonly Program[], command: (times: number) => object): Pair {
  return {
    ping: async (times) => (await ask(clients[0]!, command(times))).ms as number[],
    end: async () => {
      for (const program of [...clients, ...others]) await program.end()
    },
  }
}

export async function latency(): Promise<Report> {
  const rows: Row[] = []
  const result: Record<string, unknown> = { template: TEMPLATE, cover: 'off' }
  for (const slow of [true, false]) {
    const ms = await compare(slow)
    const place = slow ? '40 ms round trip' : 'bare loopback'
    for (const [name, values] of Object.entries(ms)) {
      const setting = name === 'ws' ? `wss, ${place}` : `${TEMPLATE}, cover off, broker and core, ${place}`
      for (const q of [0.5, 0.99])
        rows.push({ what: `${name} p${q * 100}`, value: round(quantile(values, q), 1), unit: 'ms', setting })
    }
    const prefix = slow ? '' : 'loopback_'
    for (const q of [0.5, 0.99]) {
      const ratio = quantile(ms.sotto, q) / quantile(ms.ws, q)
      result[`${prefix}p${q * 100}_ratio`] = round(ratio)
      result[`${prefix}p${q * 100}_ms`] = round(quantile(ms.sotto, q), 1)
    }
  }
  return { rows, result }
}

async function compare(slow: boolean): Promise<{ ws: number[]; sotto: number[] }> {
  const [reference, ours] = [await webSockets(slow), await members(slow)]
  await Promise.all([reference.ping(5), ours.ping(5)])
  const ms = { ws: [] as number[], sotto: [] as number[] }
  for (let i = 0; i < ROUNDS; i++) {
    ms.ws.push(...(await reference.ping(TIMES)))
    ms.sotto.push(...(await ours.ping(TIMES)))
  }
  await Promise.all([reference.end(), ours.end()])
  return ms
}
