/**
 * Makes the member's program ready to start: `prepared/` gets its modules as functions, without types, in one file for each
 * process, and V8's code for them. The sources alone decide what it does; where it is missing, they run themselves, and Node
 * takes types away and looks for 600 files at every start. `scripts/prepared.sh` calls this; docs/releases.md says who may.
 */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { promisify } from 'node:util'
import { memberFlags } from './node-flags.ts'
import { clear, replace, seen } from './prepare/place.ts'
import type { PlannedModule } from './prepare/write.ts'
import { root, writePrograms, writeStarts } from './prepare/write.ts'

const scripts = import.meta.dirname
/** Milliseconds: how coarse times of files may be. Nothing is read earlier, so that what changes after it was read bears another time. */
const COARSE = 1_000
/** Milliseconds for a first run, on whatever machine. A start must not wait for ever. */
const RUN_MS = 300_000

const programs = { firewall: ['firewall/main.ts'], client: ['firewall/confine.ts', 'client/main.ts'] } as const
const starts = {
  firewall: ['firewall', 'firewall/main.ts'],
  confine: ['client', 'firewall/confine.ts'],
  client: ['client', 'client/main.ts'],
} as const

await prepare(join(root, 'prepared'))

/** All of it or nothing: other starts see the folder as it was, none, or as it will be. */
async function prepare(folder: string): Promise<void> {
  const [sources, before] = [await listed(), await seen(folder)]
  await clear(folder)
  await setTimeout(COARSE)
  const fresh = `${folder}-${process.pid}`
  try {
    await mkdir(fresh, { mode: 0o755 })
    await writePrograms(fresh, programs)
    await rehearse(fresh)
    await writeStarts(fresh, starts)
    await writeFile(join(fresh, 'stamp'), sources)
    await replace(folder, fresh, before)
  } finally {
    await rm(fresh, { recursive: true, force: true })
  }
}

/** As `scripts/prepared.sh` will see them, should nothing change. */
async function listed(): Promise<string> {
  const { stdout } = await promisify(execFile)('sh', ['-c', '. scripts/prepare/sources.sh && sources'], { cwd: root })
  return stdout
}

/** Runs the program once, up to its prompt, as a member would: V8 then has made the code that a start needs. */
async function rehearse(fresh: string): Promise<void> {
  const state = await mkdtemp(join(tmpdir(), 'sotto-prepare-'))
  const rehearsal = join(fresh, 'rehearsal.cjs')
  try {
    await writeStarts(fresh, starts, (program) => `require('./rehearsal.cjs').keeper('${program}')`)
    await cp(join(scripts, 'prepare', 'rehearsal.cjs'), rehearsal)
    await ran([join(scripts, 'bench', 'long-history.ts'), state, '3', '60'])
    await ran([...memberFlags, join(fresh, 'firewall.cjs'), 'chat', '--state', state])
    await takeCode(fresh, 'firewall', state)
    await takeCode(fresh, 'client', join(state, 'core'))
  } finally {
    await rm(rehearsal, { force: true })
    await rm(state, { recursive: true, force: true })
  }
}

/** Runs Node until it ends; what takes lines gets none after its first word. */
async function ran(args: readonly string[]): Promise<void> {
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'], timeout: RUN_MS })
  child.stdin.on('error', () => {})
  child.stdout.once('data', () => child.stdin.end())
  child.stdout.resume()
  const [code] = await once(child, 'exit')
  if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}`)
}

/** What the rehearsal has left beside the state, told to the loader. */
async function takeCode(fresh: string, program: keyof typeof programs, from: string): Promise<void> {
  const lengths: [number, number][] = JSON.parse(await readFile(join(from, `${program}.lengths`), 'utf8'))
  const plans: PlannedModule[] = JSON.parse(await readFile(join(fresh, `${program}.json`), 'utf8'))
  let codeAt = 0
  for (const [number, codeLength] of lengths) {
    Object.assign(plans[number]!, { codeAt, codeLength })
    codeAt += codeLength
  }
  await writeFile(join(fresh, `${program}.code`), await readFile(join(from, `${program}.code`)))
  await writeFile(join(fresh, `${program}.json`), JSON.stringify(plans))
}
