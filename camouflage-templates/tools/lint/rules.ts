/** All rules of `sotto templates lint`, in the order in which they are told and documented. */
import type { Rule } from './rule.ts'
import { familyRules } from './rules/family.ts'
import { messageRules } from './rules/messages.ts'
import { placeRules } from './rules/places.ts'
import { rhythmRules } from './rules/rhythm.ts'
import { siteRules } from './rules/site.ts'
import { urlRules } from './rules/url.ts'

export const rules: readonly Rule[] = [
  ...placeRules,
  ...urlRules,
  ...messageRules,
  ...familyRules,
  ...rhythmRules,
  ...siteRules,
]

/** What loading and compiling refuse is told under this name, with the line; no rule is asked then. */
export const REFUSED = 'refused'
