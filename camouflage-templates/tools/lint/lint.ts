/** Asks every rule about a template. */
import { loadTemplate } from '#engine/load.ts'
import type { Template } from '#engine/template.ts'
import { TemplateError } from '#engine/template-error.ts'
import type { Severity } from './rule.ts'
import { REFUSED, rules } from './rules.ts'
import type { Site, SiteAnswer } from './site.ts'
import type { Subject } from './subject.ts'
import { createSubject, SOCKET } from './subject.ts'

export interface Finding {
  readonly rule: string
  readonly severity: Severity
  readonly file: string
  /** Counted from 1. */
  readonly line: number
  /** Way through the document, e.g. `shapes.sync.request.headers`. */
  readonly path: string
  readonly found: string
  readonly mend: string
}

/** `file` names the text in findings. Findings in the order of the rules. */
export async function lintTemplate(text: string, file: string, site?: Site): Promise<Finding[]> {
  try {
    const template = loadTemplate(text, file)
    const subject = createSubject(template)
    return judge(template, { ...subject, site: site && (await askSite(subject, site)) })
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error
    return [refusal(error)]
  }
}

/** As `lintTemplate`, without a site. @throws TemplateError */
export function lintAlone(text: string, file: string): Finding[] {
  const template = loadTemplate(text, file)
  return judge(template, { ...createSubject(template), site: undefined })
}

function judge({ source }: Template, subject: Subject): Finding[] {
  return rules.flatMap((rule) =>
    [...rule.check(subject)].map(({ path, found }) => {
      const place = { file: source.file, line: source.line(path), path: path.join('.') }
      return { rule: rule.id, severity: rule.severity, ...place, found, mend: rule.mend }
    }),
  )
}

function refusal({ file, line, path, expectation }: TemplateError): Finding {
  const mend = 'Correct the line: no gateway and no member loads this template.'
  return { rule: REFUSED, severity: 'error', file, line, path, found: `expected ${expectation}`, mend }
}

/** Times that the site is asked about each path; an answer counts before a «not found», and the quickest counts. */
const ASKED = 3

async function askSite(
  { data, requests }: Omit<Subject, 'site'>,
  site: Site,
): Promise<ReadonlyMap<string, SiteAnswer>> {
  const answers = new Map<string, SiteAnswer>()
  answers.set('', await site.ask('GET', data.page.path))
  for (const name of [...Object.keys(data.shapes), ...(data.socket === undefined ? [] : [SOCKET])]) {
    const drawn = requests.filter(({ shape }) => shape === name).slice(0, ASKED)
    let best: SiteAnswer | undefined
    for (const { message } of drawn) {
      // Ids that are drawn are ids the site does not have: what counts is the path without its query.
      const answer = await site.ask(message.method, message.target.split('?')[0]!)
      if (best === undefined || rank(answer) < rank(best)) best = answer
    }
    if (best !== undefined) answers.set(name, best)
  }
  return answers
}

const rank = ({ status, ms }: SiteAnswer): number => (status >= 400 ? 1e9 : 0) + (ms ?? 0)

/** A template that gives away or breaks; warnings alone are none. */
export function fails(findings: readonly Finding[]): boolean {
  return findings.some(({ severity }) => severity === 'error')
}
