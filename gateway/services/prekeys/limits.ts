/** What anybody can make a shelf of prekeys keep or give away. */
export interface PrekeyLimits {
  /** Octets of a head. Attack: large records. One with 16 documents has 5,361. */
  readonly headBytes: number
  /** Octets of a one-time key for agreement: number, key, signature and seal. Attack: as above. */
  readonly dhBytes: number
  /** Octets of a one-time key of ML-KEM-1024: number, key, signature and seal. Attack: as above. */
  readonly kemBytes: number
  /** One-time keys for agreement on one shelf. Attack: a member fills the disk; 14 kB. */
  readonly dhPerShelf: number
  /** One-time keys of ML-KEM on one shelf. Attack: as above; 34 kB. */
  readonly kemPerShelf: number
  /** Shelves of one member. Attack: as above. One for the queue on the card, and those of cards before. */
  readonly shelvesPerMember: number
  /** One-time keys that one member gets from one shelf a day. Attack: it empties the shelf, so that others get the last resort. */
  readonly drawsPerShelf: number
  /** The same from all shelves together. Attack: as above, shelf after shelf. */
  readonly drawsPerMember: number
  /** Counts of the day kept in memory; beyond it only the last resort is given. Attack: memory; about 150 octets each. */
  readonly counts: number
  /** Answers remembered, so that a repeated question takes no second key. Attack: memory; 2 kB each. */
  readonly answers: number
  /** Milliseconds an answer is remembered. A client repeats within minutes. */
  readonly answerMs: number
}

export const PrekeyLimits: PrekeyLimits = Object.freeze({
  headBytes: 8_192,
  dhBytes: 140,
  kemBytes: 1_676,
  dhPerShelf: 100,
  kemPerShelf: 20,
  shelvesPerMember: 4,
  drawsPerShelf: 3,
  drawsPerMember: 50,
  counts: 65_536,
  answers: 4_096,
  answerMs: 600_000,
})
