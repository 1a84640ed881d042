/**
 * Whether the same exchange takes exactly as many octets in records: by kind of exchange, those of the steady state of a
 * client against those of the genuine one. Bodies are as long in both; what differs is how headers are written, and how
 * what is written is cut into records.
 */
import { HpackEncoder } from '#firewall/dialers/hpack.ts'
import type { Exchange } from '../capture/exchanges.ts'
import type { Session } from '../capture/session.ts'

export interface Parity {
  readonly kind: string
  readonly ours: number
  readonly genuine: number
  /** Difference of octets in records beside body and target, the most common, ours less theirs. */
  readonly up: number
  readonly down: number
  /** Ways in which each is cut: counts of records up and down, the most common one. */
  readonly cut: string
  readonly genuineCut: string
}

/** Fewer of a kind say nothing. */
const LEAST = 8
/** Bodies that differ by less are of one kind: decoration varies. */
const BUCKET = 48

/** In the order of how often we do it. `alone`: exchanges of ours, of kinds that the genuine client does not have, as a share. */
export function parityOf(
  ours: readonly Session[],
  genuine: readonly Session[],
): { readonly kinds: readonly Parity[]; readonly alone: number } {
  const [mine, theirs] = [byKind(ours), byKind(genuine)]
  const kinds = [...mine]
    .filter(([kind, list]) => list.length >= LEAST && (theirs.get(kind)?.length ?? 0) >= LEAST)
    .toSorted(([, a], [, b]) => b.length - a.length)
    .map(([kind, list]): Parity => {
      const others = theirs.get(kind)!
      return {
        ...{ kind, ours: list.length, genuine: others.length, cut: cutOf(list), genuineCut: cutOf(others) },
        up: beside(list, 'up') - beside(others, 'up'),
        down: beside(list, 'down') - beside(others, 'down'),
      }
    })
  const all = [...mine.values()].reduce((sum, list) => sum + list.length, 0)
  const known = [...mine].reduce((sum, [kind, list]) => sum + (theirs.has(kind) ? list.length : 0), 0)
  return { kinds, alone: all === 0 ? 0 : 1 - known / all }
}

/** Exchanges that were answered, without those that a connection begins with. */
function byKind(sessions: readonly Session[]): Map<string, Exchange[]> {
  const found = new Map<string, Exchange[]>()
  for (const { connections } of sessions)
    for (const { exchanges } of connections)
      for (const exchange of exchanges.slice(2)) {
        if (exchange.answer === 0 || exchange.down.length === 0) continue
        const kind = kindOf(exchange)
        found.set(kind, [...(found.get(kind) ?? []), exchange])
      }
  return found
}

export function kindOf({ method, target, body, answer }: Exchange): string {
  const path = target.replace(/\?.*$/s, '')
  const bucket = (length: number): number => Math.round(length / BUCKET) * BUCKET
  const said = method === 'GET' ? `?${bucket(target.length)}` : ` ${bucket(body.length)}`
  return `${method} ${path}${said} -> ${bucket(answer)}`
}

/** Octets in records that are not content: the most common number. */
function beside(list: readonly Exchange[], way: 'up' | 'down'): number {
  const content = (each: Exchange): number => (way === 'up' ? each.body.length + targetOctets(each) : each.answer)
  return mostCommon(list.map((each) => each[way].reduce((sum, length) => sum + length, 0) - content(each)))
}

/** What the target takes on the wire: its random parts are of several lengths, in Huffman's code too. */
function targetOctets({ target, headers }: Exchange): number {
  const isHttp2 = headers[0]?.[0].startsWith(':') === true
  return isHttp2 ? new HpackEncoder().encode([[':path', target]]).length : target.length
}

const cutOf = (list: readonly Exchange[]): string =>
  mostCommon(list.map(({ up, down }) => `${up.length}+${down.length}`))

function mostCommon<T>(values: readonly T[]): T {
  const counts = new Map<T, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  return [...counts].toSorted(([, a], [, b]) => b - a)[0]![0]
}
