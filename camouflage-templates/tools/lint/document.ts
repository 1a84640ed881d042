/** The chapter «What lint tells you and why» of docs/templates-authoring.md, out of the rules themselves. */
import type { Rule } from './rule.ts'
import { rules } from './rules.ts'

/** Markdown, from the first rule's heading to the last rule's end. */
export function lintDocument(): string {
  return rules.map(chapter).join('\n')
}

function chapter({ id, severity, what, why, mend, example }: Rule): string {
  return [
    `### ${id}`,
    '',
    `*${severity}*: ${what}`,
    '',
    `Why: ${why}`,
    '',
    `Mend: ${mend}`,
    '',
    'Good:',
    '',
    code(example.good),
    '',
    'Bad:',
    '',
    code(example.bad),
    '',
  ].join('\n')
}

/** Indented, cut where a line is of no use to a reader. */
function code(text: string): string {
  const lines = text.split('\n').filter((line) => line !== '')
  const margin = Math.min(...lines.map((line) => line.search(/\S/)))
  return lines
    .map((line) => line.slice(margin))
    .map((line) => `    ${line.length > 100 ? `${line.slice(0, 97)}...` : line}`)
    .join('\n')
}
