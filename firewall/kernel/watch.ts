/**
 * Refuses what the filter of system calls has passed to it, and tells the gate, one line of JSON each: the kernel alone would
 * refuse it in silence. It runs beside the broker, out of its reach, and ends when the gate says so. Descriptors: 1 the gate's, 3 the
 * filter's, 4 where it says that it is ready.
 */
import { readFileSync, writeSync } from 'node:fs'
import { callText, errnoOf } from './denied-call.ts'
import { native } from './native.ts'
import { WATCHING } from './watching.ts'

const [GATE, FILTER, READY] = [1, 3, 4]
/** What goes wrong so often in a row, goes wrong for good. Calls that are given up before they are read go wrong, too. */
const FAILURES = 1_000

const supervisor = native()?.supervise(FILTER, GATE)
// Whoever could look into this process could have it let calls through.
if (supervisor === undefined || !supervisor.hide()) process.exit(1)
writeSync(GATE, `${JSON.stringify(WATCHING)}\n`)
writeSync(READY, '.')
for (let failures = 0; failures < FAILURES; failures++) {
  const call = supervisor.next()
  if (call === 'over') process.exit(0)
  if (call === undefined) continue
  failures = 0
  writeSync(
    GATE,
    `${JSON.stringify({ at: Date.now(), call: callText(process.arch, call), origin: nameOf(call.pid) })}\n`,
  )
  supervisor.refuse(call.id, errnoOf(process.arch, call))
}
process.exit(1)

/** Of a program; it chose it. */
function nameOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'latin1').trim()
  } catch {
    return 'a program that has ended'
  }
}
