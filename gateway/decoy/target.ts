/** What a request target names, normalised as nginx does it: percent-decoding, `//`, `.` and `..`. Pure. */

export interface Target {
  /** Begins with `/`; decoded. */
  readonly path: string
  /** As it came, with its `?`; may be empty. */
  readonly query: string
}

/** The path and query of a target that may be a whole URL; undefined for anything else, such as `*`. */
export function originForm(raw: string): string | undefined {
  if (raw.startsWith('/')) return raw
  const origin = /^https?:\/\/[^/?#]*/i.exec(raw)
  if (origin === null) return undefined
  const rest = raw.slice(origin[0].length)
  return rest.startsWith('/') ? rest : `/${rest}`
}

/** undefined where a server answers 400: not a path, a bad escape, above the root, a zero octet. */
export function parseTarget(raw: string): Target | undefined {
  const rest = originForm(raw)
  if (rest === undefined) return undefined
  const at = rest.indexOf('?')
  const path = normalise(at < 0 ? rest : rest.slice(0, at))
  return path === undefined ? undefined : { path, query: at < 0 ? '' : rest.slice(at) }
}

function normalise(raw: string): string | undefined {
  const decoded = decode(raw.split('#', 1)[0]!)
  if (decoded === undefined || decoded.includes('\0')) return undefined
  const segments: string[] = []
  const parts = decoded.split('/')
  for (const part of parts) {
    if (part === '..') {
      if (segments.pop() === undefined) return undefined
    } else if (part !== '' && part !== '.') segments.push(part)
  }
  const last = parts.at(-1)!
  const folder = last === '' || last === '.' || last === '..'
  return `/${segments.join('/')}${folder && segments.length > 0 ? '/' : ''}`
}

/** Octets that are no UTF-8 name no file, and are no fault either: nginx looks for them and finds nothing. */
function decode(text: string): string | undefined {
  if (!text.includes('%')) return text
  try {
    return decodeURIComponent(text)
  } catch {
    if (/%(?![0-9a-f]{2})/i.test(text)) return undefined
    const octets = text.replace(/%([0-9a-f]{2})/gi, (_, digits: string) =>
      String.fromCharCode(Number.parseInt(digits, 16)),
    )
    return Buffer.from(octets, 'latin1').toString('utf8')
  }
}
