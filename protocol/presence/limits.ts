/** What a friend, or whoever poses as one, can make us do by asking whether we are there; and what we spend ourselves. */
export interface PresenceLimits {
  /** Milliseconds between two answers to one friend. Attack: a friend has us send without end, and times our traffic by it. */
  readonly answerMs: number
  /** Answers to all friends within a minute. Attack: many friends together. A probe of each of 60 friends who start at once. */
  readonly answersPerMinute: number
  /** Milliseconds between two probes of one friend by us. Attack: whoever makes us ask (gossip, a chat entered again and again). */
  readonly probeMs: number
  /** Milliseconds to wait for an answer. A round trip over two slow members takes 4 s. */
  readonly waitMs: number
  /** Milliseconds a message's time may be away from our clock. Attack: what was recorded is played again. The chat's own bound. */
  readonly windowMs: number
  /** Milliseconds that a state counts after it was said. What is older is no longer known. */
  readonly lifeMs: number
  /** Milliseconds between two probes to different friends in one round, at least and at most: no burst that nothing else makes. */
  readonly spacingMs: readonly [from: number, to: number]
  /** Friends asked in one round. Our own traffic: 38 kB, and a minute of spacing. Beyond it, others are drawn each time. */
  readonly roundFriends: number
  /** Notes of ours, and notes of others, in each message; places that are not used hold chance. Fits the smallest class. */
  readonly notesEach: number
  /** Notes of friends that are kept to be passed on. Attack: memory; 57 octets each. */
  readonly keptNotes: number
  /** Milliseconds between two repeats of who we are to a friend whose word for it is another. Attack: a friend always says so. */
  readonly greetingMs: number
  /** Milliseconds until friends are looked through again for a mark nobody has. Attack: strangers make us compute keys of everybody. */
  readonly searchMs: number
  /** Milliseconds until receipts leave to somebody who is not to see us, unless we write first: at least and at most, drawn. */
  readonly lateReceiptMs: readonly [from: number, to: number]
}

export const PresenceLimits: PresenceLimits = Object.freeze({
  answerMs: 10_000,
  answersPerMinute: 60,
  probeMs: 10_000,
  waitMs: 10_000,
  windowMs: 300_000,
  lifeMs: 300_000,
  spacingMs: [300, 1_500] as const,
  roundFriends: 64,
  notesEach: 4,
  keptNotes: 256,
  greetingMs: 3_600_000,
  searchMs: 60_000,
  lateReceiptMs: [21_600_000, 86_400_000] as const,
})
