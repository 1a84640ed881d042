/**
 * What the firewall keeps, read without holding its folder: so that a person can look while a chat is running. Nothing is
 * written, and what is read may be a moment old.
 */
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Millis } from '#protocol/bytes.ts'
import { empty } from '#protocol/bytes.ts'
import { AUDIT_FILES } from './audit.ts'
import type { FlowView } from './meter.ts'
import { Meter } from './meter.ts'
import { MeterStore } from './meter-store.ts'
import { gateFolder } from './options.ts'
import { keyUnder } from './password.ts'
import type { FirewallEvent } from './permit.ts'
import type { Endpoint } from './policy.ts'
import type { Unlocked } from './unlock.ts'
import { Vault } from './vault.ts'

export interface Looked {
  readonly endpoints: readonly Endpoint[]
  /** Those that can still be brought back. */
  readonly removed: readonly Endpoint[]
  flow(endpoint: Endpoint): FlowView
}

/** @throws SottoError E_STATE_UNREADABLE */
export async function look(folder: string, now: Millis, unlocked: Unlocked | undefined): Promise<Looked> {
  const vault = await Vault.look(folder, unlocked && keyUnder(unlocked.secret, 'broker'))
  if (vault === undefined) return { endpoints: [], removed: [], flow: (endpoint) => fresh(now).view(endpoint, now) }
  const stored = await new MeterStore(folder, vault.derive('sotto/1/meter'), () => empty).read()
  const meter = new Meter(stored, now, () => {})
  return {
    endpoints: [...vault.endpoints.values()],
    removed: vault.kept.changes.flatMap(({ removed }) => removed),
    flow: (endpoint) => meter.view(endpoint, now),
  }
}

const fresh = (now: Millis): Meter => new Meter(new Map(), now, () => {})

/** A line of the log: an event, or the count of those left out in a flood. */
export type LogLine = FirewallEvent | { readonly at: Millis; readonly kind: 'omitted'; readonly count: number }

/**
 * Calls `each` for every line, oldest first, those of the gate (`--confine`) among them. Half a line at the end is left for
 * later: returns the octets read of the broker's newer file.
 */
export async function readLog(folder: string, each: (line: LogLine) => void): Promise<number> {
  const gate: LogLine[] = []
  await readFiles(gateFolder(folder), (line) => gate.push(line))
  const end = await readFiles(folder, (line) => {
    while (gate[0] !== undefined && gate[0].at <= line.at) each(gate.shift()!)
    each(line)
  })
  for (const line of gate) each(line)
  return end
}

async function readFiles(folder: string, each: (line: LogLine) => void): Promise<number> {
  let end = 0
  for (const name of AUDIT_FILES.toReversed()) end = await readLines(join(folder, name), 0, each)
  return end
}

/** The lines of the newer file from `start` on, as `readLog`; from its beginning where it is another file by now. */
export async function readLogFrom(folder: string, start: number, each: (line: LogLine) => void): Promise<number> {
  const path = join(folder, AUDIT_FILES[0])
  const size = await sizeOf(path)
  return size < start ? await readLines(path, 0, each) : await readLines(path, start, each)
}

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    (stats) => stats.size,
    () => 0,
  )
}

async function readLines(path: string, start: number, each: (line: LogLine) => void): Promise<number> {
  const size = await sizeOf(path)
  if (size <= start) return start
  let at = start
  const input = createReadStream(path, { start, end: size - 1, encoding: 'utf8' })
  for await (const text of createInterface({ input })) {
    at += Buffer.byteLength(text) + 1
    const line = at <= size ? parsed(text) : undefined
    if (line !== undefined) each(line)
  }
  return Math.min(at, size)
}

/** undefined where a crash left half of one. */
function parsed(text: string): LogLine | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && 'at' in value && 'kind' in value
      ? (value as LogLine)
      : undefined
  } catch {
    return undefined
  }
}
