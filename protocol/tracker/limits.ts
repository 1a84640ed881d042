/** What anybody can make a tracker, or a gateway on the way to one, keep or do. The wire's own numbers are in record.ts. */
export interface TrackerLimits {
  /** Records asked for in one query. Attack: one query with much work behind it. More than most people's friends at once. */
  readonly idsPerQuery: number
  /** Octets of one sealed query. Attack: buffering. A record with its proof, sealed, has 681. */
  readonly queryBytes: number
  /** Zero bits of the work for a new key. Attack: millions of keys. 18 are a third of a second once, and 36 days of a core for ten million. */
  readonly workBits: number
  /** Queries of one trunk without an answer yet. Attack: memory; a kilobyte each. A busy gateway has some hundreds. */
  readonly openQueries: number
  /** Trunks at once. Attack: memory and sockets. */
  readonly trunks: number
  /** Trunks at once of one network (/24 of IPv4, /48 of IPv6). Attack: one network takes all of them. */
  readonly trunksPerNetwork: number
  /** Milliseconds for the first message of a trunk. Attack: sockets that say nothing. */
  readonly greetingMs: number
  /** Octets waiting to be sent on one trunk until nothing more is read from it. Attack: a reader who does not read. */
  readonly unsentBytes: number
  /** Records looked at a second for one network, and at once. Attack: enumeration, and load. A gateway of 10,000 active members asks 60. */
  readonly lookups: number
  readonly lookupBurst: number
  /** Records written a second for one network, and at once. Attack: load. */
  readonly writes: number
  readonly writeBurst: number
  /** Networks whose use is remembered. Attack: memory; about 200 octets each. The longest unused is forgotten: it was full again. */
  readonly networks: number
  /** Questions shown an hour, of one person to one network. Attack: guessing answers offline begins with the question. */
  readonly questionsPerHour: number
  /** Pairs of person and network counted for that. Attack: memory; about 150 octets each. */
  readonly questionCounts: number
  /** Octets of pages in use. Attack: a full disk. New people are refused beyond it; those known are updated. */
  readonly bytes: number
  /** Octets that stay free on the file system (store/limits.ts says why). */
  readonly reserveBytes: number
  /** Milliseconds after the end of its lease that a record is kept: 30 days. Attack: records for ever. */
  readonly keptMs: number
  /** Queries a second of one member through a gateway, and at once. Attack: one member uses up the gateway's share. */
  readonly memberQueries: number
  readonly memberQueryBurst: number
  /** Members whose use is remembered at a gateway. Attack: memory. Everybody who may have a session. */
  readonly members: number
}

export const TrackerLimits: TrackerLimits = Object.freeze({
  idsPerQuery: 32,
  queryBytes: 1_024,
  workBits: 18,
  openQueries: 4_096,
  trunks: 1_024,
  trunksPerNetwork: 64,
  greetingMs: 10_000,
  unsentBytes: 4 * 1024 ** 2,
  lookups: 2_000,
  lookupBurst: 20_000,
  writes: 200,
  writeBurst: 4_000,
  networks: 65_536,
  questionsPerHour: 10,
  questionCounts: 65_536,
  bytes: 18 * 1024 ** 3,
  reserveBytes: 64 * 1024 ** 2,
  keptMs: 2_592_000_000,
  memberQueries: 0.1,
  memberQueryBurst: 60,
  members: 100_000,
})
