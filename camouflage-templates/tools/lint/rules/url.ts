/** Paths and queries: short, mostly words, not all equally long, and never answered by a cache. */
import type { Rule } from '../rule.ts'
import type { Subject } from '../subject.ts'
import { at, headerOf, SOCKET } from '../subject.ts'

const URL_MOST = 1_024
const RANDOM_MOST = 64
/** Cache-Control that keeps an answer out of shared caches. */
const uncached = /\b(no-store|private)\b/

/** All that ask. */
const asking = ({ shapes, socket }: Subject['compiled']): string[] => [
  ...shapes.map(({ name }) => name),
  ...(socket === undefined ? [] : [SOCKET]),
]

function* targets({ compiled, requests }: Subject): Generator<{ name: string; targets: string[] }> {
  for (const name of asking(compiled)) {
    yield { name, targets: requests.flatMap(({ shape, message }) => (shape === name ? [message.target] : [])) }
  }
}

export const urlRules: readonly Rule[] = [
  {
    id: 'url-length',
    severity: 'warning',
    what: `Path and query of more than ${URL_MOST} characters.`,
    why: 'Hardly any site has such URLs. They stand in every log, and request filters count them.',
    mend: 'Move payload into the body or a header, or leave out the largest classes of the request.',
    example: { good: '- [since, "{{since}}"]', bad: `- [since, "{{since}}${'-page'.repeat(210)}"]` },
    *check(subject) {
      for (const { name, targets: all } of targets(subject)) {
        const longest = Math.max(...all.map((target) => target.length))
        if (longest > URL_MOST) {
          yield { path: [...at(name, 'request'), 'path'], found: `${longest} characters at the most` }
        }
      }
    },
  },
  {
    id: 'url-entropy',
    severity: 'warning',
    what: `More than ${RANDOM_MOST} random octets in path and query.`,
    why: 'URLs are words and short identifiers. They are also what content networks, proxies and servers write down.',
    mend: 'Keep the token there at most, and put the payload into the body or a header.',
    example: {
      good: '- [since, "{{since}}"]',
      bad: '- [since, "{{since}}"]\n        - [state, "{{etag}}{{etag}}{{etag}}{{etag}}"]',
    },
    *check({ places, compiled }) {
      for (const name of asking(compiled)) {
        const inUrl = places.filter(({ shape, kind }) => shape === name && (kind === 'path' || kind === 'query'))
        const octets = inUrl.reduce((sum, { data, longest }) => sum + randomOctets(data, longest), 0)
        if (octets > RANDOM_MOST) {
          yield { path: [...at(name, 'request'), 'path'], found: `${octets} random octets at the most` }
        }
      }
    },
  },
  {
    id: 'url-one-length',
    severity: 'warning',
    what: 'All URLs of a shape are equally long.',
    why: 'Under TLS the length of a request is what shows: real URLs have ids, times and names of several lengths.',
    mend: 'Give a `run` two lengths, a `number` a range over several digits, or a `oneOf` texts of different lengths.',
    example: { good: 'length: [7, 9]', bad: 'length: [8, 8]' },
    *check(subject) {
      for (const { name, targets: all } of targets(subject)) {
        if (new Set(all.map((target) => target.length)).size === 1) {
          yield { path: [...at(name, 'request'), 'path'], found: `always ${all[0]!.length} characters` }
        }
      }
    },
  },
  {
    id: 'cacheable',
    severity: 'error',
    what: 'The answer to a GET does not forbid shared caches to keep it.',
    why: 'An edge that keeps it fills up with what is never asked for again, and shows its operator a hit rate of nought; some caches answer in the gateway’s place.',
    mend: 'Add `cache-control` with `no-store` or `private` to the response.',
    example: { good: '[cache-control, "private, no-cache"]', bad: '[cache-control, "max-age=60"]' },
    *check({ data, responses }) {
      for (const [name, { request }] of Object.entries(data.shapes)) {
        const control = responses.find(({ shape }) => shape === name)
        if (request.method !== 'GET' || control === undefined) continue
        const value = headerOf(control.message, 'cache-control')
        if (!uncached.test(value)) yield { path: [...control.path, 'headers'], found: `cache-control: «${value}»` }
      }
    },
  },
]

function randomOctets(data: Subject['places'][number]['data'], longest: number): number {
  if ('token' in data) return 16
  if ('jwe' in data) return Math.floor((longest * 3) / 4)
  if ('payload' in data) return Math.floor(data.payload === 'hex' ? longest / 2 : (longest * 3) / 4)
  return 'run' in data ? Math.floor(longest / 2) : 0
}
