/** Which requests a web server in front hands to the gateway: those that the live templates could have made. Pure. */
import type { CompiledTemplate } from '#engine/compile.ts'
import type { Pattern } from '#engine/pattern.ts'

/** Paths that share their methods. */
export interface Route {
  /** In alphabetical order. */
  readonly methods: readonly string[]
  /** Regular expressions of whole, decoded paths, in a form that PCRE and RE2 read alike; in alphabetical order. */
  readonly paths: readonly string[]
}

/** Everything else is the website's at once: other paths, and other methods on these. */
export function routesOf(templates: readonly CompiledTemplate[]): Route[] {
  const methods = new Map<string, Set<string>>()
  for (const { method, path } of templates.flatMap(({ shapes }) => shapes)) {
    const regex = regexOf(path)
    methods.set(regex, (methods.get(regex) ?? new Set()).add(method))
  }
  const groups = new Map<string, string[]>()
  for (const [regex, used] of [...methods].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const key = [...used].toSorted().join(' ')
    groups.set(key, [...(groups.get(key) ?? []), regex])
  }
  return [...groups]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, paths]) => ({ methods: key.split(' '), paths }))
}

/** A hole is any text without a slash: the gateway looks at the rest. */
function regexOf({ pieces }: Pattern): string {
  const parts = pieces.map((piece) => (typeof piece === 'string' ? literal(piece) : '[^/]+'))
  return `^${parts.filter((part, at) => part !== '[^/]+' || parts[at - 1] !== part).join('')}$`
}

/** Web servers compare decoded paths. What would need a backslash or a quotation mark becomes "any character". */
function literal(text: string): string {
  const characters = [...decoded(text)].map((character) => {
    if (/[A-Za-z0-9/_~-]/.test(character)) return character
    return /[.,:@!]/.test(character) ? `[${character}]` : '.'
  })
  return characters.join('')
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
