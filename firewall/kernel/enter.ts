/**
 * Binds itself by what the kernel offers, then becomes another program: `node enter.ts PLAN program argument ...`, where PLAN
 * is a `Plan` in JSON. Ends with `NOT_BOUND` where a layer that the plan wants cannot be had: nothing was started then.
 */
import { spawn } from 'node:child_process'
import { closeSync, readFileSync, readSync } from 'node:fs'
import { extname, join } from 'node:path'
import { filterProgram } from './filter.ts'
import { type Native, native } from './native.ts'
import { NOT_BOUND, type Plan } from './plan.ts'

const [text, program, ...args] = process.argv.slice(2)
const plan: Plan = JSON.parse(text!)
const env = { ...process.env, ...plan.env }
const kernel = native()
if (kernel !== undefined) {
  kernel.keep(plan.fds)
  if (!plan.noSockets && !(kernel.raiseLoopback() && kernel.dropCapabilities())) end('a namespace of its own')
  kernel.noNewPrivileges()
}
if (plan.filter && (kernel === undefined || !isBoundBy(kernel))) end('the filter')
// After the supervisor was started, which is not to be reached from within.
if (kernel !== undefined && plan.landlock && !kernel.landlock(plan)) end('Landlock')
process.execve!(program!, [program!, ...args], env)

function isBoundBy(kernel: Native): boolean {
  const { report } = plan
  const telling = report === undefined ? undefined : filterProgram(process.arch, { ...plan, told: true })
  const listener = telling && kernel.tellingFilter(telling)
  if (listener !== undefined) return isFiltered() && isWatched(kernel, listener, report!)
  // A kernel without supervisors, or a place that has one already.
  const plain = filterProgram(process.arch, { ...plan, told: false })
  return plain !== undefined && kernel.filter(plain) && isFiltered()
}

function isFiltered(): boolean {
  return /^Seccomp:\s*2$/m.test(readFileSync('/proc/self/status', 'utf8'))
}

/** True once the supervisor waits for calls. Nothing of Node's loop may run any more: what it asks of the kernel is refused. */
function isWatched({ pipe }: Native, listener: number, report: number): boolean {
  const ends = pipe()
  if (ends === undefined) return false
  const [ready, readyThere] = ends
  const watch = join(import.meta.dirname, `watch${extname(import.meta.filename)}`)
  spawn(process.execPath, ['--no-warnings', watch], {
    stdio: ['ignore', report, 'inherit', listener, readyThere],
    env: {},
  })
  closeSync(readyThere)
  // Its end would be read as nothing.
  const said = readSync(ready, new Uint8Array(1)) === 1
  closeSync(ready)
  closeSync(listener)
  return said
}

function end(what: string): never {
  console.error(`This kernel does not take ${what}.`)
  process.exit(NOT_BOUND)
}
