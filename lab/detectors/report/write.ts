/** The report for people: tables in Markdown, pictures beside them. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { round } from '../../../scripts/bench/report.ts'
import type { Interval } from '../../prober/statistics.ts'
import type { Wire } from '../ground/network.ts'
import type { Pace } from '../judges/pace.ts'
import { STEPS } from '../judges/pace.ts'
import type { Figures, FlowResult } from '../learn.ts'
import type { Comparison, Judged, Looks } from './judge.ts'

/** How long clients of a family take for each step, ours and the genuine ones. */
export interface FamilyPace {
  readonly family: string
  readonly ours: Pace
  readonly genuine: Pace
}

export interface Verdict extends Judged {
  readonly wire: Wire
  readonly minutes: number
  /** Share of all processors in use while guests were watched. */
  readonly busy: number
  readonly paces: readonly FamilyPace[]
  readonly figures: Figures
}

export function writeReport(folder: string, verdict: Verdict): void {
  writeFileSync(join(folder, 'detectors.md'), reportText(verdict))
  for (const name of ['flows.svg', 'curves.svg']) trim(join(folder, name))
}

/** Blank ends of lines say nothing and disturb who compares versions. */
function trim(file: string): void {
  writeFileSync(file, readFileSync(file, 'utf8').replaceAll(/[ \t]+$/gm, ''))
}

export function reportText(verdict: Verdict): string {
  const { comparisons, wire, minutes, busy } = verdict
  const covers = comparisons.map(({ template, cover }) => `${template} ${cover}`).join(', ')
  return [
    '# What watchers make of our traffic',
    '',
    'Written by `npm run -s lab -- detectors`; how to read it: [docs/lab.md](../../docs/lab.md#detectors-somebody-who-watches-the-wire).',
    '',
    `Wire: from the device to its router a log-normal time each way, in the median ${wire.airMs} ms (sigma ${wire.airSigma}); access lines of ${wire.upMbit} and ${wire.downMbit} Mbit/s; from there ${wire.delayMs} ms each way and ${wire.jitterMs} ms more on average; MTU 1,500, no loss. The same sessions are watched from two places: at the client’s own \`device\`, the worst case, and behind its access \`line\`, where its provider is; what does not say from where is seen there. Collected in ${Math.round(minutes)} minutes, with ${percent(busy)} of the processors in use while guests were there. Cover: ${covers}.`,
    '',
    ...flows(verdict),
    ...connections(verdict),
    ...mixtures(comparisons),
    ...starts(comparisons),
    ...parity(comparisons),
    ...requests(verdict),
    ...habits(comparisons),
    ...pace(verdict),
  ].join('\n')
}

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string[] => [
  `| ${head.join(' | ')} |`,
  `| ${head.map(() => '---').join(' | ')} |`,
  ...rows.map((row) => `| ${row.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`),
  '',
]

export const areaText = (area: Interval | null | undefined): string =>
  area === null || area === undefined ? '' : `${round(area.value)} (${round(area.low)} to ${round(area.high)})`

const percent = (share: number): string => `${round(share * 100, 1)} %`
const code = (text: string | undefined): string => (text === undefined ? '' : `\`${text}\``)

function flows({ figures }: Verdict): string[] {
  const look = ({ view, kind, attacker }: FlowResult['id']): string => `${view}, ${kind}, ${attacker}`
  const rows = figures.flows.map((each) => [
    each.id.pair,
    each.id.tap,
    look(each.id),
    each.sessions.join(' / '),
    areaText(each.auc),
    percent(each.caught),
    Object.values(each.precision)
      .map((value) => value.toPrecision(2))
      .join(', '),
    areaText(each.heldOut),
    String(round(each.groups)),
  ])
  const head = [
    'pair',
    'watched from',
    'attacker sees',
    'sessions',
    'AUC (95 %)',
    'caught at 0.6 %',
    'precision at 1:1, 1:1000, 1:10⁶',
    'AUC on the site held out',
    '50 flows together',
  ]
  const worst = figures.flows.filter(({ id }) => id.attacker === 'forest' && id.kind === 'both')
  return [
    '## Flows',
    '',
    '![areas](flows.svg)',
    '',
    '![curves](curves.svg)',
    '',
    ...table(head, rows),
    'What tells most by itself, with medians of the one and the other:',
    '',
    ...table(
      ['pair', 'watched from', 'view', 'columns'],
      worst.map(({ id, telling }) => [
        id.pair,
        id.tap,
        id.view,
        telling
          .map(
            ({ name, auc, medians }) =>
              `${name}: ${round(auc, 2)} (${medians.map((value) => round(value, 1)).join(', ')})`,
          )
          .join('; '),
      ]),
    ),
  ]
}

interface Named {
  readonly name: string
  readonly looks: Looks
}

function connections({ comparisons, peers }: Verdict): string[] {
  const all: Named[] = [
    ...comparisons.flatMap(({ template, genuineKind, ours, genuine }) => [
      { name: `${template}: ours`, looks: ours },
      { name: `${template}: ${genuineKind}`, looks: genuine },
    ]),
    ...peers.map(({ peer, looks }) => ({ name: peer, looks })),
  ]
  return [
    '## Connections',
    '',
    ...table(
      [
        'who',
        'sessions',
        'connections',
        'of a session',
        'resumed',
        'lifetime, s',
        'blocked as fully encrypted',
        'flagged as TLS in TLS',
      ],
      all.map(({ name, looks }) => [
        ...[name, String(looks.sessions), String(looks.connections), String(round(looks.perSession, 2))],
        ...[percent(looks.resumed), String(round(looks.lifetime, 1)), String(looks.blocked)],
        `${percent(looks.tlsInTls.value)} (${percent(looks.tlsInTls.low)} to ${percent(looks.tlsInTls.high)})`,
      ]),
    ),
    '## Cost and speed',
    '',
    'In the same sessions as everything else here: octets of packets in a session of about 11 s, and milliseconds from when somebody else says something until it is there.',
    '',
    ...table(
      ['who', 'up, octets', 'down, octets', 'news after, median', '95 %'],
      all
        .filter(({ looks }) => Number.isFinite(looks.newsAfter.median))
        .map(({ name, looks }) => [
          name,
          ...[looks.up, looks.down, looks.newsAfter.median, looks.newsAfter.p95].map((value) =>
            String(Math.round(value)),
          ),
        ]),
    ),
    '## Greetings',
    '',
    ...table(
      ['who', 'JA4', 'forms with GREASE', 'different JA3', 'ECH, octets', 'greeting, octets'],
      all
        .filter(({ looks }) => looks.ja4.length > 0)
        .map(({ name, looks }) => [
          ...[name, looks.ja4.map(code).join(', '), String(looks.ja4WithGrease), percent(looks.ja3Variety)],
          ...[looks.echLengths.join(', '), looks.helloLengths.join(' to ')],
        ]),
    ),
  ]
}

function mixtures(comparisons: readonly Comparison[]): string[] {
  return [
    'Chance that ours and the genuine come from one mixture (chi-square among relabelings; below 0.01 they do not):',
    '',
    ...table(
      ['template', 'lengths of ECH', 'lengths of greetings', 'connections of a session'],
      comparisons.map(({ template, alike }) => [
        template,
        ...[alike.ech, alike.hello, alike.connections].map((chance) => String(round(chance))),
      ]),
    ),
  ]
}

function starts(comparisons: readonly Comparison[]): string[] {
  return [
    '## HTTP',
    '',
    ...table(
      [
        'template',
        'start of HTTP/2, ours',
        'genuine',
        'priority of the first request and records until its end, ours',
        'genuine',
        'requests whose header order no genuine one has',
        'for instance',
        'contradictions of ours',
        'of the genuine',
      ],
      comparisons.map(({ template, ours, genuine, orders }) => [
        ...[template, ours.http2.map(code).join(', '), genuine.http2.map(code).join(', ')],
        ...[ours.starts.join('; '), genuine.starts.join('; ')],
        ...[`${orders.foreign} of ${orders.requests}`, code(orders.example)],
        ...[ours.contradictions.join(', '), genuine.contradictions.join(', ')],
      ]),
    ),
  ]
}

function parity(comparisons: readonly Comparison[]): string[] {
  const rows = comparisons.flatMap(({ template, parity: kinds }) =>
    kinds.map(({ kind, ours, genuine, up, down, cut, genuineCut }) => [
      ...[template, code(kind), `${ours} / ${genuine}`, String(round(up, 1)), String(round(down, 1)), cut, genuineCut],
    ]),
  )
  const alone = comparisons.map(({ template, alone: share }) => `${template} ${percent(share)}`).join(', ')
  return [
    '## Exchanges of the steady state',
    '',
    'Octets in records beside bodies and targets, the most common numbers, ours less the genuine; records up and down of the most common cut.',
    '',
    ...table(['template', 'kind', 'count', 'up', 'down', 'our cut', 'genuine cut'], rows),
    `Exchanges of kinds that only we have: ${alone}.`,
    '',
  ]
}

function requests({ figures }: Verdict): string[] {
  return [
    '## What an edge could block',
    '',
    'Shallow trees over requests in the clear: the share of ours hit by rules that hit at most 1 % of the genuine, on guests that they were not made from.',
    '',
    ...table(
      ['pair', 'requests', 'hit', 'of the genuine'],
      figures.rules.map(({ id, hits, falseHits, requests: counts }) => [
        id,
        counts.join(' / '),
        percent(hits),
        percent(falseHits),
      ]),
    ),
    ...figures.rules
      .filter(({ id, hits }) => hits > 0.05 && id.endsWith(': ours'))
      .flatMap(({ id, tree }) => [`${id}:`, '', '```', tree.trimEnd(), '```', '']),
  ]
}

function pace({ paces }: Verdict): string[] {
  const rows = paces.flatMap(({ family, ours, genuine }) =>
    STEPS.flatMap((step) =>
      [ours, genuine].map((each, at) => [
        ...[family, step, at === 0 ? 'ours' : 'genuine'],
        ...each[step].map((value) => String(round(value, 1))),
      ]),
    ),
  )
  const tenths = Array.from({ length: 10 }, (_, tenth) => `${round(10 * tenth + 5, 0)} %`)
  return [
    '## Pace',
    '',
    'Milliseconds at the client’s own device, of so many in a hundred at most: the end of the handshake after the server’s part, what comes behind that, the first request of the page’s script after the page, and the two that follow it after the answers before them.',
    '',
    ...table(['family', 'step', 'who', ...tenths], rows),
  ]
}

function habits(comparisons: readonly Comparison[]): string[] {
  return [
    '## Habits',
    '',
    ...table(
      [
        'template',
        'beacon, ours',
        'genuine',
        'more',
        'message seen, ours',
        'genuine',
        'its length, ours',
        'genuine',
        'time beyond the round trip',
      ],
      comparisons.map(({ template, ours, genuine, beyond, beaconMore }) => [
        ...[template, String(ours.beacon), String(genuine.beacon), areaText(beaconMore)],
        ...[areaText(ours.messages.event), areaText(genuine.messages.event)],
        ...[areaText(ours.messages.length), areaText(genuine.messages.length), areaText(beyond)],
      ]),
    ),
  ]
}
