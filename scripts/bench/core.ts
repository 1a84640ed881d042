/**
 * The core of a benchmark's client. First line in: {link, template}; then commands, one line each, answered by one line.
 *   {run: 'up' | 'down', octets}            -> {mbps}
 *   {run: 'echo', octets, times}            -> {ms: [..]}        round trips to the gateway
 *   {run: 'beside', way, octets, size}      -> {mbps, ms: [..]}  a transfer, and round trips of `size` octets meanwhile
 *   {run: 'pair', ...}                      see latency.ts
 * Started by client.ts it is confined, with its broker in another process. With the arguments `one-process LINK FOLDER` the
 * firewall is in this one, as a program has it that uses Sotto as a library.
 */
import { createInterface } from 'node:readline'
import { realClockwork } from '#client/clockwork.ts'
import { Mailboxes } from '#client/services/mailbox.ts'
import { Tunnel } from '#client/tunnel.ts'
import { compileTemplate } from '#engine/compile.ts'
import { inheritedBroker } from '#firewall/core-side.ts'
import type { Broker } from '#firewall/permit.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import { CallInterrupted, openStream } from '#protocol/services/rpc.ts'
import { Priority } from '#protocol/session/stream.ts'
import { loadBuiltin } from '../../camouflage-templates/builtin.ts'
import { drain, pour } from './bulk-service.ts'
import { METER_TIMES } from './meter-times.ts'

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
const read = async (): Promise<Record<string, unknown> | undefined> => {
  const { value, done } = await lines.next()
  return done ? undefined : JSON.parse(value)
}
const say = (value: unknown): void => console.log(JSON.stringify(value))
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const unhex = (text: unknown): Uint8Array => new Uint8Array(Buffer.from(String(text), 'hex'))

async function openFirewall(): Promise<Broker & { close(): unknown }> {
  const [mode, link, folder] = process.argv.slice(2)
  if (mode !== 'one-process') {
    return inheritedBroker((error) => {
      throw error
    })
  }
  const { systemBroker } = await import('#firewall/system-broker.ts')
  const { systemWay } = await import('#firewall/way-out.ts')
  const whole = await systemBroker(folder!, systemWay, { meterTimes: METER_TIMES })
  await whole.admitInvite(link!)
  return whole
}

const first = (await read()) as { template: string; rhythm?: object }
const broker = await openFirewall()
const [endpoint] = await broker.joined()
const template = compileTemplate(loadBuiltin(first.template))
const tunnel = new Tunnel({
  permit: await broker.permit(endpoint!.id),
  template: { ...template, rhythm: { ...template.rhythm, ...first.rhythm } },
  clockwork: realClockwork,
  preferredAead: 1,
})
await tunnel.session(20_000)
say({ ready: true })

async function move(run: 'up' | 'down', octets: number): Promise<number> {
  const session = await tunnel.session()
  const began = performance.now()
  await new Promise<void>((resolve, reject) => {
    const stream = openStream(session.mux, run === 'up' ? 'bench.sink' : 'bench.source', { octets }, Priority.bulk)
    stream.onReset = (code) => reject(new CallInterrupted(code))
    drain(stream, () => resolve())
    if (run === 'up') pour(stream, octets)
  })
  return octets / (performance.now() - began) / 1000
}

async function echo(octets: number, times: number): Promise<number[]> {
  const body = randomBytes(octets)
  const ms: number[] = []
  for (let i = 0; i < times; i++) {
    const began = performance.now()
    await tunnel.call('bench.echo', { body })
    ms.push(performance.now() - began)
  }
  return ms
}

/** Messages one after another, with a pause as people make, for as long as a file is under way. */
async function beside(way: 'up' | 'down', octets: number, size: number): Promise<{ mbps: number; ms: number[] }> {
  const ms: number[] = []
  let isOver = false
  const talk = async (): Promise<void> => {
    while (!isOver) {
      ms.push(...(await echo(size, 1)))
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
  }
  const talking = talk()
  const mbps = await move(way, octets)
  isOver = true
  await talking
  return { mbps, ms }
}

// ---- two members: a message there and back through held polls --------------------------------------------------------

let onDelivery: () => void = () => {}
const mailboxes = new Mailboxes(realClockwork)
mailboxes.add(tunnel)
const [gateway] = mailboxes.homes()
const own = {
  gateway: gateway!,
  rid: randomBytes(24),
  sid: randomBytes(24),
  rauth: randomBytes(32),
  sauth: randomBytes(32),
  seal: randomBytes(32),
}
mailboxes.onMessage(async ({ id }) => {
  onDelivery()
  void mailboxes.ack(own, [id])
})

async function openQueue(): Promise<{ sid: string; sauth: string }> {
  await mailboxes.create({ ...own, policy: 'disk', ttlSeconds: 3_600, quiet: false })
  mailboxes.setQueues([own])
  return { sid: hex(own.sid), sauth: hex(own.sauth) }
}

const put = (to: { sid: Uint8Array; sauth: Uint8Array }, octets: number): Promise<unknown> =>
  mailboxes.put({ ...to, gateway: gateway!, id: randomBytes(16), body: randomBytes(octets) })

function answerAll(to: { sid: Uint8Array; sauth: Uint8Array }, octets: number): void {
  onDelivery = () => void put(to, octets)
}

async function pingPong(to: { sid: Uint8Array; sauth: Uint8Array }, octets: number, times: number): Promise<number[]> {
  const ms: number[] = []
  for (let i = 0; i < times; i++) {
    const began = performance.now()
    const back = new Promise<void>((resolve) => {
      onDelivery = resolve
    })
    await Promise.all([put(to, octets), back])
    ms.push(performance.now() - began)
  }
  return ms
}

for (let command = await read(); command !== undefined; command = await read()) {
  const { run, octets, times } = command as { run: string; octets: number; times: number }
  const to = { sid: unhex(command.sid), sauth: unhex(command.sauth) }
  if (run === 'up' || run === 'down') say({ mbps: await move(run, octets) })
  else if (run === 'beside') say(await beside(command.way as 'up' | 'down', octets, Number(command.size)))
  else if (run === 'echo') say({ ms: await echo(octets, times) })
  else if (run === 'queue') say(await openQueue())
  else if (run === 'answer') {
    answerAll(to, octets)
    say({ ok: true })
  } else if (run === 'ping') say({ ms: await pingPong(to, octets, times) })
}
await tunnel.stop()
broker.close()
