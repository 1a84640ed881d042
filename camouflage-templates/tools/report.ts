/** What the commands print for people. */
import type { LearnReport } from './learn/learn.ts'
import type { Note } from './learn/notebook.ts'
import type { Finding } from './lint/lint.ts'
import type { TrialReport } from './trial/trial.ts'

export function findingLines(findings: readonly Finding[]): string {
  return findings
    .map(
      ({ severity, rule, file, line, path, found, mend }) =>
        `${file}:${line}: ${severity} ${rule}\n  ${path || 'template'}: ${found}\n  ${mend}\n`,
    )
    .join('')
}

export function lintSummary(findings: readonly Finding[], templates: number): string {
  const errors = findings.filter(({ severity }) => severity === 'error').length
  const what = `${number(errors, 'error')}, ${number(findings.length - errors, 'warning')}`
  return `${number(templates, 'template')}: ${what}\n`
}

export function learnLines(report: LearnReport): string {
  const { rhythm, family, exchanges, foreign } = report
  const hold = rhythm.holdMs.map((ms) => ms / 1000).join(' to ')
  return [
    `${number(exchanges, 'exchange')} of the site, ${foreign} of others left alone; family ${family}`,
    `polls held for ${hold} s, ${rhythm.polls} of them, ${rhythm.concurrency} exchanges at once`,
    '',
    ...report.routes.flatMap(routeLines),
    ...section('Left out, for it may be somebody’s', report.dropped),
    ...section('Kept word for word: read this, you alone know what is personal', report.kept),
    ...section('Guessed, added, or left to you', report.open),
    '',
    findingLines(report.lint),
  ].join('\n')
}

function routeLines({ route, exchanges, kinds, reason, token, up, down }: LearnReport['routes'][number]): string[] {
  const head = `${route} (${exchanges})`
  if (reason !== undefined) return [`${head}: not used: ${reason}`]
  if (kinds.length === 0) return [`${head}: could carry, is not needed`]
  return [`${head}: ${kinds.join(', ')}`, `  token in ${token}`, `  up in ${up}`, `  down in ${down}`]
}

function section(title: string, notes: readonly Note[]): string[] {
  return notes.length === 0 ? [] : ['', `${title}:`, ...notes.map(({ where, what }) => `  ${where}: ${what}`)]
}

export function trialLines(report: TrialReport): string {
  const { idle } = report
  return `${report.template}: ${report.messages} messages of ${report.text_octets} octets between two members
  ${report.bytes_per_message} octets on the wire a message, ${report.overhead_factor} times its text, in ${report.exchanges_per_message} exchanges
  ${report.latency_ms.p50} ms to arrive (p95 ${report.latency_ms.p95}), ${report.added_ms} ms more than a bare GET (${report.bare_ms.p50} ms)
  idle: ${idle.exchanges_a_day} exchanges a day of ${idle.bytes_per_exchange} octets, ${(idle.bytes_a_day / 1e6).toFixed(1)} MB a day
`
}

const number = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`
