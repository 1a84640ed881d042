/**
 * Binds itself by what the kernel offers, then becomes another program: `node enter.ts PLAN program argument ...`, where PLAN
 * is a `Plan` in JSON. Ends with `NOT_BOUND` where a layer that the plan wants cannot be had: nothing was started then.
 */
import { readFileSync } from 'node:fs'
import { filterProgram } from './filter.ts'
import { native } from './native.ts'
import { NOT_BOUND, type Plan } from './plan.ts'

const [text, program, ...args] = process.argv.slice(2)
const plan: Plan = JSON.parse(text!)
const env = { ...process.env, ...plan.env }
const kernel = native()
if (kernel !== undefined) {
  kernel.keep(plan.fds)
  if (!plan.noSockets && !(kernel.raiseLoopback() && kernel.dropCapabilities())) end('a namespace of its own')
  kernel.noNewPrivileges()
  if (plan.landlock && !kernel.landlock(plan.writable, plan.noSockets)) end('Landlock')
}
if (plan.filter) {
  const filter = filterProgram(process.arch, plan)
  if (kernel === undefined || filter === undefined || !kernel.filter(filter) || !isFiltered()) end('the filter')
}
process.execve!(program!, [program!, ...args], env)

function isFiltered(): boolean {
  return /^Seccomp:\s*2$/m.test(readFileSync('/proc/self/status', 'utf8'))
}

function end(what: string): never {
  console.error(`This kernel does not take ${what}.`)
  process.exit(NOT_BOUND)
}
