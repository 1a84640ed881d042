/**
 * In what a gateway that faces the network alone differs from nginx, and one behind a Caddy that serves files from the same
 * Caddy, and why. In front of an application there is no such list: there nothing may differ. A difference that no line names
 * counts as unexplained.
 */
import { nameOf, type Observation } from './probe.ts'
import type { Difference } from './prober.ts'
import type { Front } from './world.ts'

interface Known {
  readonly probes: RegExp
  readonly reason: string
  /** Whether the reason can be why these two differ: anything else about the same probe is a difference of its own. */
  readonly why: (seen: Observation, expected: Observation) => boolean
}

/** One of nginx's own small pages. */
const isPage = ({ answer }: Observation, ...statuses: readonly number[]): boolean =>
  answer.endsWith('<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n') && statuses.includes(statusOf(answer))

const statusOf = (answer: string): number => Number(/^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1])

/** But for the handshake's outcome, which stands in brackets, and the server's greeting. */
const afterHandshake = ({ answer }: Observation): string =>
  answer.replace(/^\[.*\]\n/, '').replace(/server hello .*/, 'server hello')

/** Refused by either parser, or as far as the other did not go on. */
const isParsed = (seen: Observation, expected: Observation): boolean =>
  isPage(seen, 400) ||
  isPage(expected, 400, 501, 505) ||
  (seen.answer === '' && seen.end === 'open') ||
  (seen.answer !== '' && expected.answer.startsWith(seen.answer))

const undated = ({ answer }: Observation): string => answer.replaceAll(/\bDate: .*/g, 'Date')

const alone: readonly Known[] = [
  {
    probes: /^h2: |, HTTP\/2$/,
    reason:
      'the gateway speaks HTTP/1.1 only: Node frames HTTP/2 in ways of its own, which would tell more than its absence',
    why: ({ answer, end }) =>
      answer === 'stream 0\n\n' && end === 'refused ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL',
  },
  {
    probes:
      /^tls: (HTTP without TLS|HTTP\/2 without TLS|SSH|SOCKS|mail|zeros|ones|heartbeat|alert first|application data first|change of cipher first)$/,
    reason: 'nginx looks at the first octet and answers plain HTTP with a page; Node hands everything to OpenSSL',
    why: ({ answer }, expected) => isPage(expected, 400) && /^(?:record 21 3\.\d alert 2 \d+)?$/.test(answer),
  },
  {
    probes: /^tls: (HTTP\/1\.[01]|unknown protocol|TLSv|RSA|CBC|P-521|no protocol)/,
    reason: 'versions, ciphers and protocols are those that Node and its OpenSSL offer',
    why: (seen, expected) =>
      seen.end.startsWith('refused') ||
      /^\[\S+ \S+ h2 /.test(expected.answer) ||
      afterHandshake(seen) === afterHandshake(expected),
  },
  {
    probes:
      /^tls: (hello|half a hello|record|empty records|fatal|warning|more changes|changes|garbage|session id|message)/,
    reason: 'another OpenSSL: key shares with ML-KEM',
    why: (seen, expected) => seen.end === expected.end && afterHandshake(seen) === afterHandshake(expected),
  },
  {
    probes:
      /^slow: |^broken off: after (half an upload|the head of a post|half a message)$|body cut off$|upload that does not come/,
    reason:
      'the nginx of the lab is impatient (2 s) so that its end can be seen, and reads a body before it asks its application; the gateway waits 60 s for a head, 120 s for a body',
    why: (seen, expected) =>
      expected.answer === '' ||
      (seen.end === 'open' && expected.end === 'closed' && undated(seen) === undated(expected)),
  },
  {
    probes: /^size: /,
    reason: 'Node has one limit for a whole head (32 kB), nginx 8 kB for each line of it, with pages of its own',
    why: (_, expected) => isPage(expected, 400, 414) && expected.answer.includes('Too Large'),
  },
  {
    probes: /^body: (beyond the limit|\d{6})/,
    reason: 'nginx refuses a body of more than 1 MB before it comes (413); the gateway leaves it unread',
    why: (_, expected) => isPage(expected, 413),
  },
  {
    probes: /^header: (.*Host: other|host with|other host|empty host)/,
    reason: 'nginx refuses two hosts and a host that is none; Node takes the first, and any octets',
    why: (_, expected) => isPage(expected, 400),
  },
  {
    probes: /^line: |^smuggling: /,
    reason: 'another parser: Node refuses what nginx forgives, and the reverse',
    why: isParsed,
  },
  {
    probes: /^method: /,
    reason:
      'Node’s parser knows a list of methods, nginx any word in capital letters; nginx refuses TRACE and CONNECT itself',
    why: (seen, expected) => isPage(seen, 400) || isPage(expected, 400, 405),
  },
  {
    probes: /^path: GET .*\.answers/,
    reason: 'the gateway serves no file whose name begins with a dot',
    why: (seen, expected) => statusOf(seen.answer) === 404 && statusOf(expected.answer) === 200,
  },
  {
    probes: /, expects to go on$/,
    reason: 'whoever asks to be told to go on is told so by Node always, by nginx not before a page of its own',
    why: (seen, expected) =>
      statusOf(expected.answer) === 404 &&
      seen.end === expected.end &&
      seen.answer === `HTTP/1.1 100 Continue\r\n\r\n${expected.answer}`,
  },
  {
    probes: /^range: (bytes=,|bytes= of|bytes=0-0,0-0|bytes=0-18446744073709551616|bytes=0-9, ,20-29)/,
    reason: 'odd ranges: nginx counts them in its own way',
    why: (seen, expected) =>
      [200, 206, 416].includes(statusOf(seen.answer)) && [200, 206, 416].includes(statusOf(expected.answer)),
  },
]

const anything = (): boolean => true

const files: readonly Known[] = [
  {
    probes:
      /^valid token: .*, body cut off$|^broken off: |^slow: (chunks? without|message with)|that does not come$|^body: beyond the limit, stated$/,
    reason: 'files are answered with before a body has come; whoever may have a token in it is waited for',
    why: anything,
  },
  {
    probes: /^h2: (POST (beyond the limit|of 60,000 octets|with too long a length)|body apart from its head)$/,
    reason: 'Caddy leaves a body unread that files need not, and reads one that it passes on',
    why: anything,
  },
]

const none: readonly Known[] = []
const known: Readonly<Record<Front, readonly Known[]>> = { nginx: none, caddy: none, 'caddy-files': files, none: alone }

/** undefined: nobody knows why. */
export const reasonFor = (
  front: Front,
  { probe, seen, expected }: Pick<Difference, 'probe' | 'seen' | 'expected'>,
): string | undefined =>
  known[front].find(({ probes, why }) => probes.test(nameOf(probe)) && why(seen, expected))?.reason
