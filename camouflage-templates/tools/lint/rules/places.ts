/** Sealed octets stand where the real thing has random-looking ones, and nowhere else. */
import type { Rule } from '../rule.ts'
import type { Place, Subject } from '../subject.ts'
import { carries } from '../subject.ts'

/** Names of members and parameters that hold words. */
const words = new Set([
  ...['name', 'title', 'text', 'subject', 'comment', 'description', 'caption', 'label', 'message', 'reason', 'locale'],
  ...[
    'lang',
    'language',
    'country',
    'city',
    'status',
    'type',
    'kind',
    'mime',
    'email',
    'username',
    'q',
    'search',
    'album',
  ],
])
/** Names of members and parameters that hold something short. */
const short = /(^|_|-)(id|ids|cursor|next|prev|etag|hash|token|ticket|signature|sig|nonce|version|rev|since|after)$/
const SHORT_MOST = 4_096
/** Headers in which random-looking octets are ordinary. */
const opaqueHeaders =
  /^(authorization|if-none-match|etag|x-[a-z-]*(token|signature|csrf|key|etag|sig|nonce|id)|sec-websocket-key)$/
/** Names whose values differ from message to message in every real protocol. */
const varying = new Set([
  ...[
    'timestamp',
    'time',
    'date',
    'ts',
    'nonce',
    'seq',
    'sequence',
    'cursor',
    'requestid',
    'request_id',
    'uuid',
    'rtt',
  ],
  ...['messageid', 'message_id', 'etag', 'last_event_id', 'lasteventid'],
])
const constants =
  /^(user-agent|accept|accept-language|accept-encoding|sec-ch-.*|sec-fetch-.*|dnt|origin|upgrade-insecure-requests)$/

const sealed = ({ places }: Subject): Place[] => places.filter(carries)

export const placeRules: readonly Rule[] = [
  {
    id: 'entropy-in-words',
    severity: 'error',
    what: 'Sealed octets in a member or parameter whose name promises words.',
    why: 'Whoever reads the HTTP (a content network does) measures entropy per field name: no title has 6 bits a character.',
    mend: 'Move the hole to a member that is random-looking in the real traffic: a cursor, a signature, a sealed state, a file.',
    example: { good: '"content":"{{sealed}}"', bad: '"title":"{{sealed}}"' },
    *check(subject) {
      for (const { name, kind, hole, path } of sealed(subject)) {
        if ((kind === 'field' || kind === 'query') && words.has(name)) {
          yield { path, found: `{{${hole}}} stands in «${name}», which holds words` }
        }
      }
    },
  },
  {
    id: 'entropy-in-header',
    severity: 'error',
    what: 'Sealed octets in a header that never holds random-looking ones.',
    why: 'A rule on one header’s entropy is the cheapest there is; transports were blocked for what they put into Referer.',
    mend: 'Use `if-none-match`, `authorization`, or a header of the kind x-csrf-token that the site really has.',
    example: { good: '[if-none-match, "{{tags}}"]', bad: '[referer, "{{tags}}"]' },
    *check(subject) {
      for (const { name, kind, hole, path } of sealed(subject)) {
        if (kind === 'header' && !opaqueHeaders.test(name)) yield { path, found: `{{${hole}}} stands in ${name}` }
      }
    },
  },
  {
    id: 'length-of-field',
    severity: 'warning',
    what: `A member or parameter that is short everywhere else (an id, a cursor, a signature) grows beyond ${SHORT_MOST} characters.`,
    why: 'No cursor has 200 kB. Lengths per field name need no decoding of anything.',
    mend: 'Let it hold a fixed part (`exact`), or put the payload into a member for content, or end the classes earlier.',
    example: { good: '"events":"{{sealed}}"', bad: '"next":"{{sealed}}"' },
    *check(subject) {
      for (const { name, kind, hole, path, longest } of sealed(subject)) {
        if ((kind === 'field' || kind === 'query') && short.test(name) && longest > SHORT_MOST) {
          yield { path, found: `«${name}» grows to ${longest} characters with {{${hole}}}` }
        }
      }
    },
  },
  {
    id: 'token-in-path',
    severity: 'warning',
    what: 'Sealed octets in the path itself.',
    why: 'A path with 128 random bits in it, new for each request, is how XHTTP’s session ids are found. Real paths repeat.',
    mend: 'Put the token into a parameter, a header or the body, and leave the path to what the site has.',
    example: {
      good: 'path: /api/files/{{shot}}.bin\n      query:\n        - [s, "{{signature}}"]',
      bad: 'path: /api/files/{{signature}}.bin\n      query:\n        - [s, "{{shot}}"]',
    },
    *check(subject) {
      for (const { kind, hole, path } of sealed(subject)) {
        if (kind === 'path') yield { path, found: `{{${hole}}} stands in the path` }
      }
    },
  },
  {
    id: 'constant-where-real-varies',
    severity: 'error',
    what: 'A member or parameter that varies in every real protocol (a time, a nonce, a sequence number) is constant here.',
    why: 'One value that all members send for ever is a signature. Constants on the wire are what transports are blocked by.',
    mend: 'Make it a hole: `number`, `run`, or `oneOf`.',
    example: { good: '"rtt":{{rtt}}', bad: '"rtt":240' },
    *check({ texts }) {
      for (const { text, path, kind, name } of texts) {
        const members = kind === 'body' ? constantMembers(text) : kind === 'query' && !text.includes('{{') ? [name] : []
        for (const member of members) if (varying.has(member)) yield { path, found: `«${member}» has one value` }
      }
    },
  },
  {
    id: 'varies-where-real-is-constant',
    severity: 'error',
    what: 'A header that stays the same in one client differs from message to message.',
    why: 'A browser does not change its name or languages within a session; whoever does is a program that pretends.',
    mend: 'Write one value, that of the client the family names.',
    example: { good: '[accept-language, "*"] # of a client', bad: '[accept-language, "{{typing}}"]' },
    *check({ places }) {
      for (const place of places) {
        if (place.kind === 'header' && place.direction === 'request' && constants.test(place.name) && !carries(place)) {
          yield { path: place.path, found: `{{${place.hole}}} makes ${place.name} vary` }
        }
      }
    },
  },
]

/** Members of a JSON text that have a literal value, in small letters; null and '' say «nothing yet» and are left out. */
function constantMembers(text: string): string[] {
  const found = text.matchAll(/"([^"\\]+)"\s*:\s*("(?:[^"\\{]|\\.)+"|-?[\d.]+)(?=\s*[,}\]])/g)
  return [...found].map((match) => match[1]!.toLowerCase())
}
