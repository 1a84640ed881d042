/** Compiles one direction of a shape: its texts, its body, and which hole carries what. */

import type { BodyDraft } from './body.ts'
import { draftBody, finishBody } from './body.ts'
import { checkBudget } from './budget.ts'
import type { Context } from './context.ts'
import type { DraftLine } from './headers.ts'
import type { AnyHole, Slot } from './hole.ts'
import { checkMediaType } from './media-type.ts'
import type { Message } from './message.ts'
import { fixedLength } from './message.ts'
import type { Pattern } from './pattern.ts'
import { findAmbiguity, holesOf } from './pattern.ts'
import { createSizeClasses } from './sizes.ts'
import type { Path } from './source.ts'
import type { BodyData } from './template.ts'

export interface DirectionData {
  readonly lines: readonly DraftLine[]
  readonly body: BodyData | undefined
  readonly classes: readonly number[]
  /** Slots for a token: 1 in a request, 0 in a response. */
  readonly tokens: 0 | 1
}

/** @throws TemplateError where a message of this direction could not be written or not be read without doubt */
export function compileDirection(context: Context, data: DirectionData, path: Path): Message {
  const bodyPath = [...path, 'body']
  const draft = data.body && draftBody(context, data.body, bodyPath)
  const holes = collectHoles(context, data.lines, draft, bodyPath)
  const token = holes.filter((hole): hole is Slot => hole.kind === 'token')
  if (token.length !== data.tokens) context.refuse(path, data.tokens ? 'one token' : 'no token in a response')
  const payload = holes.filter((hole): hole is Slot => hole.kind === 'payload')
  const left = checkPayload(context, payload, draft?.file !== undefined, data.classes, path)
  const message: Message = {
    lines: data.lines,
    body: draft && finishBody(context, draft, left),
    token: token[0],
    payload,
    fillers: holes.filter((hole) => hole.kind === 'filler'),
    host: holes.find((hole) => hole.kind === 'host'),
    sizes: createSizeClasses(data.classes),
  }
  checkMediaType(context, data.lines, data.body, draft, path)
  checkBudget(context, message, data.lines, path)
  return message
}

/** In order of appearance, each once. */
function collectHoles(
  context: Context,
  lines: readonly DraftLine[],
  draft: BodyDraft | undefined,
  bodyPath: Path,
): AnyHole[] {
  const all: AnyHole[] = []
  for (const line of lines) all.push(...checkPattern(context, line.pattern, false, line.path, !line.read))
  if (draft !== undefined) {
    all.push(...checkPattern(context, draft.head, draft.file !== undefined, bodyPath, false))
    for (const pattern of draft.file?.inner ?? []) all.push(...checkPattern(context, pattern, false, bodyPath, false))
    all.push(...checkPattern(context, draft.tail, true, bodyPath, false))
  }
  const twice = all.find((hole, at) => (hole.kind === 'token' || hole.kind === 'payload') && all.indexOf(hole) < at)
  if (twice !== undefined) context.refuse(bodyPath, `{{${twice.name}}} once in a message`)
  return [...new Set(all)]
}

function checkPattern(
  context: Context,
  pattern: Pattern,
  followed: boolean,
  path: Path,
  hostAllowed: boolean,
): AnyHole[] {
  const holes = holesOf(pattern)
  if (!hostAllowed && holes.some((hole) => hole.kind === 'host')) {
    context.refuse(path, 'no {{host}}, which stands in headers that carry nothing')
  }
  const ambiguity = hostAllowed ? undefined : findAmbiguity(pattern, followed)
  if (ambiguity !== undefined) context.refuse(path, ambiguity)
  return holes
}

/** Every octet of every class needs one place. Returns what each class leaves for a file. */
function checkPayload(
  context: Context,
  slots: readonly Slot[],
  file: boolean,
  classes: readonly number[],
  path: Path,
): number[] {
  if (slots.length === 0 && !file) context.refuse(path, 'a place for the payload')
  const open = slots.filter((slot) => slot.exact === undefined)
  if (open.length !== (file ? 0 : 1)) context.refuse(path, 'exact lengths for all places of the payload but one')
  const fixed = fixedLength(slots)
  for (const slot of slots) {
    const taken = slot.exact === undefined ? classes.map((length) => length - fixed) : [slot.exact]
    const odd = taken.find((length) => length % slot.multiple !== 0)
    if (odd !== undefined) context.refuse(path, `lengths in {{${slot.name}}} that are multiples of ${slot.multiple}`)
  }
  if (classes[0]! <= fixed) context.refuse([...path, 'classes'], `lengths above ${fixed}, the exact ones together`)
  for (const slot of slots) {
    const short = slot.exact ?? classes[0]! - fixed
    if (short < slot.least) context.refuse(path, `at least ${slot.least} octets in {{${slot.name}}}, not ${short}`)
  }
  return classes.map((length) => length - fixed)
}
