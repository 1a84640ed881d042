/** The report for the terminal and for programs. */
import type { Report, Row } from '../../../scripts/bench/report.ts'
import { round } from '../../../scripts/bench/report.ts'
import type { Tap } from '../ground/network.ts'
import { TAPS } from '../ground/network.ts'
import type { Pace } from '../judges/pace.ts'
import type { FlowResult } from '../learn.ts'
import type { Comparison, PeerLooks } from './judge.ts'
import type { Verdict } from './write.ts'

export function toReport(verdict: Verdict): Report {
  const { comparisons, peers, figures } = verdict
  return {
    rows: [...flowRows(figures.flows), ...comparisons.flatMap(rowsOf), ...peers.flatMap(peerRows)],
    result: {
      minutes: round(verdict.minutes, 1),
      busy: round(verdict.busy),
      pace: Object.fromEntries(
        verdict.paces.map(({ family, ours, genuine }) => [family, { ours: tenths(ours), genuine: tenths(genuine) }]),
      ),
      templates: Object.fromEntries(comparisons.map((each) => [each.template, resultOf(each, verdict)])),
      peers: Object.fromEntries(
        peers.map(({ peer, looks }) => [
          peer,
          {
            ...{ sessions: looks.sessions, blocked: looks.blocked, tls_in_tls: round(looks.tlsInTls.value) },
            flow_auc: round(areaOf(figures.flows, peer)?.auc.value ?? Number.NaN),
          },
        ]),
      ),
      null_auc: Object.fromEntries(TAPS.map((tap) => [tap, worst(figures.flows, 'null', tap)])),
      control_auc: Object.fromEntries(TAPS.map((tap) => [tap, worst(figures.flows, 'control', tap)])),
    },
  }
}

const tenths = (pace: Pace): object =>
  Object.fromEntries(Object.entries(pace).map(([step, values]) => [step, values.map((value) => round(value, 1))]))

/** The forest that sees everything. */
function areaOf(
  flows: readonly FlowResult[],
  pair: string,
  tap: Tap = 'line',
  view = 'whole',
  kind = 'both',
): FlowResult | undefined {
  return flows.find(
    ({ id }) => id.pair === pair && id.tap === tap && id.view === view && id.kind === kind && id.attacker === 'forest',
  )
}

/** The most telling of a role, over all attackers. */
function worst(flows: readonly FlowResult[], role: string, tap: Tap): number | null {
  const values = flows.filter(({ id }) => id.role === role && id.tap === tap).map(({ auc }) => auc.value)
  return values.length === 0 ? null : round(Math.max(...values))
}

function flowRows(flows: readonly FlowResult[]): Row[] {
  return flows
    .filter(({ id }) => id.attacker === 'forest' && id.kind === 'both')
    .map(({ id, auc, caught, sessions }) => ({
      what: `${id.pair}, ${id.view}, ${id.tap}`,
      value: round(auc.value),
      unit: 'AUC',
      setting: `${round(auc.low)} to ${round(auc.high)}; caught ${round(100 * caught, 1)} % at 0.6 %; ${sessions.join(' and ')} sessions`,
    }))
}

function rowsOf({ template, ours, genuine, parity, orders, beyond }: Comparison): Row[] {
  const row = (what: string, value: number, unit: string, setting: string): Row => ({
    ...{ what: `${template}: ${what}`, value: round(value), unit, setting },
  })
  return [
    row('connections of a session', ours.perSession, '', `genuine ${round(genuine.perSession, 2)}`),
    row('blocked as fully encrypted', ours.blocked, 'connections', `of ${ours.connections}`),
    row('flagged as TLS in TLS', ours.tlsInTls.value, 'share', `genuine ${round(genuine.tlsInTls.value)}`),
    row('beacon score', ours.beacon, '', `genuine ${genuine.beacon}`),
    row('header orders of its own', orders.foreign, 'requests', `of ${orders.requests}`),
    row('largest difference of records', largest(parity), 'octets', `over ${parity.length} kinds of exchange`),
    row('time beyond the round trip', beyond?.value ?? Number.NaN, 'AUC', 'ours against genuine'),
  ]
}

const largest = (kinds: Comparison['parity']): number =>
  Math.max(0, ...kinds.flatMap(({ up, down }) => [Math.abs(up), Math.abs(down)]))

function peerRows({ peer, looks }: PeerLooks): Row[] {
  const setting = `${looks.sessions} sessions`
  return [
    { what: `${peer}: blocked as fully encrypted`, value: looks.blocked, unit: 'connections', setting },
    { what: `${peer}: flagged as TLS in TLS`, value: round(looks.tlsInTls.value), unit: 'share', setting },
  ]
}

function resultOf(comparison: Comparison, { figures }: Verdict): object {
  const { template, ours, genuine, parity, orders, cover, alone, alike, beaconMore } = comparison
  const pair = `${template}: ours`
  const whole = areaOf(figures.flows, pair)
  const areas = (tap: Tap): object => ({
    auc: rounded(areaOf(figures.flows, pair, tap)?.auc.value),
    ...{
      ci: [rounded(areaOf(figures.flows, pair, tap)?.auc.low), rounded(areaOf(figures.flows, pair, tap)?.auc.high)],
    },
    first: rounded(areaOf(figures.flows, pair, tap, 'first')?.auc.value),
    steady: rounded(areaOf(figures.flows, pair, tap, 'steady')?.auc.value),
    sizes: rounded(areaOf(figures.flows, pair, tap, 'whole', 'sizes')?.auc.value),
    times: rounded(areaOf(figures.flows, pair, tap, 'whole', 'times')?.auc.value),
    null: rounded(areaOf(figures.flows, `${template}: genuine and genuine`, tap)?.auc.value),
    caught: rounded(areaOf(figures.flows, pair, tap)?.caught),
    held_out: rounded(areaOf(figures.flows, pair, tap)?.heldOut?.value),
  })
  return {
    ...{ family: comparison.family, cover, sessions: whole?.sessions ?? [ours.sessions, genuine.sessions] },
    flow: Object.fromEntries(TAPS.map((tap) => [tap, areas(tap)])),
    ...{
      fully_encrypted_blocked: ours.blocked,
      tls_in_tls: [round(ours.tlsInTls.value), round(genuine.tlsInTls.value)],
    },
    ...{ parity: round(largest(parity), 1), exchanges_alone: round(alone), beacon: [ours.beacon, genuine.beacon] },
    beacon_more:
      beaconMore === undefined ? null : [beaconMore.value, beaconMore.low, beaconMore.high].map((each) => round(each)),
    ...{
      connections: [round(ours.perSession, 2), round(genuine.perSession, 2)],
      foreign_header_orders: orders.foreign,
    },
    news_after_ms: [Math.round(ours.newsAfter.median), Math.round(genuine.newsAfter.median)],
    alike: { ech: round(alike.ech), hello: round(alike.hello), connections: round(alike.connections) },
    same_ja4: ours.ja4[0] === genuine.ja4[0],
    same_http2: ours.http2[0] === genuine.http2[0],
  }
}

const rounded = (value: number | undefined): number | null => (value === undefined ? null : round(value))
