/** Runs every check and counts: format and lint, types, tests. Arguments are handed to ava. */
import { spawn } from 'node:child_process'
import { biome } from './biome.ts'

interface Outcome {
  readonly passed: number
  readonly failed: number
}

/** Runs a command of node_modules/.bin, shows its output, and returns it with the exit status. */
function run(command: string, args: readonly string[]): Promise<{ text: string; status: number }> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    let text = ''
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk
      process.stdout.write(chunk)
    })
    child.on('error', reject)
    child.on('close', (code) => resolve({ text, status: code ?? 1 }))
  })
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
process.exitCode = sum('failed') === 0 ? 0 : 1
