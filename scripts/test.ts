/** Runs every check and counts: format and lint, types, tests. Arguments are handed to ava. */
import { globSync } from 'node:fs'
import { biome } from './biome.ts'
import { type Outcome, sumOf, verdictsOf } from './verdicts.ts'
import { runWatched } from './watchdog.ts'

const isLong = process.env.SOTTO_LONG !== undefined

/**
 * Milliseconds without a word after which a check counts as stuck. The slowest single test takes one minute, and ava gives
 * a file up after two; several times that, for machines that are slow.
 */
const SILENCE_MS = isLong ? 7_200_000 : 480_000
/** What ava is told beside: in the long mode a test may say nothing for as long as it likes. */
const PATIENCE: readonly string[] = isLong ? ['--timeout', '2h'] : []

/** Files with a failed test up to which each runs once more. More than that are no accident. */
const MOST_AGAIN = 4

async function run(command: string, args: readonly string[]): Promise<{ text: string; status: number }> {
  const { text, status, signal, stuck } = await runWatched(command, args, SILENCE_MS)
  if (stuck !== undefined) console.log(`\n${command} said nothing for ${SILENCE_MS / 1000} s and was ended:`)
  for (const line of stuck ?? []) console.log(`  ${line}`)
  if (signal !== null && stuck === undefined) console.log(`\n${command} was ended by somebody else (${signal})`)
  return { text, status: stuck === undefined ? status : 1 }
}

/** A check that passes or fails as a whole. */
async function whole(name: string, command: string, args: readonly string[]): Promise<Outcome> {
  console.log(`\n== ${name}`)
  const { status } = await run(command, args)
  return status === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 }
}

/** A run of ava that dies without naming a failed test, or finds no test, has failed all the same. */
function judged({ passed, failed }: Outcome, status: number): Outcome {
  return { passed, failed: failed === 0 && (status !== 0 || passed === 0) ? 1 : failed }
}

/**
 * All tests. Where few files have failed, each runs once more with the machine to itself, and that run counts for it. What
 * failed beside others only is named at the end: a fault to mend, but in most cases one of the test.
 */
async function tests(): Promise<Outcome> {
  console.log('\n== tests')
  const args = process.argv.slice(2)
  const { text, status } = await run('ava', [...PATIENCE, ...args])
  const verdicts = verdictsOf(text, globSync('**/*.test.ts', { exclude: ['node_modules', 'dist'] }))
  const broken = [...verdicts].filter(([, { failed }]) => failed > 0).map(([file]) => file)
  const isWorthIt = args.length === 0 && broken.length > 0 && broken.length <= MOST_AGAIN && !broken.includes('')
  if (!isWorthIt) return judged(sumOf(verdicts.values()), status)
  for (const file of broken) verdicts.set(file, await alone(file))
  return sumOf(verdicts.values())
}

async function alone(file: string): Promise<Outcome> {
  console.log(`\n== once more, alone: ${file}`)
  const { text, status } = await run('ava', [...PATIENCE, file])
  const outcome = judged(sumOf(verdictsOf(text, []).values()), status)
  if (outcome.failed === 0) console.log(`\nunsteady: ${file} failed beside others and passed alone`)
  return outcome
}

const { passed, failed } = sumOf([
  await whole('format and lint', biome, ['check', '.']),
  await whole('types', 'tsc', ['--noEmit']),
  await tests(),
])
console.log(`\n${passed} passed, ${failed} failed`)
process.exit(failed === 0 ? 0 : 1)
