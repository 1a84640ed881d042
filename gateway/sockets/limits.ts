/** What members may take by WebSockets. Each exchange on one has the limits of any other besides. */
export interface SocketLimits {
  /** Sockets of members open at once. Attack: memory, about 30 KiB each; further requests for one get the website's answer. */
  readonly members: number
  /** Of one member. Attack: one takes all of them. Eight sessions, each with a socket and one that is over and not noticed yet. */
  readonly perMember: number
  /** Octets of one message. Attack: buffering; equal to what the site's own room takes. */
  readonly messageBytes: number
  /** Octets of answers that have not left yet. Attack: asking without listening. Eight of the largest, which is all that may be open. */
  readonly unsentBytes: number
}

export const SocketLimits: SocketLimits = Object.freeze({
  members: 2_000,
  perMember: 16,
  messageBytes: 16_384,
  unsentBytes: 1_048_576,
})
