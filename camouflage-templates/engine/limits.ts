/**
 * What a template may ask for. A template can come from a pack somebody else wrote, so everything here is a bound on
 * what loading, compiling or using a hostile one can cost; the ones about the wire also keep an honest one inside the
 * caps of common edges.
 */
const limits = {
  /** Octets of a template file. Attack: parser time and memory. The largest built-in one has about 4 KiB. */
  fileBytes: 65_536,
  /** Shapes of one template. Attack: every request of a stranger is compared with every live shape's path. */
  shapes: 8,
  /** Holes declared. Attack: compile time. */
  holes: 64,
  /** Characters of one value or text that is not a body. Attack: memory of compiled patterns. */
  textLength: 2_048,
  /** Characters of the document around a payload. Attack: as above. A page of JSON has 4 to 8 thousand. */
  documentLength: 16_384,
  /** Holes and literals in one text. Attack: time to read one message. */
  pieces: 64,
  /** Alternatives of a `oneOf` hole. Attack: time to read one value, all are tried. */
  choices: 64,
  /** Characters of a `run` hole. Attack: as above; no ordinary identifier is longer than a SHA-512 in hex. */
  runLength: 128,
  /** Headers of one message. Common servers stop at 100, a browser sends about 20. */
  headers: 24,
  /** Parameters in a query, and parts of a multipart body. */
  parameters: 16,
  /** Size classes of one direction. */
  classes: 24,
  /** Smallest parcel, octets: the least in which the session's header, an acknowledgement and a frame fit. */
  smallestClass: 96,
  /** Octets that one shape at least must carry each way: a sealed first contact needs about 320 up and 120 down. */
  firstContact: 512,
  /** A padded text message has to fit one exchange: `send` up and `poll` down have a class between these, octets. */
  textClass: [640, 1_024],
  /** Octets of a body. 256 KiB is the POST cap of the strictest common edge; nginx refuses more than 1 MB. */
  bodyBytes: 262_144,
  /** Characters of path and query. IIS and many request filters stop at 2,048. */
  targetLength: 2_048,
  /** Characters of one header's value. nginx's smallest usual buffers hold 4 KiB of line. */
  headerValueLength: 3_072,
  /** Characters of all headers, names and line ends included. Several edges stop at 8 KiB in all. */
  headersLength: 6_144,
  /** What dialer and edges add to our headers (host, connection, content-length, forwarding), characters. */
  headersReserve: 640,
  /** Octets of the body's beginning within which a token ends, so that a gateway reads no more of a stranger's. */
  tokenWithin: 4_096,
  /** Bits of variety in a path and query. Caches store answers under the URL, errors included: none may repeat. */
  urlBits: 32,
  /** Pixels along one edge of a picture. Attack: allocation. */
  pictureEdge: 1_024,
  /** Picture dimensions of one body. */
  pictures: 64,
  /** Octets on one line, in one attachment or frame, at the least. Attack: thousands of tiny ones in one body. */
  stretchBytes: 256,
  /** Octets of one attachment on a WebSocket. Equal to what a notice room takes in one message. */
  attachmentBytes: 16_384,
  /** Packets in front of a binary event. */
  packets: 8,
  /** Octets of one sample of a fragment, at the least. Attack: a table of samples larger than what they hold. */
  sampleBytes: 64,
  /** Milliseconds a poll may be held. Documented and measured edges cut at 10 to 125 s. */
  holdMs: 120_000,
  /** Milliseconds an exchange may wait on a WebSocket, which its server's pings keep open. A gateway forgets a session after 15 minutes. */
  socketHoldMs: 600_000,
  /** Milliseconds between two exchanges in use, and sends at once. Attack: a template that makes chatting unbearable. */
  thinkMs: 10_000,
  burst: 16,
  /** Milliseconds of the longest rest. A gateway forgets a session after 15 minutes without an exchange. */
  restMs: 600_000,
  /** Milliseconds between cover exchanges, at the least. Attack: a template that uses up somebody's data plan. */
  coverMs: 1_000,
  /** Cover exchanges after a send, and octets that one claims to carry. */
  coverTail: 32,
  coverBytes: 4_096,
  /** Exchanges of one member open at once. Equal to what the gateway parks for a session. */
  concurrency: 8,
} as const

export const TemplateLimits: typeof limits = Object.freeze(limits)
