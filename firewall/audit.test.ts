import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { AuditLog, LineBudget } from './audit.ts'
import { temporaryFolder } from './fixtures/temporary.ts'
import { PolicyLimits } from './limits.ts'
import type { FirewallEvent } from './permit.ts'

const event = (at: number): FirewallEvent => ({ at, kind: 'refused', reason: 'unknown-endpoint' })

const { auditBurst, auditPerHour } = PolicyLimits
/** Milliseconds until there is leave for one more line. */
const STEP = 3_600_000 / auditPerHour

test('PolicyLimits.auditBurst: a flood is counted, and the count is told', (t) => {
  const budget = new LineBudget()
  const written = Array.from({ length: auditBurst + 5 }, () => budget.admit(event(0)).length)
  t.is(
    written.reduce((sum, lines) => sum + lines),
    auditBurst,
  )
  t.deepEqual(budget.admit(event(STEP)), [{ at: STEP, kind: 'omitted', count: 5 }, event(STEP)])
  t.deepEqual(budget.admit(event(STEP)), [])
  t.deepEqual(budget.admit(event(0)), [], 'a clock that is set back brings nothing')
})

test('PolicyLimits.auditPerHour: a flood that goes on cannot push out what is older within a day', (t) => {
  const budget = new LineBudget()
  let octets = 0
  for (let at = 0; at < 86_400_000; at += 1_000) {
    for (const line of budget.admit({ ...event(at), call: 'https.get', origin: 'node_modules/bad/index.js' })) {
      octets += JSON.stringify(line).length + 1
    }
  }
  t.true(octets < 2 * PolicyLimits.auditBytes, String(octets))
})

test('a change of the list is written in the midst of a flood', (t) => {
  const budget = new LineBudget()
  for (let i = 0; i < auditBurst + 5; i++) budget.admit(event(0))
  const change: FirewallEvent = { at: 1, kind: 'forgotten', endpoint: 'a' }
  t.deepEqual(budget.admit(change), [{ at: 1, kind: 'omitted', count: 5 }, change])
})

test('what was left out is told at the end, too', async (t) => {
  const path = join(await temporaryFolder(t), 'audit.log')
  const log = new AuditLog(path)
  for (let i = 0; i < auditBurst + 3; i++) log.record(event(7))
  await log.close()
  const last = (await readFile(path, 'utf8')).trim().split('\n').at(-1)!
  t.deepEqual(JSON.parse(last), { at: 7, kind: 'omitted', count: 3 })
})

test('lines are appended, also by the next run', async (t) => {
  const path = join(await temporaryFolder(t), 'audit.log')
  for (const at of [1, 2]) {
    const log = new AuditLog(path)
    log.record(event(at))
    log.record({ at, kind: 'dialed', endpoint: 'a' })
    await log.close()
  }
  const lines = (await readFile(path, 'utf8')).trim().split('\n')
  t.deepEqual(
    lines.map((line) => JSON.parse(line).at),
    [1, 1, 2, 2],
  )
  t.is((await stat(path)).mode & 0o777, 0o600)
})

test('PolicyLimits.auditBytes: two files at most', async (t) => {
  const folder = await temporaryFolder(t)
  const log = new AuditLog(join(folder, 'audit.log'))
  const reason = 'x'.repeat(PolicyLimits.auditBytes / 50)
  for (let i = 0; i < 130; i++) log.record({ at: i, kind: 'refused', reason })
  await log.close()
  t.deepEqual((await readdir(folder)).sort(), ['audit.log', 'audit.log.1'])
  for (const name of await readdir(folder)) {
    t.true((await stat(join(folder, name))).size <= PolicyLimits.auditBytes)
  }
})

test('a log that cannot be written stops nobody', async (t) => {
  const log = new AuditLog(join(await temporaryFolder(t), 'missing', 'audit.log'))
  log.record(event(0))
  await t.notThrowsAsync(log.close())
})
