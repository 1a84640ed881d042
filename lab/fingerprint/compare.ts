/** What two visits show, side by side: the browser's and ours. Every difference in words; none that is left out. */
import type { ClientHello } from '#firewall/dialers/client-hello.ts'
import { isGrease, ja3Sorted, ja4 } from '#firewall/dialers/client-hello.ts'
import { differences } from '#firewall/dialers/differences.ts'
import type { BrowserProfile } from '#firewall/dialers/profile.ts'
import type { Frame } from '../prober/http2.ts'
import { FrameKind } from '../prober/http2.ts'
import type { SeenConnection, SeenRequest } from './recorder.ts'
import { isPlanned, PLAN } from './visit.ts'

export interface Visits {
  /** Over HTTP/2 and over HTTP/1.1. */
  readonly h2: readonly SeenConnection[]
  readonly h1: readonly SeenConnection[]
}

export interface Comparison {
  /** All our fresh connections show a JA4 that the browser's fresh ones have; likewise those resumed. */
  readonly ja4: { readonly equal: boolean; readonly fresh: string; readonly resumed: string }
  readonly h2Equal: boolean
  readonly headersEqual: boolean
  readonly gaps: readonly string[]
}

const PSK = 0x0029
const isResumed = ({ hello }: SeenConnection): boolean => hello.extensions.some(({ type }) => type === PSK)

export function compare(profile: BrowserProfile, theirs: Visits, ours: Visits): Comparison {
  const hellos = helloGaps(profile, theirs, ours)
  const h2 = http2Gaps(theirs.h2, ours.h2)
  const headers = [...headerGaps('HTTP/2', theirs.h2, ours.h2), ...headerGaps('HTTP/1.1', theirs.h1, ours.h1)]
  return {
    ja4: hellos.ja4,
    h2Equal: h2.length === 0,
    headersEqual: headers.length === 0,
    gaps: [...hellos.gaps, ...h2, ...headers, ...recordGaps(theirs.h2, ours.h2)],
  }
}

// ---- ClientHello ------------------------------------------------------------------------------------------------------------

function helloGaps(
  profile: BrowserProfile,
  theirs: Visits,
  ours: Visits,
): { ja4: Comparison['ja4']; gaps: readonly string[] } {
  const of = (visits: Visits, resumed: boolean): readonly ClientHello[] =>
    [...visits.h2, ...visits.h1].filter((each) => isResumed(each) === resumed).map(({ hello }) => hello)
  const match = (resumed: boolean): { good: number; all: number; said: string } => {
    const known = new Set(of(theirs, resumed).map(ja4))
    const shown = of(ours, resumed).map(ja4)
    const good = shown.filter((each) => known.has(each)).length
    return { good, all: shown.length, said: `${good} of ${shown.length}` }
  }
  const [fresh, resumed] = [match(false), match(true)]
  const isEqual = fresh.all > 0 && fresh.good === fresh.all && resumed.good === resumed.all
  const [mine, real] = [of(ours, false), of(theirs, false)]
  const gaps = [
    ...(resumed.all === 0 ? ['TLS: no session is resumed, which this browser does'] : []),
    ...differences(profile, mine[0]!),
    ...listGap('ClientHello, sorted JA3', new Set(real.map(ja3Sorted)), new Set(mine.map(ja3Sorted))),
    ...orderGap(real, mine),
    ...listGap('ClientHello, lengths of ECH', lengthsOf(real, 0xfe0d), lengthsOf(mine, 0xfe0d), profile.tls.echLengths),
    lengthGap(real, mine),
  ]
  return { ja4: { equal: isEqual, fresh: fresh.said, resumed: resumed.said }, gaps }
}

const lengthsOf = (hellos: readonly ClientHello[], wanted: number): Set<number> =>
  new Set(
    hellos.flatMap(({ extensions }) => extensions.filter(({ type }) => type === wanted)).map(({ data }) => data.length),
  )

/** Of `mine`, what neither `real` nor `known` has. */
function listGap<T>(what: string, real: ReadonlySet<T>, mine: ReadonlySet<T>, known: readonly T[] = []): string[] {
  const strange = [...mine].filter((each) => !real.has(each) && !known.includes(each))
  return strange.length === 0 ? [] : [`${what}: ${strange.join(' ')} instead of ${[...real].join(' ')}`]
}

function orderGap(real: readonly ClientHello[], mine: readonly ClientHello[]): string[] {
  const orders = (hellos: readonly ClientHello[]): number =>
    new Set(hellos.map(({ extensions }) => extensions.map(({ type }) => (isGrease(type) ? 'grease' : type)).join()))
      .size
  const [theirs, ours] = [orders(real), orders(mine)]
  const isFixed = theirs === 1 && ours === 1
  if (isFixed || (theirs === real.length && ours === mine.length)) return []
  return [
    `ClientHello, orders that differ: ${ours} of ${mine.length} connections, the browser ${theirs} of ${real.length}`,
  ]
}

function lengthGap(real: readonly ClientHello[], mine: readonly ClientHello[]): string {
  const range = (hellos: readonly ClientHello[]): string => {
    const all = hellos.map(({ length }) => length)
    return `${Math.min(...all)} to ${Math.max(...all)}`
  }
  return `ClientHello, length: ${range(mine)} octets, the browser ${range(real)}`
}

// ---- HTTP/2 -----------------------------------------------------------------------------------------------------------------

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

/** Settings, windows and priorities, and the order of pseudo-headers. */
function http2Gaps(theirs: readonly SeenConnection[], ours: readonly SeenConnection[]): string[] {
  const [real, mine] = [mainOf(theirs), mainOf(ours)]
  const told = (connection: SeenConnection): [string, string][] => {
    const frames = connection.frames
    const opening = frames.slice(0, 2).map(({ kind, payload }) => `${kind} ${hex(payload)}`)
    return [
      ['settings and window', opening.join(', ')],
      ['first stream', String(headersOf(frames)[0]?.stream)],
      ['pseudo-headers', pseudoOf(connection)],
      [
        'windows of streams',
        String(frames.find(({ kind, stream }) => kind === FrameKind.window && stream > 0)?.payload.length ?? 0),
      ],
    ]
  }
  const [a, b] = [
    [...told(real), ['priorities', prioritiesOf(theirs)] as const],
    [...told(mine), ['priorities', prioritiesOf(ours)] as const],
  ]
  return a.flatMap(([what, value], at) =>
    value === b[at]![1] ? [] : [`HTTP/2, ${what}: ${b[at]![1]} instead of ${value}`],
  )
}

const mainOf = (seen: readonly SeenConnection[]): SeenConnection =>
  seen.find(({ requests }) => requests.some(({ target }) => target === '/'))!

const headersOf = (frames: readonly Frame[]): readonly Frame[] =>
  frames.filter(({ kind }) => kind === FrameKind.headers)

const pseudoOf = ({ requests }: SeenConnection): string =>
  requests[0]!.headers
    .map(([name]) => name)
    .filter((name) => name.startsWith(':'))
    .join(' ')

/** Weight and exclusiveness of each planned request; on which other one it depends is a matter of when others end. */
function prioritiesOf(seen: readonly SeenConnection[]): string {
  const told = new Map<string, string>()
  for (const { frames, requests } of seen) {
    const headers = headersOf(frames)
    for (const [at, { target }] of requests.entries()) {
      const frame = headers[at]
      const says = frame !== undefined && frame.flags & 0x20 ? `${frame.payload[0]! >> 7} ${frame.payload[4]}` : 'none'
      if (!told.has(target)) told.set(target, says)
    }
  }
  return planned(...seen)
    .map(({ target }) => `${target} ${told.get(target)}`)
    .join(', ')
}

// ---- header fields ----------------------------------------------------------------------------------------------------------

/** Of each planned request the first of its target, in the plan's order. */
function planned(...seen: readonly SeenConnection[]): SeenRequest[] {
  const all = seen.flatMap(({ requests }) => requests)
  const targets = [...new Set(PLAN.map(({ target }) => target))]
  return targets.flatMap((target) => all.find((each) => each.target === target) ?? [])
}

function headerGaps(protocol: string, theirs: readonly SeenConnection[], ours: readonly SeenConnection[]): string[] {
  const mine = new Map(planned(...ours).map((each) => [each.target, linesOf(each)]))
  return planned(...theirs).flatMap((request) => {
    const [a, b] = [linesOf(request), mine.get(request.target) ?? []]
    const at = a.findIndex((line, index) => line !== b[index])
    if (at < 0 && a.length === b.length) return []
    return [
      `${protocol}, header fields of ${request.method} ${request.target}: «${b[at] ?? ''}» instead of «${a[at] ?? ''}»`,
    ]
  })
}

/** Without what the harness chose: ports, and that there was no window. */
const linesOf = ({ headers }: SeenRequest): string[] =>
  headers.map(([name, value]) => `${name}: ${value.replace(/:\d{4,5}\b/g, '').replace('HeadlessChrome', 'Chrome')}`)

// ---- records ----------------------------------------------------------------------------------------------------------------

/** Lengths that an observer sees: of a connection's start, and of each planned request's HEADERS. */
function recordGaps(theirs: readonly SeenConnection[], ours: readonly SeenConnection[]): string[] {
  const [real, mine] = [mainOf(theirs), mainOf(ours)]
  // A connection that the browser opened in advance may have said nothing yet.
  const start =
    real.records[1] === undefined || real.records[1] === mine.records[1]
      ? []
      : [`records, a connection's start: ${mine.records[1]} octets instead of ${real.records[1]}`]
  const lengths = (connection: SeenConnection): Map<string, number[]> => {
    const frames = headersOf(connection.frames)
    const found = new Map<string, number[]>()
    for (const [index, { method, target }] of connection.requests.entries()) {
      const name = `${method} ${target}`
      if (isPlanned(target)) found.set(name, [...(found.get(name) ?? []), frames[index]?.payload.length ?? 0])
    }
    return found
  }
  const [a, b] = [lengths(real), lengths(mine)]
  // Names and ports of the harness are in the first request of a connection, and in the first that says an origin.
  const steady = [...a].filter(([name]) => name !== 'GET /')
  return [
    ...start,
    ...steady.flatMap(([name, theirLengths]) => {
      const ourLengths = b.get(name) ?? []
      if (theirLengths.join() === ourLengths.join()) return []
      return [
        `records, HEADERS of ${name}: ${ourLengths.join(' then ')} octets instead of ${theirLengths.join(' then ')}`,
      ]
    }),
  ]
}
