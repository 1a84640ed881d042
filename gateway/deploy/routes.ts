/** Which requests a web server in front hands to the gateway: those that the live templates could have made. Pure. */
import type { CompiledTemplate } from '#engine/compile.ts'
import type { Pattern } from '#engine/pattern.ts'

/** Paths that share what comes on them. */
export interface Route {
  /** In alphabetical order. */
  readonly methods: readonly string[]
  /** Regular expressions of whole, decoded paths, in a form that PCRE and RE2 read alike; in alphabetical order. */
  readonly paths: readonly string[]
  /** Members ask for WebSockets there, too. */
  readonly sockets: boolean
}

/** Of one path. */
interface Use {
  readonly methods: Set<string>
  sockets: boolean
}

/** Everything else is the website's at once: other paths, and other methods on these. */
export function routesOf(templates: readonly CompiledTemplate[]): Route[] {
  const uses = new Map<string, Use>()
  const useOf = (path: Pattern): Use => {
    const regex = regexOf(path)
    const use = uses.get(regex) ?? { methods: new Set(), sockets: false }
    uses.set(regex, use)
    return use
  }
  for (const { shapes, socket } of templates) {
    for (const { method, path } of shapes) useOf(path).methods.add(method)
    if (socket === undefined) continue
    const use = useOf(socket.upgrade.path)
    use.methods.add(socket.upgrade.method)
    use.sockets = true
  }
  const groups = new Map<string, Route>()
  for (const [regex, { methods: used, sockets }] of [...uses].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const methods = [...used].toSorted()
    const key = `${methods.join(' ')} ${sockets}`
    groups.set(key, { methods, paths: [...(groups.get(key)?.paths ?? []), regex], sockets })
  }
  return [...groups].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, route]) => route)
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
