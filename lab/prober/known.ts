/**
 * In what a gateway that faces the network alone differs from nginx, and one behind a Caddy that serves files from the same
 * Caddy, and why. In front of an application there is no such list: there nothing may differ. A difference that no line names
 * counts as unexplained.
 */
import { nameOf, type Probe } from './probe.ts'
import type { Front } from './world.ts'

interface Known {
  readonly probes: RegExp
  readonly reason: string
}

const alone: readonly Known[] = [
  {
    probes: /^h2: |, HTTP\/2$/,
    reason:
      'the gateway speaks HTTP/1.1 only: Node frames HTTP/2 in ways of its own, which would tell more than its absence',
  },
  {
    probes:
      /^tls: (HTTP without TLS|HTTP\/2 without TLS|SSH|SOCKS|mail|zeros|ones|heartbeat|alert first|application data first|change of cipher first)$/,
    reason: 'nginx looks at the first octet and answers plain HTTP with a page; Node hands everything to OpenSSL',
  },
  {
    probes: /^tls: (HTTP\/1\.[01]|unknown protocol|TLSv|RSA|CBC|P-521|no protocol)/,
    reason: 'versions, ciphers and protocols are those that Node and its OpenSSL offer',
  },
  {
    probes:
      /^tls: (hello|half a hello|record|empty records|fatal|warning|more changes|changes|garbage|session id|message)/,
    reason: 'another OpenSSL: key shares with ML-KEM, other answers to what comes after the handshake',
  },
  {
    probes: /^tls: /,
    reason: 'cipher suite preferred by Node’s OpenSSL',
  },
  {
    probes:
      /^slow: |^broken off: after (half an upload|the head of a post|half a message)$|body cut off$|upload that does not come/,
    reason:
      'the nginx of the lab is impatient (2 s) so that its end can be seen, and reads a body before it asks its application; the gateway waits 60 s for a head, 120 s for a body',
  },
  {
    probes: /^size: /,
    reason: 'Node has one limit for a whole head (32 kB), nginx 8 kB for each line of it, with pages of its own',
  },
  {
    probes: /^body: (beyond the limit|\d{6})/,
    reason: 'nginx refuses a body of more than 1 MB before it comes (413); the gateway leaves it unread',
  },
  {
    probes: /^header: (.*Host: other|host with|other host|empty host)/,
    reason: 'nginx refuses two hosts and a host that is none; Node takes the first, and any octets',
  },
  {
    probes: /^line: |^smuggling: /,
    reason: 'another parser: Node refuses what nginx forgives, and the reverse',
  },
  {
    probes: /^method: |, another method$/,
    reason:
      'Node’s parser knows a list of methods, nginx any word in capital letters; nginx refuses TRACE and CONNECT itself',
  },
  {
    probes: /^path: GET \/\.(answers|git)|^path: GET .*\.answers/,
    reason: 'the gateway serves no file whose name begins with a dot',
  },
  {
    probes: /^range: (bytes=,|bytes= of|bytes=0-0,0-0|bytes=0-18446744073709551616|bytes=0-9, ,20-29)/,
    reason: 'odd ranges: nginx counts them in its own way',
  },
  {
    probes: /^(replay|template|valid token): socketio /,
    reason:
      'what the notice room says comes in pieces, and Node names Connection before Transfer-Encoding, nginx after it',
  },
]

const files: readonly Known[] = [
  {
    probes:
      /^valid token: .*, body cut off$|^broken off: |^slow: (chunks? without|message with)|that does not come$|^body: beyond the limit, stated$/,
    reason: 'files are answered with before a body has come; whoever may have a token in it is waited for',
  },
  {
    probes: /^h2: (POST (beyond the limit|of 60,000 octets|with too long a length)|body apart from its head)$/,
    reason: 'Caddy leaves a body unread that files need not, and reads one that it passes on',
  },
]

const none: readonly Known[] = []
const known: Readonly<Record<Front, readonly Known[]>> = { nginx: none, caddy: none, 'caddy-files': files, none: alone }

/** undefined: nobody knows why. */
export const reasonFor = (front: Front, probe: Probe): string | undefined =>
  known[front].find(({ probes }) => probes.test(nameOf(probe)))?.reason
