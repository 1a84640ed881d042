/** Everything that is judged without training, by template: ours beside the genuine client and, where it helps, beside peers. */
import type { CompiledTemplate } from '#engine/compile.ts'
import { ja4 } from '#firewall/dialers/client-hello.ts'
import { prng } from '#test/helpers/prng.ts'
import { median, quantile, round } from '../../../scripts/bench/report.ts'
import type { Interval } from '../../prober/statistics.ts'
import { auc, folded, mean, meanDifference, sameMixture, share } from '../../prober/statistics.ts'
import type { ClientHello } from '../capture/client-hello.ts'
import { ja3 } from '../capture/client-hello.ts'
import type { SeenConnection, Session } from '../capture/session.ts'
import { beaconScore } from '../judges/beacon.ts'
import { callsOf } from '../judges/calls.ts'
import { exemptionOf } from '../judges/fully-encrypted.ts'
import { contradictions, foreignOrders } from '../judges/headers.ts'
import { startRecords, startText } from '../judges/http2-start.ts'
import { innerSteps } from '../judges/inner-steps.ts'
import type { MessageLeak } from '../judges/messages.ts'
import { messageLeak } from '../judges/messages.ts'
import type { Parity } from '../judges/parity.ts'
import { parityOf } from '../judges/parity.ts'
import { beyondRoundTrip } from '../judges/round-trips.ts'
import { innerHandshake } from '../judges/tls-in-tls.ts'
import { genuineKind } from '../pairs.ts'
import type { PeerSessions } from '../peers/watch.ts'

/** What connections of one class look like. */
export interface Looks {
  readonly connections: number
  readonly sessions: number
  readonly perSession: number
  readonly resumed: number
  /** Seconds, median. */
  readonly lifetime: number
  /** First payloads that the rules for traffic without a face would block. */
  readonly blocked: number
  readonly tlsInTls: Interval
  /** Names without GREASE among the signatures, and with; the most common first. */
  readonly ja4: readonly string[]
  readonly ja4WithGrease: number
  /** Share of greetings whose JA3 no other has. */
  readonly ja3Variety: number
  readonly echLengths: readonly number[]
  readonly helloLengths: readonly [number, number]
  readonly http2: readonly string[]
  /** Priority of the first request, and records until its end. */
  readonly starts: readonly string[]
  readonly contradictions: readonly string[]
  readonly beacon: number
  readonly messages: MessageLeak
  /** Octets of IP packets of one session, medians. */
  readonly up: number
  readonly down: number
  /** Milliseconds from when somebody else says something until it has come down, quantiles. */
  readonly newsAfter: { readonly median: number; readonly p95: number }
}

export interface Comparison {
  readonly template: string
  readonly family: string
  readonly cover: string
  readonly genuineKind: string
  readonly ours: Looks
  readonly genuine: Looks
  /** By how much our beacon score is higher. */
  readonly beaconMore: Interval | undefined
  readonly parity: readonly Parity[]
  readonly alone: number
  readonly orders: ReturnType<typeof foreignOrders>
  /** Chance that ours and the genuine are drawn from the same mixture: lengths of ECH and of greetings, connections of a session. */
  readonly alike: Readonly<Record<'ech' | 'hello' | 'connections', number>>
  /** Folded area of exchanges' time beyond a round trip, ours against theirs. */
  readonly beyond: Interval | undefined
}

export interface PeerLooks {
  readonly peer: string
  readonly looks: Looks
}

export interface Judged {
  readonly comparisons: readonly Comparison[]
  readonly peers: readonly PeerLooks[]
}

export function judge(
  templates: readonly CompiledTemplate[],
  sessions: readonly Session[],
  peers: readonly PeerSessions[],
): Judged {
  return {
    comparisons: templates.map((template) => compare(template, sessions)),
    peers: peers.map((each) => ({ peer: each.peer, looks: looksOf(each.sessions) })),
  }
}

function compare(template: CompiledTemplate, sessions: readonly Session[]): Comparison {
  const kind = genuineKind(template)
  const of = (wanted: string): Session[] =>
    sessions.filter((session) => session.template === template.id && session.kind === wanted)
  const [ours, genuine] = [of('ours'), of(kind)]
  const times = (list: readonly Session[]): Float64Array =>
    Float64Array.from(list.flatMap(({ connections }) => connections.flatMap(beyondRoundTrip)))
  const [mine, theirs] = [times(ours), times(genuine)]
  const { kinds, alone } = parityOf(ours, genuine)
  return {
    ...{
      template: template.id,
      family: template.family,
      cover: template.rhythm.cover?.mode ?? 'off',
      genuineKind: kind,
    },
    ...{ ours: looksOf(ours), genuine: looksOf(genuine), parity: kinds, alone, orders: foreignOrders(ours, genuine) },
    alike: alike(ours, genuine),
    beaconMore: meanDifference(scoresOf(ours), scoresOf(genuine)),
    beyond: mine.length < 8 || theirs.length < 8 ? undefined : folded(auc(mine, theirs)),
  }
}

function alike(ours: readonly Session[], genuine: readonly Session[]): Comparison['alike'] {
  const random = prng(1).next
  const of = (kind: (session: Session) => readonly unknown[]): number =>
    sameMixture(ours.flatMap(kind).map(String), genuine.flatMap(kind).map(String), random)
  const fresh = ({ connections }: Session): ClientHello[] =>
    connections.flatMap(({ hello }) => (hello === undefined || hello.resumes ? [] : [hello]))
  return {
    ech: of((session) => fresh(session).map(({ echLength }) => echLength)),
    hello: of((session) => fresh(session).map(({ length }) => length)),
    connections: of(({ connections }) => [connections.length]),
  }
}

export function looksOf(sessions: readonly Session[]): Looks {
  const connections = sessions.flatMap((session) => session.connections)
  const hellos = connections.map(({ hello }) => hello).filter((hello) => hello !== undefined)
  const fresh = hellos.filter(({ resumes }) => !resumes)
  const flagged = connections.filter((connection) => innerHandshake(innerSteps(connection)) !== undefined).length
  const scores = scoresOf(sessions)
  const lengths = fresh.map(({ length }) => length)
  return {
    connections: connections.length,
    sessions: sessions.length,
    perSession: connections.length / Math.max(1, sessions.length),
    resumed: hellos.filter(({ resumes }) => resumes).length / Math.max(1, hellos.length),
    lifetime: median(connections.map(lifetimeOf)) / 1000,
    blocked: connections.filter(({ first }) => first.length > 0 && exemptionOf(first) === undefined).length,
    tlsInTls: share(flagged, Math.max(1, connections.length)),
    ja4: common(fresh.map((hello) => ja4(hello))),
    ja4WithGrease: new Set(fresh.map((hello) => `${ja4(hello)} ${hello.signatures}`)).size,
    ja3Variety: new Set(fresh.map((hello) => ja3(hello))).size / Math.max(1, fresh.length),
    echLengths: [...new Set(fresh.map(({ echLength }) => echLength ?? 0))].toSorted((a, b) => a - b),
    helloLengths: [Math.min(...lengths), Math.max(...lengths)],
    http2: common(connections.flatMap(({ start }) => (start === undefined ? [] : [startText(start)]))),
    starts: common(connections.flatMap(({ start }) => (start === undefined ? [] : [startRecords(start)]))),
    contradictions: common(connections.flatMap(contradictions)),
    beacon: scores.length === 0 ? Number.NaN : round(mean(scores)),
    messages: messageLeak(sessions),
    ...{
      up: median(sessions.map((each) => octetsOf(each, true))),
      down: median(sessions.map((each) => octetsOf(each, false))),
    },
    newsAfter: newsAfter(sessions),
  }
}

function scoresOf(sessions: readonly Session[]): Float64Array {
  const scores = sessions.map((session) => beaconScore(callsOf(session)))
  return Float64Array.from(scores.filter((score) => score !== undefined))
}

function octetsOf({ connections }: Session, up: boolean): number {
  return connections
    .flatMap(({ packets }) => packets)
    .reduce((sum, packet) => (packet.up === up ? sum + packet.size : sum), 0)
}

/** Octets of a record down that brings a message. */
const NEWS = 700

function newsAfter(sessions: readonly Session[]): Looks['newsAfter'] {
  const times = sessions.flatMap(({ heard, connections }) => {
    const news = connections.flatMap(({ records }) => records.filter(({ up, length }) => !up && length > NEWS))
    const arrivals = news.map(({ at }) => at).toSorted((a, b) => a - b)
    return heard
      .flatMap(({ at }) => (arrivals.find((arrival) => arrival > at) ?? Number.NaN) - at)
      .filter(Number.isFinite)
  })
  return { median: median(times), p95: quantile(times, 0.95) }
}

function lifetimeOf({ packets }: SeenConnection): number {
  return packets.length === 0 ? 0 : packets.at(-1)!.at - packets[0]!.at
}

/** Different ones, the most common first. */
function common(values: readonly string[]): string[] {
  const counts = new Map<string, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  return [...counts].toSorted(([, a], [, b]) => b - a).map(([value]) => value)
}
