/** What happens when: the first flight, how long polls are held and why, how many exchanges are open. */
import type { Rule } from '../rule.ts'

/** Measured idle cuts of edges and states begin at 10 s; most stand at 30 and 60. */
const HOLD_SAFE_MS = 10_000
const HOLD_MOST_MS = 50_000
const CONNECTIONS = 6
const DAY_MS = 86_400_000
/** Exchanges of one idle member: about one in four seconds. */
const IDLE_MOST = 20_000
/** Words in a path or query behind which an answer may take its time. */
const waiting =
  /(poll|sync|event|update|wait|stream|subscri|notif|messag|change|live|feed|socket\.io|presence|inbox|watch|push|conversation|queue|job|progress)/i

export const rhythmRules: readonly Rule[] = [
  {
    id: 'first-flight',
    severity: 'error',
    what: 'What the client loads first is not a page as a visitor loads one.',
    why: 'Payload in the first flight of a connection, at once behind the handshake, is what detectors of tunnels look at first.',
    mend: 'Name a page of the site that is no path of a shape, with the headers of a visitor.',
    example: { good: '  path: /\n', bad: '  path: /api/events/sync\n' },
    *check({ data, compiled }) {
      const { path, headers } = data.page
      const used = Object.values(data.shapes).some(({ request }) => request.path === path.split('?')[0])
      if (used) yield { path: ['page', 'path'], found: `${path} is the path of a shape` }
      if (headers.length === 0) yield { path: ['page', 'headers'], found: 'no headers' }
      const accept = headers.find(([name]) => name.toLowerCase() === 'accept')?.[1] ?? ''
      if (compiled.family !== 'node' && !accept.includes('text/html')) {
        yield { path: ['page', 'headers'], found: `a browser accepts text/html, here «${accept}»` }
      }
    },
  },
  {
    id: 'hold-beyond-cuts',
    severity: 'warning',
    what: `Polls are held for longer than ${HOLD_SAFE_MS / 1000} s, or than the gateway holds any (${HOLD_MOST_MS / 1000} s).`,
    why: 'Edges cut idle requests after 10, 30, 60 or 125 s; some answer the next ones out of their cache of errors.',
    mend: 'Hold polls for 6 to 8 s to begin with.',
    example: { good: 'holdMs: [6000, 8000]', bad: 'holdMs: [20000, 30000]' },
    *check({ data }) {
      const [, most] = data.rhythm.holdMs
      const path = ['rhythm', 'holdMs']
      if (most > HOLD_MOST_MS) yield { path, found: `${most} ms; a gateway answers after ${HOLD_MOST_MS}` }
      else if (most > HOLD_SAFE_MS) yield { path, found: `${most} ms` }
    },
  },
  {
    id: 'hold-without-jitter',
    severity: 'error',
    what: 'Polls are always held equally long.',
    why: 'Equal intervals and sizes are what beacon detectors score; a hundred polls make it certain.',
    mend: 'Let the two ends of `holdMs` differ by a fifth or more.',
    example: { good: 'holdMs: [6000, 8000]', bad: 'holdMs: [7000, 7000]' },
    *check({ data }) {
      const [least, most] = data.rhythm.holdMs
      if (most - least < most / 10) yield { path: ['rhythm', 'holdMs'], found: `${least} to ${most} ms` }
    },
  },
  {
    id: 'hold-without-reason',
    severity: 'warning',
    what: 'Nothing explains why an answer on the poll’s path takes seconds; with `--site URL`: the site itself answers there at once.',
    why: 'A picture that takes seven seconds each time, from a server that shows it to others in a millisecond, tells the two apart with certainty.',
    mend: 'Poll where the site has a long poll or an event feed of its own, whose genuine answer waits as well.',
    example: { good: 'path: /api/events/sync', bad: 'path: /api/themes' },
    *check({ data, site }) {
      const shape = data.kinds.poll
      const { request } = data.shapes[shape]!
      const [least] = data.rhythm.holdMs
      const path = ['shapes', shape, 'request', 'path']
      const ms = site?.get(shape)?.ms
      if (ms !== undefined && ms < least / 10) {
        yield { path, found: `the site answers after ${Math.round(ms)} ms, polls are held for ${least} ms and more` }
      } else if (ms === undefined && !waiting.test(request.path)) {
        yield { path, found: `no word in ${request.path} says that an answer may wait` }
      }
    },
  },
  {
    id: 'idle-cost',
    severity: 'warning',
    what: `A member who says nothing makes more than ${IDLE_MOST.toLocaleString('en')} exchanges a day.`,
    why: 'Each costs about a thousand octets and a wake-up of a phone’s radio, and no visitor of a site comes near such a count: accumulated over a day, it is what tells hosts apart.',
    mend: 'Hold fewer polls, or hold them longer where the path allows it. `sotto templates try` measures what a day costs.',
    example: { good: 'polls: 1', bad: 'polls: 3' },
    *check({ data }) {
      const { holdMs, polls } = data.rhythm
      const exchanges = Math.round((polls * DAY_MS * 2) / (holdMs[0] + holdMs[1]))
      if (exchanges > IDLE_MOST) yield { path: ['rhythm'], found: `${exchanges} exchanges a day` }
    },
  },
  {
    id: 'too-many-at-once',
    severity: 'warning',
    what: `More than ${CONNECTIONS} exchanges open at once.`,
    why: 'A browser opens at most six connections to one host over HTTP/1.1; some networks count handshakes to one name.',
    mend: 'Two or three do for a chat.',
    example: { good: 'concurrency: 3', bad: 'concurrency: 8' },
    *check({ data }) {
      const { concurrency } = data.rhythm
      if (concurrency > CONNECTIONS) yield { path: ['rhythm', 'concurrency'], found: `${concurrency}` }
    },
  },
]
