/** Messages as the wire has them: budgets of edges, types and magic octets, sizes, marks of known transports. */
import { fromUtf8, latin1 } from '#protocol/bytes.ts'
import type { Report, Rule } from '../rule.ts'
import type { Drawn, Subject } from '../subject.ts'
import { headerOf } from '../subject.ts'

const FIELD_MOST = 2_048
const HEADERS_MOST = 4_096
/** Default of ModSecurity's SecRequestBodyNoFilesLimit. */
const PLAIN_BODY_MOST = 131_072

interface Message {
  readonly headers: readonly (readonly [string, string])[]
  readonly body: Uint8Array | undefined
}

function all({ requests, responses }: Subject): Drawn<Message>[] {
  return [...requests, ...responses]
}

/** One report for each message of the template: its first. */
function* firstOfEach(
  drawn: readonly Drawn<Message>[],
  check: (each: Drawn<Message>) => string | undefined,
): Generator<Report> {
  const told = new Set<string>()
  for (const each of drawn) {
    const key = each.path.join('.')
    const found = told.has(key) ? undefined : check(each)
    if (found === undefined) continue
    told.add(key)
    yield { path: each.path, found }
  }
}

export const messageRules: readonly Rule[] = [
  {
    id: 'header-budget',
    severity: 'warning',
    what: `A header of more than ${FIELD_MOST} characters, or more than ${HEADERS_MOST} in all. (Above 3,072 and 6,144 the loader refuses.)`,
    why: 'Values of that length are rare, and the smallest line buffers in use hold 4 KiB, to which every edge in front adds its own. One refusal by an edge loses the member.',
    mend: 'Take the largest classes out of a request that carries its payload in headers.',
    example: { good: 'classes: [96, 384, 768] # of tags', bad: 'classes: [96, 384, 768, 1344]' },
    *check(subject) {
      yield* firstOfEach(all(subject), ({ message, parcel }) => {
        const lengths = message.headers.map(([name, value]) => [name, value.length] as const)
        const long = lengths.find(([, length]) => length > FIELD_MOST)
        const sum = message.headers.reduce((total, [name, value]) => total + name.length + value.length + 4, 0)
        if (long !== undefined) return `${long[0]} has ${long[1]} characters in class ${parcel}`
        return sum > HEADERS_MOST ? `headers have ${sum} characters in class ${parcel}` : undefined
      })
    },
  },
  {
    id: 'body-budget',
    severity: 'warning',
    what: `A request whose body is no form with a file has more than ${PLAIN_BODY_MOST} octets.`,
    why: 'Web application firewalls take large uploads as files only: ModSecurity refuses other bodies above 128 KiB unless it is told otherwise.',
    mend: 'Leave out the largest classes, or upload as multipart/form-data.',
    example: { good: 'classes: [384, 768, 3072] # of a message', bad: 'classes: [384, 768, 3072, 131072]' },
    *check({ requests }) {
      yield* firstOfEach(requests, ({ message, parcel }) => {
        const form = headerOf(message, 'content-type').startsWith('multipart/')
        const length = message.body?.length ?? 0
        return !form && length > PLAIN_BODY_MOST ? `class ${parcel} makes ${length} octets` : undefined
      })
    },
  },
  {
    id: 'media-type-and-magic',
    severity: 'error',
    what: 'A body is not what its content type says.',
    why: 'Edges sniff bodies, and a picture without its magic octets or JSON that does not parse is found by one look.',
    mend: 'Change the content type, or the body.',
    example: { good: '[content-type, text/plain; charset=utf-8]', bad: '[content-type, text/html; charset=utf-8]' },
    *check(subject) {
      // A whole segment under AES-128 has no magic octets: players know it by the playlist.
      const sealed = ({ shape, path }: Drawn<Message>): boolean =>
        path.at(-1) === 'response' && 'segment' in subject.data.shapes[shape]!.response.body
      yield* firstOfEach(
        all(subject).filter((each) => !sealed(each)),
        ({ message }) => {
          const type = headerOf(message, 'content-type')
          return message.body === undefined || isOfType(message.body, type)
            ? undefined
            : `this is no ${type.split(';')[0]}`
        },
      )
    },
  },
  {
    id: 'accept-and-answer',
    severity: 'warning',
    what: 'The answer is of a type that the request did not ask for.',
    why: 'Servers answer 406 or something else; a client that says it takes JSON and is given a picture each time is none.',
    mend: 'Write the `accept` that the real application sends with this request.',
    example: { good: '- [accept, application/json]', bad: '- [accept, image/png]' },
    *check({ data, requests, responses }) {
      for (const name of Object.keys(data.shapes)) {
        const request = requests.find(({ shape }) => shape === name)!
        const accepted = headerOf(request.message, 'accept')
        const type = headerOf(responses.find(({ shape }) => shape === name)!.message, 'content-type').split(';')[0]!
        const ranges = accepted.split(',').map((range) => range.split(';')[0]!.trim())
        const fits = ranges.some((range) => range === type || range === '*/*' || range === `${type.split('/')[0]}/*`)
        if (accepted !== '' && !fits)
          yield { path: [...request.path, 'headers'], found: `accept: ${accepted}, and ${type} comes` }
      }
    },
  },
  {
    id: 'one-size',
    severity: 'warning',
    what: 'All answers of a shape are equally long.',
    why: 'An application’s answers have many sizes; a single one on every answer is a mark, and it makes small things dear.',
    mend: 'Give `classes` several lengths, taken from the sizes that the real answers have.',
    example: { good: 'classes: [128, 768] # of an answer', bad: 'classes: [768]' },
    *check({ data }) {
      for (const [name, { response }] of Object.entries(data.shapes)) {
        const path = ['shapes', name, 'response', 'classes']
        if (response.classes.length === 1) yield { path, found: `only ${response.classes[0]} octets` }
      }
    },
  },
  {
    id: 'marks-of-transports',
    severity: 'error',
    what: 'A name or value that known transports have on the wire.',
    why: 'Operators of content networks have rules for exactly these: x_padding, runs of X, session ids in headers of one’s own.',
    mend: 'Use the names that the site’s own application uses.',
    example: { good: '- [since, "{{since}}"]', bad: '- [x_padding, "{{since}}"]' },
    *check({ texts }) {
      const marks =
        /x[-_]padding|x-session-id|x-meek|hysteria|v2ray|xray|vless|vmess|trojan|shadowsocks|\bsotto\b|\bvpn\b|tunnel|XXXXXXXX/i
      for (const { name, text, path } of texts) {
        const found = marks.exec(`${name} ${text}`)
        if (found !== null) yield { path, found: `«${found[0]}»` }
      }
    },
  },
  {
    id: 'server-tells',
    severity: 'error',
    what: 'The response names a server, or opens itself to all origins.',
    why: 'The gateway writes what the site’s server writes; a second voice differs from the site. A CORS wildcard is a known mark.',
    mend: 'Leave server, x-powered-by, via and access-control-allow-origin to the site.',
    example: {
      good: '[cache-control, "private, no-cache"]',
      bad: '[cache-control, "private, no-cache"]\n        - [server, nginx]',
    },
    *check({ texts }) {
      for (const { direction, kind, name, text, path } of texts) {
        if (direction !== 'response' || kind !== 'header') continue
        const own = /^(server|x-powered-by|via|x-accel-.*|alt-svc)$/.test(name)
        if (own || (name === 'access-control-allow-origin' && text === '*')) yield { path, found: name }
      }
    },
  },
  {
    id: 'compression',
    severity: 'warning',
    what: 'A request offers compression for an answer that is text.',
    why: 'Servers and edges in front may compress it: padding then no longer hides lengths, and the member’s client takes a compressed answer for the website’s.',
    mend: 'Offer `identity`, or add `no-transform` to the response’s cache-control and turn compression off for these paths.',
    example: { good: '[accept-encoding, identity] # for JSON', bad: '[accept-encoding, "gzip, deflate"]' },
    *check({ data, requests, responses }) {
      for (const name of Object.keys(data.shapes)) {
        const request = requests.find(({ shape }) => shape === name)!
        const response = responses.find(({ shape }) => shape === name)!
        const text = /^(text\/|application\/(json|javascript|x-ndjson|graphql))/.test(
          headerOf(response.message, 'content-type'),
        )
        const offered = headerOf(request.message, 'accept-encoding')
        const kept = headerOf(response.message, 'cache-control').includes('no-transform')
        if (text && !kept && /gzip|deflate|br|zstd/.test(offered)) {
          yield { path: [...request.path, 'headers'], found: `accept-encoding: ${offered}` }
        }
      }
    },
  },
]

/** First octets of media types, in hex. */
const magic: readonly (readonly [RegExp, RegExp])[] = [
  [/^image\/png/, /^89504e470d0a1a0a/],
  [/^image\/jpeg/, /^ffd8ff/],
  [/^image\/gif/, /^47494638/],
  [/^image\/webp/, /^52494646.{8}57454250/],
  [/^font\/woff2/, /^774f4632/],
  [/^application\/(zip|x-zip-compressed)/, /^504b0304/],
  [/^application\/pdf/, /^255044462d/],
  [/^application\/gzip/, /^1f8b/],
  [/^(video|audio)\/mp4/, /^.{8}(66747970|73747970|6d6f6f66)/],
  [/^video\/mp2t/, /^47/],
  [/^(text\/html|image\/svg\+xml|application\/xml|text\/xml)/, /^3c/],
]

function isOfType(body: Uint8Array, type: string): boolean {
  const head = Buffer.from(body.subarray(0, 32)).toString('hex')
  const known = magic.find(([media]) => media.test(type))
  if (known !== undefined) return known[1].test(head)
  if (type.startsWith('application/json')) return isJson(fromUtf8(body))
  const boundary = /^multipart\/form-data; ?boundary="?([^";]+)/.exec(type)?.[1]
  if (boundary === undefined) return true
  const text = latin1(body)
  return text.startsWith(`--${boundary}\r\n`) && text.endsWith(`--${boundary}--\r\n`)
}

function isJson(text: string | undefined): boolean {
  try {
    JSON.parse(text ?? '')
    return true
  } catch {
    return false
  }
}
