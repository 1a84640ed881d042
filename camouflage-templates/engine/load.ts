import * as v from 'valibot'
import { templateSchema } from './schema.ts'
import { readSource, refuse } from './source.ts'
import type { Template } from './template.ts'

/**
 * A template out of the text of its YAML file. `file` is only named in errors.
 * @throws TemplateError (`E_TEMPLATE`) with file, line, path and expectation of the first fault
 */
export function loadTemplate(text: string, file: string): Template {
  const { data, source } = readSource(text, file)
  const parsed = v.safeParse(templateSchema, data, { abortEarly: true })
  if (parsed.success) return { data: parsed.output, source }
  const issue = parsed.issues[0]
  const path = (issue.path ?? []).map((item) => item.key as string | number)
  return refuse(source, path, expectationOf(issue))
}

/** Our own messages are expectations; the library's own speak of types. */
function expectationOf(issue: v.BaseIssue<unknown>): string {
  if (!issue.message.startsWith('Invalid ')) return issue.message
  if (issue.expected === 'never') return 'no such key'
  if (issue.message.startsWith('Invalid key')) return `the key ${issue.expected}`
  return issue.expected === 'Object' ? 'a mapping' : `a value of type ${issue.expected}`
}
