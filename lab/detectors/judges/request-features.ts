/** What an edge that terminates TLS can count of a request: names, lengths, entropy, repetition. */
import type { Exchange } from '../capture/exchanges.ts'
import type { Session } from '../capture/session.ts'

const columns: readonly string[] = [
  ...['fields', 'octets of names', 'octets of values', 'longest value', 'target', 'parameters', 'longest parameter'],
  ...[
    'entropy of target',
    'body',
    'entropy of body',
    'answer',
    'is POST',
    'since the one before',
    'paths of the session',
  ],
  ...['requests of the session', 'share of its path', 'language', 'referer', 'cookie', 'letters of names'],
]

export function requestFeatures(sessions: readonly Session[]): {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly number[])[]
  readonly groups: readonly string[]
} {
  const rows: number[][] = []
  const groups: string[] = []
  for (const [number, { connections, host, kind }] of sessions.entries()) {
    const all = connections.flatMap(({ exchanges }) => exchanges).toSorted((a, b) => a.askedAt - b.askedAt)
    const paths = all.map(({ target }) => target.replace(/\?.*$/s, ''))
    // The page at the beginning is the site's, whoever asks for it.
    all.forEach((exchange, at) => {
      if (at === 0) return
      const same = paths.filter((path) => path === paths[at]).length
      rows.push([
        ...ofRequest(exchange, all[at - 1]!),
        new Set(paths).size,
        all.length,
        same / all.length,
        ...ofFields(exchange),
      ])
      // A member stays the same, a visitor comes without a memory.
      groups.push(kind === 'ours' ? host : `${host} ${number}`)
    })
  }
  return { columns, rows, groups }
}

function ofRequest(exchange: Exchange, before: Exchange): number[] {
  const { headers, target, body, answer, method, askedAt } = exchange
  const values = headers.map(([, value]) => value.length)
  const parameters = target.includes('?') ? target.slice(target.indexOf('?') + 1).split('&') : []
  const since = Math.round(askedAt - before.askedAt)
  return [
    ...[headers.length, sum(headers.map(([name]) => name.length)), sum(values), Math.max(0, ...values)],
    ...[target.length, parameters.length, Math.max(0, ...parameters.map(({ length }) => length))],
    ...[entropy(Buffer.from(target)), body.length, entropy(body), answer, method === 'POST' ? 1 : 0, since],
  ]
}

function ofFields({ headers }: Exchange): number[] {
  const length = (wanted: string): number => headers.find(([name]) => name.toLowerCase() === wanted)?.[1].length ?? -1
  const capitals = headers.filter(([name]) => name !== name.toLowerCase()).length
  return [length('accept-language'), length('referer'), length('cookie'), capitals]
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)

/** Bits an octet. */
function entropy(octets: Uint8Array): number {
  if (octets.length === 0) return 0
  const counts = new Map<number, number>()
  for (const octet of octets) counts.set(octet, (counts.get(octet) ?? 0) + 1)
  return -sum([...counts.values()].map((count) => (count / octets.length) * Math.log2(count / octets.length)))
}
