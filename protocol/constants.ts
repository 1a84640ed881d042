/**
 * Numbers of the wire. First block: fixed by the specification (protocol/README.md); changing one is a new version.
 * Second block, `Limits`: chosen by us; each bounds something that a stranger or a peer could push against.
 */

// ---- fixed by the specification ------------------------------------------------------------------------------------

/** Bumped on any change of the wire; carried encrypted in the first message and mixed into the Noise prologue. */
export const PROTOCOL_VERSION = 1

export const KEY_LENGTH = 32
/** AEAD tag, every suite. */
export const TAG_LENGTH = 16
/** Recognition token in front of every parcel, both kinds. Spec section 3. */
export const TOKEN_LENGTH = 16
/** XChaCha20-Poly1305 nonce of a first-contact box. */
export const BOX_NONCE_LENGTH = 24
/** Smallest sealed parcel: header, an empty body, tag. Spec section 5. */
export const PARCEL_MIN = 48
/** Width of a first-contact time bucket, milliseconds. Spec section 3.1. */
export const BUCKET_MS = 300_000
/** First-contact slots of one cohort in one bucket. */
export const COHORT_SLOTS = 64
/** Tag of a slot, and the random part of a first-contact token: half of it each. */
export const SLOT_TAG_LENGTH = 8
/** Truncated hash that ties a first contact to the request it came in (template, method, path). */
export const BINDING_LENGTH = 16
/** Stream that carries the session's own messages (key agreement, packs). */
export const CONTROL_STREAM = 0

// ---- chosen by us ---------------------------------------------------------------------------------------------------

export const Limits = {
  /** Octets of one service message. Attack: a peer makes the decoder build a huge tree. 64 KiB holds a 16 KiB mailbox block four times. */
  messageBytes: 65_536,
  /** Nesting of one service message. Attack: stack exhaustion. Our deepest message has 4 levels. */
  messageDepth: 16,
  /** Values in one service message. Attack: many tiny values, 10-50 times their wire size in memory. */
  messageItems: 8_192,
  /** Octets of the text class of a service name. Attack: long keys in logs and maps. */
  serviceNameBytes: 64,

  /** Octets of one sealed parcel. Attack: buffering before authentication. 256 KiB is the body cap of common edges. */
  parcelBytes: 262_144,
  /** Exchanges of one session that may be open at the gateway at once. Attack: one member parks thousands of requests. */
  parkedExchanges: 8,
  /** Tags the gateway expects ahead of the highest number used. Attack: memory per session; 16 is twice the exchanges in flight. */
  tagWindow: 16,
  /** Tags still expected behind the highest number used, where they are outstanding. Attack: as above. Eight times those in flight. */
  tokensBehind: 64,
  /** Answers kept for a bit-identical retry, by count. Edges retry within seconds; 16 covers all exchanges in flight twice. */
  storedReplies: 16,
  /** Octets of answers kept for a retry, per session. Attack: memory; the oldest drop out first. Those of six connections at once, with room. */
  storedReplyBytes: 2_097_152,
  /** Octets of answers of one session that are on their way, and not taken by the connection yet. Attack: a slow reader, 256 answers of 256 KiB. Twice what 16 exchanges in flight carry. */
  transitBytes: 8_388_608,
  /** Streams open at once in one session. Attack: memory per stream, about 1 KiB. */
  streams: 128,
  /** Octets a peer may send on one stream before it is granted more. Attack: memory of a slow reader. Fills 8 bulk parcels. */
  streamWindow: 2_097_152,
  /** Octets a peer may send on all streams of a session before it is granted more. Attack: as above, summed over streams. */
  sessionWindow: 4_194_304,
  /** The same, ahead of what a reader has taken. Attack: as above. While one connection of six repeats what it lost, the others fill 8 parcels more. */
  streamWindowOpen: 4_194_304,
  sessionWindowOpen: 8_388_608,
  /** Acknowledgement ranges in one parcel. Attack: a long list of gaps; 32 is four times the exchanges in flight. */
  ackRanges: 32,
  /** Exchanges taken in whose answers are not acknowledged. Attack: memory of a peer that never acknowledges. */
  unackedParcels: 256,
  /** Fragments held out of order on one stream. Attack: one-octet fragments with gaps, 100 octets of book-keeping each. */
  streamFragments: 512,
  /** The same over all streams of a session: four for each stream, which is more than parcels can overtake each other. */
  sessionFragments: 1_024,
  /** Frames in one parcel. Attack: work for each frame of two octets; eight for each stream is more than anybody needs. */
  frames: 1_024,
  /** Resets of one side that the other has not acknowledged. Attack: streams opened and cut at once, with work behind each. */
  resets: 256,
  /** Requests of one number that wait for its answer at once. Attack: parked sockets. Edges deliver two or three times. */
  copies: 4,

  /** Sessions of one member. Attack: one leaked credential fills the table. Two devices, each with a successor. */
  sessionsPerMember: 8,
  /** Sessions of one gateway. Attack: memory; 32 KiB each is 3 GiB at this bound. */
  sessions: 100_000,
  /** Small exchanges, and calls, of one member a second, over all its sessions, and at once. Attack: one member takes the gateway from the others. Those beyond wait. */
  memberExchanges: 500,
  memberExchangeBurst: 5_000,
  /** First contacts of one member an hour, and at once. Attack: handshakes and sessions without end. Those beyond get the website; a client tries once a minute. */
  memberContacts: 600,
  memberContactBurst: 120,
  /** Octets that all sessions of a gateway together hold: not read yet, not fetched yet, kept for a retry. Attack: many members fill a window each, or ask and fetch nothing. Those who hold most are closed. */
  heldBytes: 536_870_912,
  /** First contacts remembered against replay. Only members can fill it. Attack: memory; about 150 octets each. */
  firstContacts: 65_536,
  /**
   * Time buckets a first contact is remembered for, a day: its token is expected in three, but a clock may be set back. By less than
   * this (another time zone, say) that brings nothing back, and shuts nobody out.
   */
  firstContactBuckets: 288,
  /** Milliseconds within which the same first contact gets the same answer again. Edges retry within seconds. */
  firstContactAnswerMs: 30_000,
  /** Milliseconds without an authentic exchange until a session is forgotten. 15 minutes survive a sleeping phone. */
  sessionIdleMs: 900_000,
  /** Milliseconds between two key agreements of one session. */
  rekeyMs: 3_600_000,
  /** Milliseconds that the keys before an agreement still open parcels. */
  rekeyOverlapMs: 60_000,
  /** Longest time an exchange may be held, milliseconds. Attack: parked sockets; edges cut at 10-125 s. */
  holdMs: 50_000,
} as const
