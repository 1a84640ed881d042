/** Runs every check and counts: format and lint, types, tests. Arguments are handed to ava. */
import { biome } from './biome.ts'
import { runWatched } from './watchdog.ts'

interface Outcome {
  readonly passed: number
  readonly failed: number
}

/**
 * Milliseconds without a word after which a check counts as stuck. The slowest single test takes one minute, and ava gives
 * a file up after two; several times that, for machines that are slow.
 */
const SILENCE_MS = 480_000

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

async function tests(): Promise<Outcome> {
  console.log('\n== tests')
  const { text, status } = await run('ava', process.argv.slice(2))
  const count = (pattern: RegExp): number => [...text.matchAll(pattern)].length
  const passed = count(/^\s*✔ /gm)
  const failed = count(/^\s*✘ /gm)
  // A run that dies without naming a failed test, or finds no test, has failed all the same.
  return { passed, failed: failed === 0 && (status !== 0 || passed === 0) ? 1 : failed }
}

const outcomes = [
  await whole('format and lint', biome, ['check', '.']),
  await whole('types', 'tsc', ['--noEmit']),
  await tests(),
]
const sum = (key: keyof Outcome): number => outcomes.reduce((total, outcome) => total + outcome[key], 0)
console.log(`\n${sum('passed')} passed, ${sum('failed')} failed`)
process.exit(sum('failed') === 0 ? 0 : 1)
