/**
 * What is measured of the traffic with an endpoint, and how much of it is ordinary. Each measure is a bucket that fills
 * with use and runs out with time: full, the endpoint is slowed down; twice full, it is cut off for a while.
 */
import type { EndpointKind } from './permit.ts'

const KB = 1_024
const MB = 1_048_576

/** Everything that is measured. Stable: these words stand in the audit log. */
export const MEASURES = [
  'up',
  'down',
  'pulled',
  'pushed',
  'small',
  'connections',
  'contacts',
  'unproven',
  'foreign',
  'foreign-up',
  'foreign-down',
  'silence',
  'redirects',
  'malformed',
  'headers',
  'drip',
  'clock',
  'lists',
  'fan-out',
] as const
export type Measure = (typeof MEASURES)[number]

export interface Envelope {
  /** What the bucket holds. */
  readonly burst: number
  /** What runs out of it in an hour. */
  readonly perHour: number
  /** How many times both may grow with what is usual here; 1 where the bound is the same for everybody. */
  readonly grows: number
}

type Envelopes = Readonly<Record<Measure, Envelope>>

const envelope = (burst: number, perHour: number, grows = 1): Envelope => ({ burst, perHour, grows })

const gateway: Envelopes = {
  /** Octets up. Attack: a core that sends away what it has. A mailbox's whole share is 64 MiB. */
  up: envelope(256 * MB, 512 * MB, 8),
  /** Octets down. Attack: a flood. */
  down: envelope(256 * MB, 512 * MB, 8),
  /** Octets up beyond `MeterLimits.ratio` times those down. Attack: data pulled out; conversation goes both ways. */
  pulled: envelope(128 * MB, 128 * MB, 8),
  /** Octets down beyond `MeterLimits.ratio` times those up. Attack: answers stuffed with what nobody asked for. */
  pushed: envelope(192 * MB, 192 * MB, 8),
  /** Exchanges that moved little (`MeterLimits.smallOctets`). Attack: empty answers at once, so that a client asks faster and faster. */
  small: envelope(3_000, 7_200),
  /** Attempts to connect. Attack: an endpoint that closes after each answer, to count handshakes. On paths that freeze after 16 kB a file of 10 MB takes 640. */
  connections: envelope(1_000, 3_600),
  /** First contacts. Attack: a gateway that forgets us after each, or a core that collects them. A client that is not recognised tries once a minute. */
  contacts: envelope(120, 240),
  /** Octets up while no handshake was seen to succeed for `MeterLimits.provenMs`. Attack: a website in the place of the gateway, and a core that says all is well. */
  unproven: envelope(16 * MB, 16 * MB),
  /** Answers that are not the gateway's. Attack: somebody who poses as one. Three exchanges that rest 8 s between tries make 24 a minute. */
  foreign: envelope(240, 1_200),
  /** Octets sent in vain. Attack: having large requests repeated. A file under way while an edge answers 503: 120 MiB an hour. */
  'foreign-up': envelope(64 * MB, 128 * MB),
  /** Octets of such answers. Attack: pages as large as they may be. */
  'foreign-down': envelope(64 * MB, 128 * MB),
  /** Time in which every answer was foreign, in `MeterLimits.silenceMs`. Attack: an address that only collects who comes by. */
  silence: envelope(1, 0),
  /** Answers that lead to another site. Attack: sending the client elsewhere. None is followed; a website has its reasons for a few. */
  redirects: envelope(60, 60),
  /** Answers that are no HTTP, or are larger than any may be. Attack: answers without an end. */
  malformed: envelope(60, 120),
  /** Answers with more than `MeterLimits.headerOctets` of header fields. Attack: stuffing where no parcel is looked for. */
  headers: envelope(20, 20),
  /** Answers that came slower than `MeterLimits.dripRate` for `MeterLimits.dripMs`. Attack: connections held for ever. */
  drip: envelope(6, 6),
  /** Jumps of the endpoint's clock by more than `MeterLimits.clockMs`. Attack: having tokens of other hours made. */
  clock: envelope(12, 6),
  /** Signed lists offered that were refused. Attack: work for signatures, and lines in the log. */
  lists: envelope(10, 10),
  /** Endpoints that never proved themselves, asked within an hour. Attack: a list full of places to knock at. Two invites full of gateways. */
  'fan-out': envelope(16, 16),
}

/** A tracker answers small questions (512 octets a record, 32 to a question). */
const tracker: Envelopes = {
  ...gateway,
  up: envelope(4 * MB, 4 * MB),
  down: envelope(16 * MB, 16 * MB),
  pulled: envelope(2 * MB, 2 * MB),
  pushed: envelope(16 * MB, 16 * MB),
  small: envelope(600, 1_200),
  connections: envelope(200, 600),
  'foreign-up': envelope(2 * MB, 2 * MB),
  'foreign-down': envelope(16 * MB, 16 * MB),
  unproven: envelope(512 * KB, 512 * KB),
}

export const envelopes: Readonly<Record<EndpointKind, Envelopes>> = {
  ...{ gateway, tracker },
  ...{ node: gateway, peer: gateway, proxy: gateway },
}

export const MeterLimits = {
  /** Octets of one direction that one octet of the other allows for. */
  ratio: 16,
  /** An exchange counts as small by what is missing to this many octets. */
  smallOctets: 8_192,
  /** How long a handshake proves the other side, milliseconds. Keys are renewed hourly; three of them may fail. */
  provenMs: 10_800_000,
  /** Foreign answers alone for so long, milliseconds, and no fewer than so many, are a silence. A day: hotels have login pages. */
  silenceMs: 86_400_000,
  silenceAnswers: 200,
  headerOctets: 6_144,
  dripMs: 15_000,
  /** Octets a second. The slowest links that people use move twenty times as much. */
  dripRate: 100,
  /** Milliseconds. Far beyond what clocks of machines behind one name differ. */
  clockMs: 3_600_000,
  /** Between two exchanges of an endpoint that is slowed down, milliseconds. */
  spacingMs: 1_000,
  /** How long the first cut lasts, milliseconds; twice as long for each one since, up to the most. */
  cutMs: 600_000,
  cutMostMs: 21_600_000,
  /** Milliseconds without a cut after which one is forgotten. */
  cutForgottenMs: 86_400_000,
  /** The most that a step of the clock counts for, milliseconds. Attack: a clock that is set forward, to end a long cut at once. */
  stepMs: 3_600_000,
  /** What is usual: so many times the largest hour, which fades by this share with every hour of use. */
  usualTimes: 4,
  usualFade: 0.01,
  /** Endpoints whose measures are kept, by count. Attack: a vault of endpoints that come and go. */
  flows: 128,
  /** Share of a bucket that may be lost with a crash, and milliseconds after which it is written in any case. Attack: crashing to forget. */
  unsavedShare: 0.125,
  unsavedMs: 300_000,
} as const
