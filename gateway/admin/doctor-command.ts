/** `sotto gateway doctor`. */
import type { Command } from 'commander'
import { randomBytes } from '#protocol/crypto/random.ts'
import { examine } from '../doctor/doctor.ts'
import type { Finding } from '../doctor/finding.ts'
import type { AdminSurroundings } from './commands.ts'
import { jsonOption, stateOption } from './options.ts'

/** Exit status 1 where a check fails. */
export function registerDoctor(gateway: Command, { out, now, status }: AdminSurroundings): void {
  gateway
    .command('doctor')
    .description('Look at the deployment: files, certificate, front, and whether strangers see the website only.')
    .addOption(stateOption())
    .addOption(jsonOption())
    .action(async ({ state, json }: { readonly state: string; readonly json: boolean }) => {
      const findings = await examine({ state, now: now(), random: randomBytes })
      if (json) out(`${JSON.stringify(findings)}\n`)
      else out(findings.map(describe).join(''))
      if (findings.some(({ level }) => level === 'fail')) status(1)
    })
}

function describe({ id, level, what, why, mend }: Finding): string {
  const line = `${level.padEnd(4)}  ${id}: ${what}\n`
  return level === 'ok' ? line : `${line}      ${why}\n      ${mend}\n`
}
