/** A probe: something one can do to a server, and what is seen of the answer. Probes are data; `observe.ts` does them. */

/** One after the other: octets to write, milliseconds to wait, or the end of what is written. */
export type Step = Uint8Array | number | 'end'

export interface Http1Probe {
  readonly kind: 'http1'
  readonly steps: readonly Step[]
}

/** Frames after the connection preface, written at once or step by step. */
export interface Http2Probe {
  readonly kind: 'http2'
  readonly steps: readonly Step[]
  /** False: `steps` are all that is written, the preface included. */
  readonly preface: boolean
}

/** Octets on the bare TCP connection. */
export interface TcpProbe {
  readonly kind: 'tcp'
  readonly steps: readonly Step[]
}

/** A handshake with settings of its own, and one plain request after it. */
export interface TlsProbe {
  readonly kind: 'tls'
  readonly options: import('node:tls').ConnectionOptions
}

export type Action = Http1Probe | Http2Probe | TcpProbe | TlsProbe

export interface Probe {
  readonly group: string
  /** Unique in its group. */
  readonly name: string
  readonly action: Action
  /** Milliseconds of silence after which the connection counts as left open; more where the server is slow by design. */
  readonly silence?: number
}

/** What a prober writes down: everything that came but clocks, ports and numbers that any server counts up. */
export interface Observation {
  readonly answer: string
  /** 'open': silent for as long as the probe waits. */
  readonly end: 'open' | 'closed' | `refused ${string}`
}

export const nameOf = ({ group, name }: Probe): string => `${group}: ${name}`

/** Octets of Latin-1 text. */
export const octets = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'))

export const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1')

/** A probe of HTTP/1.1 from text and pauses. */
export function http1(group: string, name: string, ...steps: readonly (string | Step)[]): Probe {
  const done = steps.map((step) => (typeof step === 'string' && step !== 'end' ? octets(step) : (step as Step)))
  return { group, name, action: { kind: 'http1', steps: done } }
}

/** A request's head; closes the connection unless `lines` say something about it. */
export function head(method: string, target: string, lines: readonly string[] = []): string {
  const ends = lines.some((line) => /^connection:/i.test(line)) ? [] : ['Connection: close']
  return [`${method} ${target} HTTP/1.1`, 'Host: localhost', ...lines, ...ends, '', ''].join('\r\n')
}

/** A request with a body of its stated length. */
export function withBody(method: string, target: string, body: string, lines: readonly string[] = []): string {
  return head(method, target, [...lines, `Content-Length: ${body.length}`]) + body
}
