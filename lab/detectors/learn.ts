/** Hands features to the attackers in learn/ (Python, scikit-learn) and takes their figures. */
import { spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Session } from './capture/session.ts'
import type { Tap } from './ground/network.ts'
import { PYTHON } from './ground/network.ts'
import { SITES } from './ground/site.ts'
import type { View } from './judges/flow-features.ts'
import { featuresOf } from './judges/flow-features.ts'
import { requestFeatures } from './judges/request-features.ts'

/** Two classes that somebody tries to tell apart: the first is the one that is sought. */
export interface Pair {
  readonly name: string
  /** From where both were seen. */
  readonly tap: Tap
  readonly role: 'ours' | 'null' | 'control' | 'peer'
  readonly sought: readonly Session[]
  readonly genuine: readonly Session[]
}

export interface Area {
  readonly value: number
  readonly low: number
  readonly high: number
}

export interface FlowId {
  readonly pair: string
  readonly tap: Tap
  readonly role: Pair['role']
  readonly view: View
  readonly kind: 'sizes' | 'times' | 'both'
  readonly attacker: 'forest' | 'boosting' | 'neighbours' | 'network'
}

export interface FlowResult {
  readonly id: FlowId
  /** Sought and genuine. */
  readonly sessions: readonly [number, number]
  readonly auc: Area
  /** Share of the sought at 0.6 % false alarms. */
  readonly caught: number
  /** Share of alarms that are right, by base rate. */
  readonly precision: Readonly<Record<string, number>>
  /** The area for 50 flows of one host together. */
  readonly groups: number
  /** Trained on one site, tried on the other. */
  readonly heldOut: Area | null
  readonly telling: readonly {
    readonly name: string
    readonly auc: number
    readonly medians: readonly [number, number]
  }[]
}

export interface RuleResult {
  readonly id: string
  readonly hits: number
  readonly falseHits: number
  readonly requests: readonly [number, number]
  readonly tree: string
}

export interface Figures {
  readonly flows: readonly FlowResult[]
  readonly rules: readonly RuleResult[]
}

/** What each pair is tried with: every view by the forest, everything at once by the others as well. */
const tries: readonly Pick<FlowId, 'view' | 'kind' | 'attacker'>[] = [
  { view: 'whole', kind: 'both', attacker: 'forest' },
  { view: 'whole', kind: 'both', attacker: 'boosting' },
  { view: 'whole', kind: 'both', attacker: 'neighbours' },
  { view: 'whole', kind: 'both', attacker: 'network' },
  { view: 'whole', kind: 'sizes', attacker: 'forest' },
  { view: 'whole', kind: 'times', attacker: 'forest' },
  { view: 'first', kind: 'both', attacker: 'forest' },
  { view: 'first', kind: 'both', attacker: 'network' },
  { view: 'steady', kind: 'both', attacker: 'forest' },
  { view: 'steady', kind: 'sizes', attacker: 'forest' },
  { view: 'steady', kind: 'times', attacker: 'forest' },
]

/** Ours are tried with all, nulls with the forest; one is enough where something has to be noticed. */
function triesOf({ role }: Pair): typeof tries {
  if (role === 'ours') return tries
  return role === 'null'
    ? tries.filter(({ attacker, kind }) => attacker === 'forest' && kind === 'both')
    : tries.slice(0, 1)
}

/** Fewer sessions a class say nothing. */
const LEAST = 12

/** `pictures`: folder for them. */
export async function learn(pairs: readonly Pair[], folder: string, pictures: string): Promise<Figures> {
  const able = pairs.filter(({ sought, genuine }) => sought.length >= LEAST && genuine.length >= LEAST)
  const [tasks, results] = [join(folder, 'tasks.json'), join(folder, 'results.json')]
  const flows = able.flatMap((pair) => triesOf(pair).map((each) => flowTask(pair, each)))
  // What an edge reads is the same from everywhere.
  const rules = able.filter(({ role, tap }) => role !== 'peer' && tap === 'line').map(ruleTask)
  writeFileSync(tasks, JSON.stringify({ flows, rules, pictures }))
  await run(['-m', 'learn', tasks, results])
  return JSON.parse(readFileSync(results, 'utf8')) as Figures
}

function flowTask(
  { name, tap, role, sought, genuine }: Pair,
  { view, kind, attacker }: Omit<FlowId, 'pair' | 'tap' | 'role'>,
): object {
  const sessions = [...sought, ...genuine]
  const rows = sessions.map((session) => featuresOf(session, view))
  return {
    id: { pair: name, tap, role, view, kind, attacker },
    ...{ kind, attacker, columns: rows[0]!.columns, rows: rows.map(({ values }) => values) },
    classes: [...sought.map(() => 1), ...genuine.map(() => 0)],
    groups: sessions.map(groupOf),
    heldOut: sessions.map(({ site }) => site === SITES[1]),
  }
}

/** Sessions of one member belong together: a member's rhythm stays the same. Genuine visitors come without a memory. */
function groupOf({ kind, host }: Session, at: number): string {
  return kind === 'ours' ? host : `${host} ${at}`
}

function ruleTask({ name, sought, genuine }: Pair): object {
  const [mine, theirs] = [requestFeatures(sought), requestFeatures(genuine)]
  return {
    ...{ id: name, columns: mine.columns },
    rows: [...mine.rows, ...theirs.rows],
    classes: [...mine.rows.map(() => 1), ...theirs.rows.map(() => 0)],
    groups: [...mine.groups, ...theirs.groups],
  }
}

function run(args: readonly string[]): Promise<void> {
  // Threads that wait for each other cost more than they bring where other work is done beside.
  const env = { ...process.env, OMP_NUM_THREADS: '1' }
  const child = spawn(PYTHON, args, { cwd: import.meta.dirname, stdio: ['ignore', 'inherit', 'inherit'], env })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (status) => (status === 0 ? resolve() : reject(new Error(`learn ended with ${status}`))))
  })
}
