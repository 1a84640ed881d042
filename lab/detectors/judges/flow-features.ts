/**
 * What a classifier of flows gets to see of a session: sizes and times of packets and records, no content. Three views: all of
 * it, its first 30 packets with payload, and the steady state, without the connection's beginning.
 */
import { quantile } from '../../../scripts/bench/report.ts'
import { RecordType } from '../capture/records.ts'
import type { SeenRecord, Session } from '../capture/session.ts'

export const VIEWS = ['whole', 'first', 'steady'] as const
export type View = (typeof VIEWS)[number]

/** Names of the columns tell what gave somebody away. `kind`: whether a column is about size or time. */
export interface Column {
  readonly name: string
  readonly kind: 'size' | 'time'
}

export interface Row {
  readonly columns: readonly Column[]
  readonly values: readonly number[]
}

/** Packets of the view of the beginning, and milliseconds after which the steady state begins. */
const FIRST = 30
const STEADY_AFTER_MS = 3_000
/** Records whose lengths are columns of their own. */
const LISTED = 24

interface Piece {
  readonly at: number
  readonly up: boolean
  readonly length: number
}

export function featuresOf(session: Session, view: View): Row {
  const packets = session.connections
    .flatMap((connection) => connection.packets)
    .filter(({ length }) => length > 0)
    .toSorted((a, b) => a.at - b.at)
  const records = session.connections
    .flatMap((connection) => connection.records)
    .filter(({ type }) => type === RecordType.data)
    .toSorted((a, b) => a.at - b.at)
  const begin = packets[0]?.at ?? 0
  if (view === 'first') return rowOf([...listed('packet', packets.slice(0, FIRST), FIRST)])
  const late = (pieces: readonly Piece[]): Piece[] => pieces.filter(({ at }) => at >= begin + STEADY_AFTER_MS)
  const [seen, told] = view === 'whole' ? [packets, records as readonly SeenRecord[]] : [late(packets), late(records)]
  return rowOf([
    ...counts('packet', seen, packetEdges),
    ...counts('record', told, recordEdges),
    ...listed('record', told.slice(0, LISTED), LISTED),
    ...gaps('packet', seen),
    ...gaps(
      'up',
      seen.filter(({ up }) => up),
    ),
    ...gaps(
      'down',
      seen.filter(({ up }) => !up),
    ),
    ...turns(told),
    ...(view === 'whole' ? ([['connections', 'size', session.connections.length]] as const) : []),
  ])
}

type Entry = readonly [name: string, kind: Column['kind'], value: number]

function rowOf(entries: readonly Entry[]): Row {
  return {
    columns: entries.map(([name, kind]) => ({ name, kind })),
    values: entries.map(([, , value]) => (Number.isFinite(value) ? value : -1)),
  }
}

const packetEdges = [40, 80, 120, 200, 300, 400, 600, 800, 1000, 1200, 1447]
const recordEdges = [
  ...Array.from({ length: 32 }, (_, i) => 32 * (i + 1)),
  ...Array.from({ length: 12 }, (_, i) => 1024 + 256 * (i + 1)),
  ...[5120, 8192, 12_288],
]

/** How many of each size and direction; how many and how much in all. */
function counts(what: string, pieces: readonly Piece[], edges: readonly number[]): Entry[] {
  return [true, false].flatMap((up): Entry[] => {
    const mine = pieces.filter((piece) => piece.up === up).map(({ length }) => length)
    const way = up ? 'up' : 'down'
    const bins = [...edges, Number.POSITIVE_INFINITY].map((edge, i): Entry => {
      const from = i === 0 ? 0 : edges[i - 1]!
      const count = mine.filter((length) => length >= from && length < edge).length
      return [`${what}s ${way} of ${from}-${edge}`, 'size', count]
    })
    return [
      ...bins,
      [`${what}s ${way}`, 'size', mine.length],
      [`octets ${way} in ${what}s`, 'size', mine.reduce((sum, length) => sum + length, 0)],
      [`sizes ${way} of ${what}s`, 'size', new Set(mine).size],
      [`median ${what} ${way}`, 'size', quantile(mine, 0.5)],
    ]
  })
}

/** One by one, down as negative numbers, with the time since the first. */
function listed(what: string, pieces: readonly Piece[], count: number): Entry[] {
  return Array.from({ length: count }).flatMap((_, i): Entry[] => {
    const piece = pieces[i]
    const signed = piece === undefined ? 0 : piece.up ? piece.length : -piece.length
    return [
      [`${what} ${i + 1}`, 'size', signed],
      [`time of ${what} ${i + 1}`, 'time', piece === undefined ? -1 : piece.at - pieces[0]!.at],
    ]
  })
}

function gaps(what: string, pieces: readonly Piece[]): Entry[] {
  const between = pieces.slice(1).map(({ at }, i) => at - pieces[i]!.at)
  return [0.1, 0.25, 0.5, 0.75, 0.9, 0.99].map((q): Entry => [`gap of ${what} at ${q}`, 'time', quantile(between, q)])
}

/** From a record up to the next one down, and from one down to the next up: waiting for answers, and thinking. */
function turns(records: readonly Piece[]): Entry[] {
  const of = (up: boolean): number[] =>
    records
      .slice(1)
      .flatMap((record, i) => (records[i]!.up === up && record.up !== up ? [record.at - records[i]!.at] : []))
  return [
    ...[0.1, 0.25, 0.5, 0.75, 0.9].map((q): Entry => [`answer after at ${q}`, 'time', quantile(of(true), q)]),
    ...[0.1, 0.25, 0.5, 0.75, 0.9].map((q): Entry => [`asked again after at ${q}`, 'time', quantile(of(false), q)]),
    ['turns', 'size', of(true).length],
  ]
}
