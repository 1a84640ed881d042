/** The supervisor of the filter, for real: what it tells, that it is out of reach, and that nothing passes without it. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { ExecutionContext } from 'ava'
import test from 'ava'
import { temporaryFolder } from '../fixtures/temporary.ts'
import { boundCommand, layersHere } from './confined.ts'
import { native } from './native.ts'
import type { Report } from './reports.ts'
import { readReports } from './reports.ts'

const layers = here()
const where = layers?.namespace && layers.filter ? test : test.skip

function here() {
  try {
    return layersHere({ starting: (start) => start() })
  } catch {
    return undefined
  }
}

/** Runs `fixtures/refused.ts`, bound. */
async function refused(t: ExecutionContext, landlock: boolean) {
  const plan = {
    ...{ filter: true, landlock, noSockets: false, fds: [], env: {}, report: 5 },
    writable: [await temporaryFolder(t), '/dev'],
  }
  const program = join(import.meta.dirname, '..', 'fixtures', 'refused.ts')
  const [command, ...args] = boundCommand(layers!, plan, [process.execPath, '--no-warnings', program])
  const child = spawn(command!, args, { stdio: ['pipe', 'pipe', 'inherit', 'ignore', 'ignore', 'pipe'] })
  const reports: Report[] = []
  let lost = 0
  // The program stays until it is known whether its supervisor does.
  const leave = (): void => void child.stdin!.end()
  child.stdout!.once('data', (line) => {
    if (!String(line).includes('killed')) leave()
  })
  const read = readReports(child, 5, {
    told: (report) => reports.push(report),
    lost: () => {
      lost++
      leave()
    },
  })
  const [out] = await Promise.all([text(child.stdout!), once(child, 'exit'), read])
  return {
    reports,
    lost,
    ...(JSON.parse(out) as Record<'first' | 'second', string> & Record<'memory' | 'kills', string[]>),
  }
}

where('what the filter refuses is told, and the supervisor ends with the program', async (t) => {
  const from = Date.now()
  const { first, second, kills, memory, reports, lost } = await refused(t, true)
  t.is(first, 'EACCES')
  t.is(kills.length, 1)
  t.deepEqual(memory, ['EACCES'])
  const isScoped = native()!.landlockVersion() >= 6
  t.deepEqual(kills, [isScoped ? 'EPERM' : 'killed'])
  t.is(second, isScoped ? 'EACCES' : 'ENOSYS')
  t.is(reports.length, isScoped ? 2 : 1)
  t.is(lost, isScoped ? 0 : 1)
  for (const { at, call, origin } of reports) {
    t.is(call, 'socket(AF_UNIX, SOCK_STREAM)')
    t.regex(origin, /./)
    t.true(at >= from)
  }
})

where('without a supervisor, where somebody could end it, the calls fail', async (t) => {
  const { first, second, kills, memory, reports, lost } = await refused(t, false)
  t.deepEqual([first, second], ['EACCES', 'ENOSYS'])
  t.deepEqual(memory, ['EACCES'])
  t.deepEqual(kills, ['killed'])
  t.is(reports.length, 1)
  t.is(lost, 1, 'and that is noticed')
})
