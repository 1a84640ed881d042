import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { AuditLog, LineBudget } from './audit.ts'
import { temporaryFolder } from './fixtures/temporary.ts'
import { PolicyLimits } from './limits.ts'
import type { FirewallEvent } from './permit.ts'

const event = (at: number): FirewallEvent => ({ at, kind: 'refused', reason: 'unknown-endpoint' })

test('PolicyLimits.auditPerMinute: a flood is counted, and the count is told', (t) => {
  const budget = new LineBudget()
  const written = Array.from({ length: PolicyLimits.auditPerMinute + 5 }, () => budget.admit(event(0)).length)
  t.is(
    written.reduce((sum, lines) => sum + lines),
    PolicyLimits.auditPerMinute,
  )
  t.deepEqual(budget.admit(event(60_000)), [{ at: 60_000, kind: 'omitted', count: 5 }, event(60_000)])
  t.deepEqual(budget.admit(event(60_001)), [event(60_001)])
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
