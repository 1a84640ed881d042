/** What the filter's supervisor tells the gate: lines of JSON. */
import type { ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Duplex } from 'node:stream'
import * as v from 'valibot'
import { WATCHING } from './watching.ts'

/** A call that was refused. `at`: milliseconds since the epoch. `origin`: the program, by its own word. */
export interface Report {
  readonly at: number
  readonly call: string
  readonly origin: string
}

const schema: v.GenericSchema<unknown, Report> = v.strictObject({
  at: v.number(),
  call: v.string(),
  origin: v.string(),
})

/** What the person reads, and who is told that the supervisor is gone: from then on every such call fails, and nobody tells. */
export interface Listener {
  told(report: Report): void
  /** Where it was there, and ended before the program. */
  lost(): void
}

/**
 * Reads what the supervisor of `program` says on its descriptor `fd`, and ends it with the program. Resolves once all is read;
 * at once where there is none.
 */
export async function readReports(program: ChildProcess, fd: number, { told, lost }: Listener): Promise<void> {
  const line = (program.stdio as readonly unknown[])[fd] as Duplex
  let isThere = false
  line.on('error', () => {})
  program.once('exit', () => {
    isThere = false
    line.end()
  })
  for await (const text of createInterface({ input: line })) {
    const value = parsed(text)
    if (value === WATCHING) isThere = true
    const report = v.safeParse(schema, value)
    if (report.success) told({ ...report.output, origin: printable(report.output.origin) })
  }
  if (isThere) lost()
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

/** A program chose its name, and people read it on a terminal. */
const printable = (text: string): string => text.replace(/[^\x20-\x7e]/g, '?')
