/** What anybody can make a mailbox keep or do. */
export interface MailboxLimits {
  /** Messages waiting in one queue. Attack: a contact fills the recipient's share. 128 is a busy day of one contact. */
  readonly waitingPerQueue: number
  /** Octets of one body. Attack: large blocks. The largest block of the chat: a text of 16 KiB, and how its session starts. */
  readonly bodyBytes: number
  /** Seconds a message may wait. Attack: mail nobody fetches stays for ever. 21 days outlast a holiday. */
  readonly ttlSeconds: number
  /** Queues of one member. Attack: a member makes queues without end. One for each of 500 contacts, and its successor. */
  readonly queuesPerMember: number
  /** Octets waiting on disk for one member. Attack: one member fills the disk. 23 full queues, or 80,000 text messages. */
  readonly diskBytesPerMember: number
  /** Octets that a message in memory counts for beside its body. Attack: bodies of one octet, each with its own book-keeping. */
  readonly ramMessageBytes: number
  /** Octets waiting in memory for one member. Attack: one member fills the memory. Five full queues. */
  readonly ramBytesPerMember: number
  /** Octets waiting in memory in all. Attack: many members together fill the memory. */
  readonly ramBytes: number
  /** Queues in one subscription. Attack: one request with much work behind it. A longer list takes several. */
  readonly queuesPerSubscription: number
  /** Subscriptions of one member at once. Attack: each keeps a list of what is due. 8 sessions with 1,024 queues each. */
  readonly subscriptionsPerMember: number
  /** Messages on their way through one subscription without being stored. Attack: a slow reader holds them in memory. */
  readonly transitPerSubscription: number
  /** Octets of their bodies. Attack: as above, with all the subscriptions of a member: 8 MiB. */
  readonly transitBytesPerSubscription: number
  /** Messages of one queue that a subscription looks ahead at. Attack: lists of everything in a thousand full queues. */
  readonly aheadPerQueue: number
  /** Message ids in one acknowledgement. Attack: work per request. A whole queue. */
  readonly idsPerAck: number
  /** Ids remembered after they were acknowledged, per queue, against a late repeat. Attack: memory; 16 octets each. */
  readonly ackedIdsPerQueue: number
  /** The same over all queues. Attack: memory; about 100 octets each. */
  readonly ackedIds: number
  /** Days without a subscription until a queue is removed. Attack: queues of members who left pile up. */
  readonly idleDays: number
}

export const MailboxLimits: MailboxLimits = Object.freeze({
  waitingPerQueue: 128,
  bodyBytes: 22_016,
  ttlSeconds: 21 * 86_400,
  queuesPerMember: 1_024,
  diskBytesPerMember: 64 * 1024 ** 2,
  ramMessageBytes: 512,
  ramBytesPerMember: 16 * 1024 ** 2,
  ramBytes: 256 * 1024 ** 2,
  queuesPerSubscription: 256,
  subscriptionsPerMember: 32,
  transitPerSubscription: 128,
  transitBytesPerSubscription: 256 * 1024,
  aheadPerQueue: 16,
  idsPerAck: 128,
  ackedIdsPerQueue: 128,
  ackedIds: 65_536,
  idleDays: 120,
})
