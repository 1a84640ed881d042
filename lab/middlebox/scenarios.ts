/** The networks that Sotto has to get through, each with a name. */
import type { Scenario } from './scenario.ts'

const calm: readonly Scenario[] = [
  { name: 'clean', what: 'nothing in the way', box: { kind: 'tcp' } },
  {
    name: 'clean-confined',
    what: 'the same, with the real broker and its core',
    box: { kind: 'tcp' },
    member: 'process',
  },
  { name: 'delay-100ms', what: '100 ms round trip', box: { kind: 'tcp', delayMs: 50 } },
  { name: 'delay-600ms-jitter', what: 'a satellite', box: { kind: 'tcp', delayMs: 300, jitterMs: 60 }, everyMs: 300 },
  {
    name: 'stalls-2-percent',
    what: 'one piece in fifty waits for its repetition, 800 ms',
    box: { kind: 'tcp', delayMs: 20, stallShare: 0.02, stallMs: 800 },
  },
  {
    name: 'rate-8kB',
    what: '8 kB/s a connection',
    box: { kind: 'tcp', delayMs: 50, bytesPerSecond: 8_000 },
    everyMs: 400,
  },
  {
    name: 'rate-2kB',
    what: 'throttled to 2 kB/s a connection',
    box: { kind: 'tcp', delayMs: 50, bytesPerSecond: 2_000 },
    count: 4,
    everyMs: 1_500,
  },
]

const cuts: readonly Scenario[] = [
  {
    name: 'idle-cut-3s-reset',
    what: 'connections without traffic are reset after 3 s',
    box: { kind: 'tcp', idleCutMs: 3_000, idleCut: 'reset' },
    count: 4,
    everyMs: 4_500,
  },
  {
    name: 'idle-cut-3s-silent',
    what: 'connections without traffic are forgotten after 3 s, without a word',
    box: { kind: 'tcp', idleCutMs: 3_000, idleCut: 'silent' },
    count: 4,
    everyMs: 4_500,
  },
  {
    name: 'idle-cut-10s-at-tenth-scale',
    what: 'cut after 10 s; holds and cut ten times shorter',
    box: { kind: 'tcp', idleCutMs: 1_000, idleCut: 'reset' },
    quicker: 10,
    count: 5,
    everyMs: 2_500,
  },
  {
    name: 'idle-cut-30s-at-tenth-scale',
    what: 'cut after 30 s; holds and cut ten times shorter',
    box: { kind: 'tcp', idleCutMs: 3_000, idleCut: 'silent' },
    quicker: 10,
    count: 5,
    everyMs: 3_500,
  },
  {
    name: 'idle-cut-60s-at-twentieth-scale',
    what: 'a 504 after 60 s; holds and cut twenty times shorter',
    box: { kind: 'http', answerMs: 3_000 },
    quicker: 20,
    count: 5,
    everyMs: 3_500,
  },
  {
    name: 'idle-cut-125s-at-fiftieth-scale',
    what: 'closed after 125 s; holds and cut fifty times shorter',
    box: { kind: 'tcp', idleCutMs: 2_500, idleCut: 'close' },
    quicker: 50,
    count: 5,
    everyMs: 3_000,
  },
  {
    name: 'idle-cut-10s-in-full',
    what: 'connections without traffic are forgotten after 10 s, without a word; nothing is scaled',
    box: { kind: 'tcp', idleCutMs: 10_000, idleCut: 'silent' },
    count: 4,
    everyMs: 12_000,
  },
  {
    name: 'connections-reset',
    what: 'all connections are reset, three times',
    box: { kind: 'tcp', delayMs: 20 },
    turns: [
      { afterMs: 250, act: 'cut' },
      { afterMs: 700, act: 'cut' },
      { afterMs: 1_200, act: 'cut' },
    ],
    count: 15,
  },
  {
    name: 'nat-rebinding',
    what: 'the address of the member changes: old connections say nothing any more',
    box: { kind: 'tcp', delayMs: 20 },
    turns: [{ afterMs: 450, act: 'rebind' }],
  },
  {
    name: 'outage-5s',
    what: 'no network for 5 s',
    box: { kind: 'tcp', delayMs: 20 },
    turns: [
      { afterMs: 300, rules: { silent: true } },
      { afterMs: 300, act: 'freeze' },
      { afterMs: 5_300, rules: { delayMs: 20 } },
      { afterMs: 5_300, act: 'freeze', heals: true },
    ],
  },
  {
    name: 'flapping',
    what: 'half a second of network, half a second of none, for 6 s',
    box: { kind: 'tcp', delayMs: 20 },
    turns: [500, 1_500, 2_500, 3_500, 4_500, 5_500].flatMap((afterMs) => [
      { afterMs, rules: { refuse: true }, act: 'cut' } as const,
      { afterMs: afterMs + 500, rules: { delayMs: 20 } },
    ]),
    count: 12,
    everyMs: 500,
  },
  {
    name: 'freeze-after-16kB',
    what: 'a connection stops without a word after 16 kB',
    box: { kind: 'tcp', delayMs: 20, freezeAfter: 16_000 },
    letters: 2_000,
    names: ['E_NET_FROZEN'],
  },
  {
    name: 'reset-after-16kB',
    what: 'a connection is reset after 16 kB',
    box: { kind: 'tcp', delayMs: 20, resetAfter: 16_000 },
    letters: 2_000,
  },
  {
    name: 'sni-reset-for-4s',
    what: 'connections that name the host are reset, for 4 s',
    box: { kind: 'tcp' },
    turns: [
      { afterMs: 300, rules: { resetSni: 'localhost' }, act: 'cut' },
      { afterMs: 4_300, rules: {}, heals: true },
    ],
    names: ['E_NET_NAME'],
  },
  {
    name: 'sni-reset-second-address',
    what: 'one of two addresses lies behind a box that resets by name',
    box: { kind: 'tcp', resetSni: 'localhost' },
    second: 'address',
  },
  {
    name: 'sni-reset-second-gateway',
    what: 'the first gateway of the invite is reset by name for ever, the second is not',
    box: { kind: 'tcp', resetSni: 'localhost' },
    second: 'gateway',
  },
  {
    name: 'cut-of-one-second',
    what: 'connections fall silent once while messages are under way; new ones work',
    box: { kind: 'tcp', delayMs: 50 },
    turns: [{ afterMs: 520, act: 'freeze' }],
    names: ['E_PATH_TIMEOUT'],
  },
  {
    name: 'dns-poisoned',
    what: 'the resolver lies; the invite names addresses, so nobody asks it',
    box: { kind: 'tcp' },
    resolves: ['127.88.0.1'],
  },
  {
    name: 'dns-poisoned-second-gateway',
    what: 'the resolver lies about the first gateway, whose addresses the invite leaves out; the second has one',
    box: { kind: 'tcp' },
    resolves: ['127.88.0.1'],
    unpinned: true,
    second: 'gateway',
  },
  {
    name: 'silent-second-gateway',
    what: 'the first gateway of the invite never answers, the second does',
    box: { kind: 'tcp', silent: true },
    second: 'gateway',
  },
]

const edges: readonly Scenario[] = [
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
  { name: 'copies-3', what: 'every request reaches the gateway three times at once', box: { kind: 'http', copies: 3 } },
  {
    name: 'retries-2',
    what: 'every request that is not answered within a second is asked twice more',
    box: { kind: 'http', retries: 2, retryMs: 1_000 },
    everyMs: 700,
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

const proxies: readonly Scenario[] = [
  { name: 'nginx', what: 'nginx as an edge, with its own settings', box: { kind: 'nginx', directives: '' } },
  {
    name: 'nginx-caching-4s',
    what: 'nginx that caches whatever it may, and waits 4 s for an answer',
    box: {
      kind: 'nginx',
      directives: 'proxy_cache edge; proxy_cache_valid 500 502 503 504 1m; proxy_read_timeout 4s;',
    },
    template: 'beacon',
    count: 4,
    everyMs: 4_500,
  },
  {
    name: 'nginx-small-bodies',
    what: 'nginx that takes requests up to 8 kB',
    box: { kind: 'nginx', directives: 'client_max_body_size 8k;' },
    letters: 3_500,
    everyMs: 20,
    names: ['E_NET_SIZE'],
  },
  { name: 'haproxy', what: 'HAProxy as an edge, with its own settings', box: { kind: 'haproxy', directives: '' } },
  {
    name: 'haproxy-retries',
    what: 'HAProxy that repeats what failed, and waits 4 s for an answer',
    box: { kind: 'haproxy', directives: 'retries 3\n  retry-on all-retryable-errors\n  timeout server 4s' },
    count: 4,
    everyMs: 4_500,
  },
  { name: 'caddy', what: 'Caddy as an edge, with its own settings', box: { kind: 'caddy', directives: '' } },
  {
    name: 'caddy-retries',
    what: 'Caddy that repeats what failed',
    box: { kind: 'caddy', directives: 'lb_try_duration 3s\n\t\tlb_retries 2' },
    template: 'beacon',
  },
  {
    name: 'varnish',
    what: 'Varnish as an edge, with its own rules of caching',
    box: { kind: 'varnish', directives: '' },
  },
  {
    name: 'varnish-get',
    what: 'the same, with a template of GET only',
    box: { kind: 'varnish', directives: '' },
    template: 'beacon',
  },
  {
    name: 'varnish-keeps-all',
    what: 'Varnish that keeps every answer for ten minutes, whatever it says of itself',
    box: {
      kind: 'varnish',
      directives: 'sub vcl_backend_response { unset beresp.http.set-cookie; set beresp.ttl = 10m; return (deliver); }',
    },
    template: 'beacon',
  },
]

const machines: readonly Scenario[] = [
  {
    name: 'sleep-and-wake',
    what: 'the program is stopped for 12 s, and its connections die meanwhile',
    box: { kind: 'tcp', delayMs: 20 },
    member: 'process',
    turns: [
      { afterMs: 400, act: 'sleep' },
      { afterMs: 5_000, act: 'freeze' },
      { afterMs: 12_400, act: 'wake', heals: true },
    ],
    names: ['E_NET_SLEPT'],
  },
  {
    name: 'gateway-restart',
    what: 'the gateway is killed and comes back',
    box: { kind: 'tcp', delayMs: 20 },
    turns: [{ afterMs: 450, act: 'restart' }],
  },
  {
    name: 'gateway-restart-behind-edge',
    what: 'the same, behind an edge that says 502 meanwhile',
    box: { kind: 'http' },
    turns: [{ afterMs: 450, act: 'restart' }],
  },
  {
    name: 'clock-behind-5h',
    what: 'the clock of the member is 5 hours behind',
    box: { kind: 'tcp' },
    clockShiftMs: -18_000_000,
    names: ['E_NET_CLOCK'],
  },
  {
    name: 'clock-ahead-5h',
    what: 'the clock of the member is 5 hours ahead',
    box: { kind: 'tcp' },
    clockShiftMs: 18_000_000,
    names: ['E_NET_CLOCK'],
  },
]

const namespaces: readonly Scenario[] = [
  {
    name: 'loss-3-percent',
    what: 'three packets in a hundred are lost, each way',
    box: {
      kind: 'namespace',
      nft: ['IN numgen random mod 100 < 3 drop', 'OUT numgen random mod 100 < 3 drop'],
    },
    everyMs: 200,
  },
  {
    name: 'loss-10-percent',
    what: 'one packet in ten is lost, each way',
    box: {
      kind: 'namespace',
      nft: ['IN numgen random mod 100 < 10 drop', 'OUT numgen random mod 100 < 10 drop'],
    },
    everyMs: 300,
  },
  { name: 'rate-256kbit', what: '256 kbit/s through one bucket', box: { kind: 'namespace', nft: [], rate: '256kbit' } },
  {
    name: 'packets-dropped-then-free',
    what: 'not one packet passes for 5 s',
    box: { kind: 'namespace', nft: [] },
    turns: [
      { afterMs: 500, nft: ['IN drop', 'OUT drop'] },
      { afterMs: 5_500, nft: [], heals: true },
    ],
  },
  {
    name: 'packets-reset-then-free',
    what: 'every packet is answered with a reset for 4 s',
    box: { kind: 'namespace', nft: [] },
    turns: [
      { afterMs: 500, nft: ['IN meta l4proto tcp reject with tcp reset'] },
      { afterMs: 4_500, nft: [], heals: true },
    ],
  },
  {
    name: 'quota-40kB-then-free',
    what: 'after 40 kB nothing passes, until the quota is lifted 6 s later',
    box: { kind: 'namespace', nft: ['OUT quota over 40 kbytes drop'] },
    turns: [{ afterMs: 6_000, nft: [], heals: true }],
    count: 15,
    everyMs: 300,
  },
]

const wires: readonly Scenario[] = [
  {
    name: 'packets-100ms-1-percent',
    what: '100 ms round trip, and one packet in a hundred is lost, each way',
    box: { kind: 'packets', delayMs: 50, loss: 0.01 },
    everyMs: 200,
  },
  {
    name: 'packets-reordered',
    what: 'one packet in ten is overtaken, one in fifty comes twice',
    box: { kind: 'packets', delayMs: 40, jitterMs: 4, reordered: 0.1, doubled: 0.02 },
    everyMs: 200,
  },
  {
    name: 'packets-slow',
    what: '20 kB/s with a short queue, 200 ms round trip',
    box: { kind: 'packets', delayMs: 100, bytesPerSecond: 20_000 },
    count: 6,
    everyMs: 800,
  },
  {
    name: 'packets-gone-then-free',
    what: 'on a wire of 100 ms no packet passes for 4 s',
    box: { kind: 'packets', delayMs: 50 },
    turns: [
      { afterMs: 500, packets: { loss: 1 } },
      { afterMs: 4_500, packets: { delayMs: 50 }, heals: true },
    ],
    names: ['E_PATH_TIMEOUT'],
  },
]

export const scenarios: readonly Scenario[] = [
  ...calm,
  ...cuts,
  ...edges,
  ...proxies,
  ...machines,
  ...namespaces,
  ...wires,
]
