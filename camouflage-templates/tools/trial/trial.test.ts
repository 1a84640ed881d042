/** A whole trial: gateway, two members, a conversation, through a built-in template and through a learned one. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { compileTemplate } from '#engine/compile.ts'
import { loadTemplate } from '#engine/load.ts'
import { loadBuiltin } from '../../builtin.ts'
import { learnTemplate } from '../learn/learn.ts'
import type { TrialReport } from './trial.ts'
import { runTrial } from './trial.ts'

const har = join(import.meta.dirname, '..', '..', 'fixtures', 'har', 'chat.har')

async function learned(): Promise<ReturnType<typeof compileTemplate>> {
  const { text } = await learnTemplate(readFileSync(har, 'utf8'), 'chat.har', 'learned')
  return compileTemplate(loadTemplate(text, 'learned.yaml'))
}

const templates = {
  'support-chat': async () => compileTemplate(loadBuiltin('support-chat')),
  learned,
} as const

for (const [id, make] of Object.entries(templates)) {
  test.serial(`${id}: a conversation gets through, and costs what it costs`, async (t) => {
    const template = await make()
    const report: TrialReport = await runTrial({ template, messages: 6, tell: () => {} })
    t.like(report, { template: id, messages: 6, text_octets: 200 })
    // One exchange with a text class up, and one down, at the very least; a megabyte would be a loop.
    t.true(report.bytes_per_message > 1_500 && report.bytes_per_message < 100_000, `${report.bytes_per_message}`)
    t.true(report.exchanges_per_message >= 1 && report.exchanges_per_message < 20, `${report.exchanges_per_message}`)
    t.true(report.latency_ms.p50 > 0 && report.bare_ms.p50 > 0)
    const [least, most] = template.rhythm.holdMs
    t.is(report.idle.exchanges_a_day, Math.round((template.rhythm.polls * 86_400_000) / ((least + most) / 2)))
    // Smallest request and answer with their headers.
    t.true(
      report.idle.bytes_per_exchange > 400 && report.idle.bytes_per_exchange < 20_000,
      `${report.idle.bytes_per_exchange}`,
    )
  })
}
