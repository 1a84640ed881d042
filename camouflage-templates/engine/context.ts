/** What compiling needs everywhere: the holes by name, and how to refuse a line of the template. */
import { createChoice, createNumber, createRun } from './fillers.ts'
import type { AnyHole, HostHole } from './hole.ts'
import type { Pattern } from './pattern.ts'
import { holesOf, parsePattern } from './pattern.ts'
import { createJweSlot, createPayloadSlot, createTokenSlot } from './slot.ts'
import type { Path, Source } from './source.ts'
import { refuse } from './source.ts'
import type { HoleData, Template } from './template.ts'

export interface Context {
  readonly source: Source
  /** Names of the holes that some text uses. */
  readonly used: Set<string>
  parse(text: string, path: Path): Pattern
  refuse(path: Path, expectation: string): never
  /** Runs `step` and turns its RangeError into a refusal of `path`. */
  attempt<T>(path: Path, step: () => T): T
}

/** Written, never read; 253 characters is the longest host name. */
const hostHole: HostHole = {
  kind: 'host',
  name: 'host',
  alphabet: '',
  min: 1,
  max: 253,
  endsItself: false,
  span: () => -1,
}

export function createContext(template: Template): Context {
  const { source } = template
  const holes = new Map<string, AnyHole>([['host', hostHole]])
  for (const [name, data] of Object.entries(template.data.holes)) {
    if (name === 'host') refuse(source, ['holes', name], 'another name, {{host}} is the name of the host')
    holes.set(name, createHole(name, data))
  }
  const context: Context = {
    source,
    used: new Set(),
    refuse: (path, expectation) => refuse(source, path, expectation),
    attempt(path, step) {
      try {
        return step()
      } catch (error) {
        if (error instanceof RangeError) return refuse(source, path, error.message)
        throw error
      }
    },
    parse(text, path) {
      const pattern = context.attempt(path, () => parsePattern(text, holes))
      for (const hole of holesOf(pattern)) context.used.add(hole.name)
      return pattern
    },
  }
  return context
}

function createHole(name: string, data: HoleData): AnyHole {
  if ('number' in data) return createNumber(name, data.number)
  if ('run' in data) return createRun(name, data.run, data.length)
  if ('oneOf' in data) return createChoice(name, data.oneOf)
  if ('token' in data) return createTokenSlot(name, data.token)
  return 'jwe' in data ? createJweSlot(name, data) : createPayloadSlot(name, data)
}
