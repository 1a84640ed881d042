/**
 * `npm run -s lab -- transfer [--template ID] [--octets N] [--rounds N] [--json]`: a file over a bad path, and chat beside it.
 * The member, as people run it, lives in a network namespace behind a wire of 100 ms round trip on which one packet in a
 * hundred is lost; beside it plain undici moves the same octets over the same wire on as many connections.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { compileTemplate } from '#engine/compile.ts'
import { encodeInvite, parseInvite } from '#protocol/invite.ts'
import { loadBuiltin } from '../camouflage-templates/builtin.ts'
import type { Program } from '../scripts/bench/processes.ts'
import { start, startGateway, startOther } from '../scripts/bench/processes.ts'
import type { Report, Row } from '../scripts/bench/report.ts'
import { median, round } from '../scripts/bench/report.ts'
import { memberFlags } from '../scripts/node-flags.ts'
import { canMakeNamespaces, makeNamespace } from './middlebox/namespace.ts'
import { canRelayPackets, startPacketRelay } from './middlebox/packet-relay.ts'
import type { Place } from './middlebox/tcp-box.ts'
import { TcpBox } from './middlebox/tcp-box.ts'

/** Each way: together 100 ms and, of what goes there and back, two in a hundred. */
const WIRE = { delayMs: 50, loss: 0.01 }
/** Octets of a chat message as the mailbox gets it, and messages on the idle path. */
const MESSAGE = 700
const IDLE_MESSAGES = 40
const ways = ['up', 'down'] as const
type Way = (typeof ways)[number]

const bench = (name: string): string => join(import.meta.dirname, '..', 'scripts', 'bench', name)

interface Ground {
  readonly member: Program
  readonly plain: Program
  close(): Promise<void>
}

export async function transfer(args: readonly string[]): Promise<Report> {
  const { values } = parseArgs({
    args: [...args],
    options: { template: { type: 'string' }, octets: { type: 'string' }, rounds: { type: 'string' } },
  })
  const { template = 'downloads', octets = '10000000', rounds = '3' } = values
  if (!canMakeNamespaces() || !canRelayPackets())
    throw new Error('this needs root, /dev/net/tun, iproute2, nftables and socat')
  const connections = compileTemplate(loadBuiltin(template)).rhythm.concurrency
  const ground = await open(template, connections)
  try {
    return await measure(ground, Number(octets), Number(rounds), `${template}, ${connections} connections`)
  } finally {
    await ground.close()
  }
}

async function open(template: string, connections: number): Promise<Ground> {
  const closing: (() => void | Promise<void>)[] = []
  const close = async (): Promise<void> => {
    for (const each of closing.reverse()) await each()
  }
  try {
    const folder = mkdtempSync(join(tmpdir(), 'sotto-lab-'))
    closing.push(() => rmSync(folder, { recursive: true, force: true }))
    const namespace = makeNamespace([], undefined)
    closing.push(() => namespace.close())
    const outside = { here: namespace.address, there: namespace.inside }
    const relay = await startPacketRelay(namespace.name, outside, namespace.number, WIRE)
    closing.push(() => relay.close())
    const gateway = startGateway(['https'])
    const server = start(bench('plain-server.ts'), [])
    closing.push(
      () => gateway.end(),
      () => server.end(),
    )
    const { links, port } = (await gateway.next()) as { links: string[]; port: number }
    const plainPort = ((await server.next()) as { port: number }).port
    for (const each of [port, plainPort]) closing.push(await passOn({ host: relay.address, port: each }))
    const inside = (script: string, ...rest: string[]): Program => {
      const argv = [process.execPath, ...memberFlags, bench(script), ...rest]
      return startOther('ip', ['netns', 'exec', namespace.name, ...argv], ['pipe', 'pipe', 'inherit'])
    }
    const plain = inside('plain-client.ts', String(plainPort), String(connections), relay.address)
    const member = inside('client.ts', linkTo(links[0]!, relay.address), '--state', join(folder, 'member'))
    closing.push(
      () => plain.end(),
      () => member.end(),
    )
    member.tell({ template })
    await member.next()
    return { member, plain, close }
  } catch (error) {
    await close()
    throw error
  }
}

/** From the far end of the wire to the same port of this machine. */
async function passOn(place: Place): Promise<() => Promise<void>> {
  const box = new TcpBox({ host: '127.0.0.1', port: place.port }, {})
  await box.listen(place)
  return () => box.close()
}

function linkTo(link: string, address: string): string {
  const invite = parseInvite(link, Date.now())
  return encodeInvite({ ...invite, gateways: invite.gateways.map((each) => ({ ...each, addresses: [address] })) })
}

async function measure({ member, plain }: Ground, octets: number, rounds: number, setting: string): Promise<Report> {
  const ask = async <T>(program: Program, command: object): Promise<T> => {
    program.tell(command)
    return (await program.next()) as T
  }
  // Connections stand, and windows are open.
  for (const way of ways) {
    await ask(plain, { direction: way, octets: octets / 10 })
    await ask(member, { run: way, octets: octets / 10 })
  }
  const idle: number[] = []
  const speeds: Record<Way, { plain: number[]; sotto: number[]; messages: number[] }> = {
    up: { plain: [], sotto: [], messages: [] },
    down: { plain: [], sotto: [], messages: [] },
  }
  for (let i = 0; i < rounds; i++) {
    idle.push(...(await ask<{ ms: number[] }>(member, { run: 'echo', octets: MESSAGE, times: IDLE_MESSAGES })).ms)
    for (const way of ways) {
      speeds[way].plain.push((await ask<{ mbps: number }>(plain, { direction: way, octets })).mbps)
      const command = { run: 'beside', way, octets, size: MESSAGE }
      const { mbps, ms } = await ask<{ mbps: number; ms: number[] }>(member, command)
      speeds[way].sotto.push(mbps)
      speeds[way].messages.push(...ms)
    }
  }
  const rows: Row[] = [{ what: 'message, idle path', value: round(median(idle), 0), unit: 'ms', setting }]
  const result: Record<string, unknown> = { octets, rounds, idle_p50_ms: round(median(idle), 1) }
  for (const way of ways) {
    const { plain: plainly, sotto, messages } = speeds[way]
    const ratio = median(sotto) / median(plainly)
    const chat = median(messages) / median(idle)
    rows.push({ what: `${way}, plain undici`, value: round(median(plainly) * 1000, 0), unit: 'kB/s', setting })
    rows.push({ what: `${way}, sotto`, value: round(median(sotto) * 1000, 0), unit: 'kB/s', setting })
    rows.push({ what: `${way}, of plain`, value: round(ratio, 2), unit: '', setting })
    rows.push({ what: `message beside ${way}`, value: round(median(messages), 0), unit: 'ms', setting })
    rows.push({ what: `message beside ${way}, of idle`, value: round(chat, 2), unit: '', setting })
    result[`${way}_ratio`] = round(ratio)
    result[`${way}_kb_per_s`] = round(median(sotto) * 1000, 0)
    result[`${way}_message_ratio`] = round(chat)
    result[`${way}_messages`] = messages.length
  }
  return { rows, result }
}
