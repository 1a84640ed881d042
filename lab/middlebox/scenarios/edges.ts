/** Edges of ours that speak HTTP, and what they do to it. */
import type { Scenario } from '../scenario.ts'

export const edges: readonly Scenario[] = [
  { name: 'edge', what: 'an edge that terminates TLS', box: { kind: 'http' } },
  {
    name: 'edge-confined',
    what: 'the same, with the real broker and its core',
    box: { kind: 'http' },
    member: 'process',
  },
  {
    name: 'buffering',
    what: 'whole bodies are collected before they go on',
    box: { kind: 'http', buffer: true, lagMs: 30 },
  },
  {
    name: 'copies-3',
    what: 'every request reaches the gateway three times at once',
    box: { kind: 'http', copies: 3 },
    learns: { repeats: true },
  },
  {
    name: 'retries-2',
    what: 'every request that is not answered within a second is asked twice more',
    box: { kind: 'http', retries: 2, retryMs: 1_000 },
    // Apart by more than that: some polls wait so long.
    count: 6,
    everyMs: 1_700,
    learns: { repeats: true },
  },
  {
    name: 'failures-20-percent',
    what: 'one request in five gets a 503',
    box: { kind: 'http', failShare: 0.2, status: 503 },
    names: ['E_PATH_BUSY'],
  },
  {
    name: 'failures-burst',
    what: 'nothing but 502 for 3 s',
    box: { kind: 'http' },
    turns: [
      { afterMs: 300, rules: { failShare: 1, status: 502 } },
      { afterMs: 3_300, rules: {}, heals: true },
    ],
    names: ['E_PATH_BUSY'],
  },
  {
    name: 'failures-cached',
    what: 'one request in ten gets a 504, which the edge keeps for a minute for that URL',
    box: { kind: 'http', failShare: 0.1, status: 504, cacheFailuresMs: 60_000 },
  },
  {
    name: 'failures-cached-get',
    what: 'the same, with a template of GET only',
    box: { kind: 'http', failShare: 0.1, status: 504, cacheFailuresMs: 60_000 },
    template: 'beacon',
    withinMs: 20_000,
  },
  {
    name: 'headers-stripped',
    what: 'fields that a browser adds are taken away, both ways',
    box: {
      kind: 'http',
      stripRequest: ['accept-language', 'sec-fetch-mode', 'user-agent', 'accept'],
      stripResponse: ['cache-control', 'server', 'date', 'vary', 'etag'],
    },
  },
  {
    name: 'headers-reordered-upper-case',
    what: 'fields in another order, and in capitals',
    box: { kind: 'http', reorder: true, letters: 'upper' },
  },
  {
    name: 'headers-added',
    what: 'fields of a proxy on the way, both ways',
    box: {
      kind: 'http',
      addRequest: [
        ['via', '1.1 proxy.office.example'],
        ['x-forwarded-for', '10.0.0.7'],
        ['x-request-id', 'a3f1'],
      ],
      addResponse: [
        ['via', '1.1 edge'],
        ['x-cache', 'MISS'],
        ['set-cookie', 'edge=1; path=/'],
      ],
    },
  },
  {
    name: 'chunked-closed',
    what: 'answers in chunks, and one exchange a connection',
    box: { kind: 'http', chunked: true, closeAfterEach: true },
  },
  {
    name: 'post-refused',
    what: 'POST gets a 405',
    box: { kind: 'http', refuseMethods: ['POST'] },
    endsWith: 'beacon',
    names: ['E_NET_METHOD'],
    learns: { post: false },
  },
  {
    name: 'post-refused-later',
    what: 'the network begins to refuse POST in the middle of a talk',
    box: { kind: 'http' },
    turns: [{ afterMs: 400, rules: { refuseMethods: ['POST'] } }],
    count: 15,
    endsWith: 'beacon',
    names: ['E_NET_METHOD'],
  },
  {
    name: 'request-body-cap-4kB',
    what: 'larger requests get a 413',
    box: { kind: 'http', requestBodyMax: 4_096 },
    letters: 3_500,
    names: ['E_NET_SIZE'],
  },
  {
    name: 'answer-body-cap-8kB',
    what: 'larger answers become a 502',
    box: { kind: 'http', responseBodyMax: 8_192 },
    letters: 3_500,
    everyMs: 20,
  },
  {
    name: 'header-cap-3kB',
    what: 'larger headers get a 431, longer URLs a 414, with a template that uses both',
    box: { kind: 'http', headersMax: 3_000, targetMax: 1_600 },
    template: 'beacon',
    letters: 2_000,
    names: ['E_NET_SIZE'],
  },
  {
    name: 'reset-in-body',
    what: 'one answer in five is cut in the middle',
    box: { kind: 'http', resetBodyShare: 0.2 },
  },
  {
    name: 'interception',
    what: 'a wrong certificate for 3 s: nothing is sent to it',
    box: { kind: 'http', interceptMs: 3_000 },
    names: ['E_PATH_TLS'],
  },
  {
    name: 'interception-second-gateway',
    what: 'a wrong certificate at the first gateway for ever; the second one is left alone',
    box: { kind: 'http', interceptMs: 3_600_000 },
    second: 'gateway',
    names: ['E_PATH_TLS'],
  },
  {
    name: 'retries-3',
    what: 'every request that is not answered within half a second is asked three times more',
    box: { kind: 'http', retries: 3, retryMs: 500 },
    everyMs: 400,
  },
  {
    name: 'headers-lower-case',
    what: 'all names of fields in small letters',
    box: { kind: 'http', letters: 'lower' },
  },
  {
    name: 'captive-portal',
    what: 'every request leads to a login page for 4 s',
    box: { kind: 'http', portalMs: 4_000 },
    names: ['E_NET_PORTAL'],
  },
  {
    name: 'captive-portal-later',
    what: 'the login page comes back in the middle of a talk',
    box: { kind: 'http' },
    turns: [
      { afterMs: 400, rules: { portalMs: Number.MAX_SAFE_INTEGER } },
      { afterMs: 3_400, rules: {}, heals: true },
    ],
    names: ['E_NET_PORTAL'],
  },
  {
    name: 'everything-a-little',
    what: 'delay, stalls, failures, copies, added fields and cut answers together',
    box: {
      kind: 'http',
      tcp: { delayMs: 40, jitterMs: 20, stallShare: 0.01, stallMs: 600 },
      buffer: true,
      copies: 2,
      failShare: 0.05,
      resetBodyShare: 0.05,
      addResponse: [['via', '1.1 edge']],
    },
  },
]
