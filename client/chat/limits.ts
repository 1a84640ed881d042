/** Bounds of the chat: what a contact, a stranger or a gateway could push against, and what we choose for ourselves. */

import { PeerOfferLimits } from '#protocol/peer-offer.ts'

export const ChatLimits = {
  /** Messages skipped at once in one receiving chain. Attack: a contact makes us derive keys without end. 20 ms of work. */
  chainJump: 5_000,
  /** Message keys kept for messages under way, per session. Attack: memory and disk; 44 octets each. */
  keptKeys: 2_000,
  /** Milliseconds a key is kept for a message under way: 30 days. Longer than a mailbox keeps a message (21 days). */
  keptKeyMs: 2_592_000_000,
  /** Receiving chains of a session that may still have keys. Attack: one key agreement for each message, all kept. */
  receivingChains: 5,
  /** Sessions kept for decrypting beside the one used for sending. Attack: a contact starts sessions without end. */
  archivedSessions: 20,

  /** Messages of a session, both ways, or milliseconds (7 days), until keys of ML-KEM are exchanged anew: 45 octets a message. */
  healingMessages: 50,
  healingMs: 604_800_000,

  /** Milliseconds until a signed prekey is replaced: 7 days. */
  prekeyMs: 604_800_000,
  /** Milliseconds that a replaced prekey still opens first messages: 30 days. */
  prekeyKeptMs: 2_592_000_000,
  /** Milliseconds from making a prekey until cards with it are refused: 30 days. A message sent on the last day has 7 to arrive. */
  prekeyValidMs: 2_592_000_000,
  /**
   * Signed prekeys, by count. Attack: a folder that is another copy at each start, which makes one each time. Weekly ones are 10 at
   * the most. Who has a card with one that had to go hears nothing until they have a fresh card.
   */
  prekeys: 32,
  /** Starts as another copy that are remembered, by count and for how many milliseconds (7 days), to be told. Attack: as above. */
  copiedTimes: 32,
  copiedWindowMs: 604_800_000,
  /** One-time keys on a full shelf; with fewer than 25 left, new ones are made. Who finds none gets the last resort. */
  oneTime: 100,
  /** The same of ML-KEM-1024, 34 kB on the shelf; with fewer than 5 left, new ones are made. */
  oneTimeKem: 20,
  /** One-time keys kept for one shelf, with those given away that may still begin something. Attack: who drains it makes us keep keys without end. */
  oneTimeKept: 400,
  oneTimeKemKept: 80,
  /** Documents of one person: the first, and one for each key update. Attack: chains that take long to verify; 2 ms at this bound. */
  documents: 16,

  /** Octets of a name, UTF-8. Attack: names that fill the screen. */
  nameBytes: 64,
  /**
   * Octets of a picture that somebody shows, with all around it. Attack: a contact fills disk and queue. It fits one message as the
   * longest text does, whatever rides along.
   */
  avatarBytes: 16_384,
  /** Pixels of a side of one. Attack: a few octets that unfold to fill the memory of the program that shows it. */
  avatarSide: 256,
  /** Pictures taken from one contact, and given to one, within so many milliseconds (a day). Attack: traffic and disk by changing or asking without end. */
  avatarChanges: 10,
  avatarWindowMs: 86_400_000,
  /** Milliseconds until a contact is asked again for a picture that did not come: a day. */
  avatarAskAgainMs: 86_400_000,
  /** Octets that describe a gateway in an address. Attack: large cards. Host, port, addresses and a pinned key fit twice. */
  gatewayBytes: 512,
  /** Gateways on which one contact has a queue. Two, so that one blocked gateway strands no message. */
  homes: 2,
  /** Octets of what somebody tells of a node of theirs. Attack: disk; as for the offers of peers. */
  offerBytes: PeerOfferLimits.bytes as number,
  /** Contacts to whom a node of ours is offered. The node takes no more. */
  nodeFriends: 256,
  /**
   * Times within `nodeTellingsMs` (a day) that one of them is told where it is. Attack: a node of ours that is in other hands moves
   * each time that it is reached, and has us write to all of them.
   */
  nodeTellings: 4,
  nodeTellingsMs: 86_400_000,

  /** Octets of one text, UTF-8. The largest class holds it with everything around it. */
  textBytes: 16_384,
  /** Octets of a reaction's symbol, UTF-8. The longest in use (families, flags) have 28. */
  symbolBytes: 32,
  /** Milliseconds after which a message is not edited or withdrawn any more: 24 hours. Later, people rely on what was said. */
  changeMs: 86_400_000,
  /** Changes of a contact whose messages are not here (yet). Attack: disk. Honest ones are within `window`. */
  orphans: 100,
  /** Seconds until a message disappears, at the most: 4 weeks. */
  timerSeconds: 2_419_200,
  /** Messages to one contact, from the oldest not yet received on. Bounds the outbox, and what the contact holds apart. */
  window: 1_000,
  /** Messages of a contact held beyond one that is missing. Attack: memory; an honest contact stays within `window`. */
  ahead: 1_000,
  /** Ranges beyond the first gap that one receipt names; as many as fit into the text class. */
  receiptRanges: 24,
  /** Messages looked at to find the place of a late one. Attack: a contact makes us read the whole history. */
  reorderWalk: 1_000,
  /** Milliseconds a message's time may lie ahead of its arrival: 5 minutes. Attack: messages dated into the future stay at the end. */
  clockAheadMs: 300_000,
  /** Milliseconds that ids of messages are remembered against repeats: 30 days. Longer than a mailbox keeps a message. */
  seenMs: 2_592_000_000,

  /** Requests of strangers waiting for an answer. Attack: whoever has the card floods the list. */
  requests: 100,
  /** Messages kept of one stranger. Attack: a stranger fills the disk; at 16 KiB each, 32 MiB over all requests. */
  requestMessages: 20,
  /** Whatever is taken in of one stranger, changes and introductions counted. Attack: as above; ids of 400 octets each are kept for 30 days. */
  requestEnvelopes: 100,

  /** Runs with one contact to prove a secret, within so many milliseconds (a day), that did not end with equal secrets. Attack: each is one guess. */
  proofAttempts: 3,
  proofWindowMs: 86_400_000,
  /** Runs with anybody that did not end so, until a password or an answer is withdrawn. Attack: one person with many identities guesses. */
  gateAttempts: 10,
  /** Octets of a question to strangers, UTF-8. Attack: texts that fill the screen. */
  questionBytes: 200,
  /** Octets of a secret, normalised, UTF-8. A sentence fits. */
  proofBytes: 256,

  /** Milliseconds until a message is put again, doubled each time up to the second number. */
  resendMs: 30_000,
  resendMaxMs: 900_000,
  /** As `resendMs`, after it could not be put: their gateway was out of reach, or has no keys of theirs yet. */
  retryMs: 2_000,
  /** Repeats until a message without a receipt goes out once more under another id; then at every power of two. */
  putsUnheard: 8,
  /** Messages being put at once. Bounds memory and the share of the tunnel. */
  flying: 16,
  /** Messages sealed anew for one request to resend. Attack: a contact asks again and again. */
  resealed: 100,
  /** Repairs of a broken session within an hour; then the person is told. Attack: garbage that makes us start sessions. */
  repairsPerHour: 3,
  repairWindowMs: 3_600_000,
  /** Receipts wait this long for more to say, plus a random part. */
  receiptMs: 1_000,
  receiptJitterMs: 4_000,

  /** Milliseconds until a contact's queue is replaced by a new one: 30 days. */
  queueMs: 2_592_000_000,
  /** Milliseconds a replaced queue is still read: 22 days, longer than a mailbox keeps a message. */
  queueKeptMs: 1_900_800_000,
  /**
   * Milliseconds that a queue stays at its gateway after it was shut, though no file is known beside it: 1 day. Messages that tell of
   * one may still be on their way. Attack: who stole a contact's keys takes room there for so long.
   */
  shutMs: 86_400_000,
  /** Seconds a mailbox keeps a message for us: the most it offers. */
  queueTtlSeconds: 1_814_400,
  /**
   * Milliseconds from connecting until shelves that were filled before are looked at: nobody waits for it, and what is said in
   * the beginning of a connection is seen best.
   */
  shelfLookMs: [10_000, 50_000],
  /** Milliseconds between two rounds of rotating and forgetting. */
  maintenanceMs: 3_600_000,
} as const
