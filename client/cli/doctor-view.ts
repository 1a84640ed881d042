/** `sotto doctor`: what is found, why it matters, how to mend it. */
import type { Finding } from '#client/doctor/finding.ts'
import { Limits } from '#protocol/constants.ts'
import { compileBuiltins } from '../../camouflage-templates/builtin.ts'
import { fits } from '../fitting.ts'
import type { AddCommand, Ground } from './commands.ts'
import { createOutput } from './report.ts'
import { sanitize } from './sanitize.ts'

interface Options {
  readonly json?: boolean
  readonly look?: string
  readonly quick?: boolean
}

/** Milliseconds that a request waits in a quick look: less than what ends idle connections. */
const QUICK_MS = 3_000

/** Exit status 1 where a check fails. */
export function registerDoctor(add: AddCommand, { broker, clockwork, folder, streams }: Ground): void {
  add('doctor', 'Look at the way to your gateways, and at the website before them; takes about a minute each.')
    .option('--quick', 'let no request wait for long')
    .action(async ({ json, look, quick }: Options) => {
      const { examine } = await import('#client/doctor/doctor.ts')
      const output = createOutput(json === true, streams.stdout, streams.stderr)
      const dialers = await broker.dialers()
      const templates = compileBuiltins().filter((template) => fits(template, dialers))
      const holdMs = quick === true ? QUICK_MS : Limits.holdMs
      const findings = await examine({ broker, clockwork, folder, templates, look, holdMs })
      output.result(findings, findings.map(describe).join('\n'))
      if (findings.some(({ level }) => level === 'fail')) process.exitCode = 1
    })
}

function describe({ id, level, gateway, what, why, mend }: Finding): string {
  const of = gateway === undefined ? '' : `${sanitize(gateway)}, `
  const line = `${level.padEnd(4)}  ${of}${id}: ${sanitize(what)}`
  return level === 'ok' ? line : `${line}\n      ${why}\n      ${mend}`
}
