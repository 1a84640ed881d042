/** What the tracker's benchmark supposes of people's days, and how it tells what it has measured. */
import type { Report, Row } from './report.ts'
import { round } from './report.ts'

export const PEOPLE: number = process.env.SOTTO_LONG === '1' ? 10_000_000 : 1_000_000
/** What the traffic is said for. */
export const REGISTERED = 10_000_000
export const DAY_SECONDS = 86_400

/**
 * What a person does on a day when they are there at all: a record written twice at two trackers, six questions for a few
 * friends, two for all of them. One in ten registered people is there on a day.
 */
export const USAGE = {
  publishes: 4,
  few: { questions: 6, keys: 8, fresh: 1 },
  all: { questions: 2, keys: 32, fresh: 3 },
} as const
export const ACTIVE = 0.1
export const EXCHANGES: number = USAGE.publishes + USAGE.few.questions + USAGE.all.questions
/** Gateways with a trunk each. */
export const GATEWAYS = 10

export interface Filled {
  readonly seconds: number
}
export interface Taken {
  /** Seconds of processor that the tracker has used. */
  readonly cpu: number
  readonly used: number
  readonly anon: number
  readonly mapped: number
  readonly allocated: number
}

export interface Rate {
  /** By the clock. */
  readonly perSecond: number
  /** By the tracker's own use of one core, whatever else the machine does. */
  readonly perCore: number
}

export interface Loaded {
  readonly lookups: Rate
  readonly creates: Rate
  readonly updates: Rate
}

export interface Traffic {
  readonly exchanges: number
  /** Octets of IP. */
  readonly perExchange: number
  readonly packets: number
  /** Octets of messages between member and gateway for one exchange, before they are dressed up. */
  readonly gatewayPerExchange: number
}

export interface Measured {
  readonly filled: Filled
  readonly taken: Taken
  readonly loaded: Loaded
  readonly traffic: Traffic
  readonly strangerMs: number
}

export function reportOf({ filled, taken, loaded, traffic, strangerMs }: Measured): Report {
  const people = PEOPLE.toLocaleString('en')
  const perDay = traffic.perExchange * EXCHANGES * ACTIVE
  const mbits = (perDay * REGISTERED * 8) / DAY_SECONDS / 1e6
  const disk = taken.allocated / PEOPLE
  const extrapolated = `extrapolated to ${REGISTERED.toLocaleString('en')} registered from ${traffic.exchanges} exchanges`
  const usage = `${ACTIVE * 100} % there on a day, ${EXCHANGES} exchanges each`
  const row = (what: string, value: number, unit: string, setting: string, digits = 0): Row => ({
    ...{ what, value: round(value, digits), unit, setting },
  })
  const { few } = USAGE
  const rows = [
    row(
      'on disk',
      disk,
      'octets/person',
      `measured: ${people} people, each with a record and a question; file as allocated`,
    ),
    row('in use of it', taken.used / PEOPLE, 'octets/person', 'measured: pages of LMDB'),
    row(
      'at 10,000,000 people',
      (disk * REGISTERED) / 1e9,
      'GB',
      PEOPLE < REGISTERED ? 'extrapolated from the first line' : 'measured',
      1,
    ),
    row('filling', filled.seconds, 's', 'measured: records that look random, not signed; past the wire', 1),
    row('memory', taken.anon, 'MB', 'measured: the process’s own', 1),
    row(
      'memory, mapped',
      taken.mapped,
      'MB',
      'measured: pages of the file, which the system takes back when it needs them',
      1,
    ),
    row('lookups', loaded.lookups.perSecond, '1/s', `measured: sealed questions of ${few.keys} keys, 64 at once`),
    row('lookups', loaded.lookups.perCore, '1/s and core', 'measured: by the tracker’s own processor time'),
    row('publishes, new', loaded.creates.perSecond, '1/s', 'measured: signed, flushed to disk, 64 at once'),
    row('publishes, again', loaded.updates.perSecond, '1/s', 'measured: as above'),
    row('publishes, again', loaded.updates.perCore, '1/s and core', 'measured: by the tracker’s own processor time'),
    row(
      'exchange on the trunk',
      traffic.perExchange,
      'octets',
      `measured: IP in both directions, ${GATEWAYS} gateways, at the rate of 10,000,000`,
    ),
    row('packets', traffic.packets, '1/exchange', 'measured', 2),
    row('traffic', perDay, 'octets/person and day', `${extrapolated}: ${usage}`),
    row('mean rate', mbits, 'Mbit/s', 'extrapolated, as above', 2),
    row('in the evening', mbits * 3, 'Mbit/s', 'extrapolated: three times the mean', 2),
    row(
      'at the gateway',
      traffic.gatewayPerExchange * EXCHANGES,
      'octets/day',
      'measured: messages of one person who is there, before they are dressed up',
    ),
    row(
      'a stranger, found and written to',
      strangerMs,
      'ms',
      'measured: from the id to the message at the gateway; trunks on loopback, no other network',
    ),
  ]
  const result = {
    people: PEOPLE,
    disk_bytes_per_user: round(disk, 0),
    disk_gb_at_10m: round((disk * REGISTERED) / 1e9, 1),
    memory_mb: round(taken.anon, 1),
    mapped_mb: round(taken.mapped, 1),
    lookups_per_second: round(loaded.lookups.perSecond, 0),
    lookups_per_core_second: round(loaded.lookups.perCore, 0),
    publishes_per_second: round(loaded.creates.perSecond, 0),
    renewals_per_second: round(loaded.updates.perSecond, 0),
    renewals_per_core_second: round(loaded.updates.perCore, 0),
    trunk_bytes_per_exchange: round(traffic.perExchange, 0),
    traffic_bytes_per_user_day: round(perDay, 0),
    mean_mbit_at_10m: round(mbits, 2),
    first_message_ms: round(strangerMs, 0),
    gateway_bytes_per_active_user_day: round(traffic.gatewayPerExchange * EXCHANGES, 0),
  }
  return { rows, result }
}
