/** What a checker of protocols says of the start of a session: every query of every model, against what is known. */
import { execFile, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Report, Row } from '../../scripts/bench/report.ts'
import { type Model, models, textOf } from './models.ts'

const run = promisify(execFile)
const START = new URL('start.vp', import.meta.url)
/** Runs of each person at the same time. With two, the smallest of these models took more than 6 GB and did not end in ten minutes. */
const SESSIONS = '1'
/** Milliseconds for one model; the longest takes a minute and a half on a quiet machine. */
const PATIENCE_MS = 1_800_000

/** `--only NAME` checks one model. The checker is `verifpal` on the path, or what VERIFPAL names. */
export async function formal(args: readonly string[]): Promise<Report> {
  const program = process.env.VERIFPAL ?? 'verifpal'
  const { status, stdout } = spawnSync(program, ['--version'], { encoding: 'utf8' })
  if (status !== 0) {
    console.error(
      `There is no ${program}. It is in the registry of Rust: cargo install verifpal (1.6.7 builds with --ignore-rust-version)`,
    )
    process.exit(2)
  }
  const only = args[args.indexOf('--only') + 1]
  const chosen = args.includes('--only') ? models.filter(({ name }) => name === only) : models
  const checked: Checked[] = []
  for (const model of chosen) checked.push(await check(program, model))
  const faults = checked.filter(({ found, model }) => found !== model.expected)
  for (const { model, found } of faults) console.error(`${model.name}: ${found} instead of ${model.expected}`)
  if (faults.length > 0 || checked.length === 0) process.exitCode = 1
  const rows = checked.map(({ model, found }): Row => {
    const setting = `${found}, ${found === model.expected ? 'as known' : 'NOT AS KNOWN'}: ${model.says}`
    return { what: model.name, value: found.split('1').length - 1, unit: 'attacks', setting }
  })
  const found = Object.fromEntries(checked.map(({ model, found }) => [model.name, found]))
  return { rows, result: { scenario: 'formal', checker: stdout.trim(), unexpected: faults.length, found } }
}

interface Checked {
  readonly model: Model
  readonly found: string
}

async function check(program: string, model: Model): Promise<Checked> {
  const folder = mkdtempSync(join(tmpdir(), 'sotto-formal-'))
  try {
    const file = join(folder, `${model.name}.vp`)
    writeFileSync(file, textOf(model, readFileSync(START, 'utf8')))
    const options = ['--sessions', SESSIONS, '--result-code', '--quiet', '--color', 'never']
    const { stdout } = await run(program, ['verify', file, ...options], { timeout: PATIENCE_MS })
    return { model, found: stdout.trim().split('\n').at(-1) ?? '' }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
