/**
 * How long `scripts/sotto chat` takes from the command to the prompt with a long history: 1,000 contacts with 100 messages each,
 * broker and core as shipped and prepared, no network. Beside it, in turns: the same with an empty store; the sources themselves,
 * as they start where nothing is prepared; two bare Nodes one after the other.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { memberFlags } from '../node-flags.ts'
import type { Report, Row } from './report.ts'
import { median, round } from './report.ts'

const CONTACTS = 1_000
const MESSAGES = 100
const ROUNDS = 15
const root = join(import.meta.dirname, '..', '..')
const command = [join(root, 'scripts', 'sotto')] as const
const sources = [process.execPath, ...memberFlags, join(root, 'firewall', 'main.ts')] as const

/** Milliseconds. */
interface Round {
  readonly long: number
  readonly fresh: number
  readonly sources: number
  readonly bare: number
}

export async function open(): Promise<Report> {
  const folder = mkdtempSync(join(tmpdir(), 'sotto-bench-open-'))
  try {
    const [long, fresh] = [join(folder, 'long'), join(folder, 'fresh')]
    await fill(long, CONTACTS, MESSAGES)
    await fill(fresh, 0, 0)
    // Once for nothing: it may have to be prepared.
    await untilPrompt(command, fresh)
    const rounds: Round[] = []
    for (let i = 0; i < ROUNDS; i++) {
      rounds.push({
        long: await untilPrompt(command, long),
        fresh: await untilPrompt(command, fresh),
        sources: await untilPrompt(sources, long),
        bare: await bareNodes(),
      })
    }
    return reportOf(rounds)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function reportOf(rounds: readonly Round[]): Report {
  const middle = (of: keyof Round): number => round(median(rounds.map((each) => each[of])), 0)
  const [long, fresh, direct, bare] = [middle('long'), middle('fresh'), middle('sources'), middle('bare')]
  const row = (what: string, value: number, setting: string): Row => ({ what, value, unit: 'ms', setting })
  const isPrepared = existsSync(join(root, 'prepared', 'stamp'))
  return {
    rows: [
      row('to the prompt', long, `${CONTACTS} contacts, ${CONTACTS * MESSAGES} messages, broker and core, no network`),
      row('with an empty store', fresh, 'the same program'),
      row('where nothing is prepared', direct, 'the sources, with the same messages'),
      row('of that, two Nodes that do nothing', bare, 'one after the other'),
    ],
    result: {
      ...{ prompt_ms: long, empty_ms: fresh, sources_ms: direct, node_ms: bare, history_ms: round(long - fresh, 0) },
      prepared: isPrepared,
    },
  }
}

async function fill(folder: string, contacts: number, messages: number): Promise<void> {
  const script = join(import.meta.dirname, 'long-history.ts')
  const child = spawn(process.execPath, [script, folder, String(contacts), String(messages)], { stdio: 'inherit' })
  const [code] = await once(child, 'exit')
  if (code !== 0) throw new Error(`the history was not written (${code})`)
}

/** Milliseconds until the view has said its first word, which it does when it takes lines. */
async function untilPrompt([program, ...args]: readonly string[], state: string): Promise<number> {
  const began = performance.now()
  const child = spawn(program!, [...args, 'chat', '--state', state], { stdio: ['pipe', 'pipe', 'inherit'] })
  const ended = once(child, 'exit')
  const early = ended.then(() => Promise.reject(new Error('the chat ended before its prompt')))
  await Promise.race([once(child.stdout, 'data'), early])
  const took = performance.now() - began
  child.stdout.resume()
  child.stdin.end()
  await ended
  return took
}

async function bareNodes(): Promise<number> {
  const began = performance.now()
  for (let i = 0; i < 2; i++) await once(spawn(process.execPath, ['-e', '0'], { stdio: 'ignore' }), 'exit')
  return performance.now() - began
}
