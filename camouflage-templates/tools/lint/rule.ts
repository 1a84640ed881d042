/** One rule of `sotto templates lint`, with everything that the documentation says about it. */
import type { Path } from '#engine/source.ts'
import type { Subject } from './subject.ts'

export type Severity = 'error' | 'warning'

/** What a rule found, at a path of the template. */
export interface Report {
  readonly path: Path
  readonly found: string
}

export interface Rule {
  /** Small letters and hyphens; stable. */
  readonly id: string
  /** An error gives away or breaks; a warning is odd, and may be right for a given site. */
  readonly severity: Severity
  readonly what: string
  readonly why: string
  readonly mend: string
  /**
   * `good` stands in a model template (fixtures/lint-model.yaml, lint-browser.yaml), about which the rule says nothing; with
   * `bad` in its place the rule reports.
   */
  readonly example: { readonly model?: 'browser'; readonly good: string; readonly bad: string }
  check(subject: Subject): Iterable<Report>
}
