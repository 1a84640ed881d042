/** HTTP/2: requests to the paths of templates, and frames as no program sends them. */
import { concat, u32 } from '#protocol/bytes.ts'
import type { Headers } from '../http2.ts'
import { Flag, FrameKind, frame, headerBlock, PREFACE, request, requestHeaders, SETTINGS, setting } from '../http2.ts'
import type { Probe, Step } from '../probe.ts'
import { octets } from '../probe.ts'
import { drawn, features, messages, picture, unknownToken, uploads } from './places.ts'

function http2(name: string, ...steps: readonly Step[]): Probe {
  return { group: 'h2', name, action: { kind: 'http2', steps, preface: true } }
}

const get = (path: string, more: Headers = []): Uint8Array => request(1, requestHeaders('GET', path, more))
const post = (path: string, body: string, more: Headers = []): Uint8Array =>
  request(1, requestHeaders('POST', path, more), octets(body))
const upload = `${uploads}?s=${unknownToken}`
const headers = (flags: number, stream: number, list: Headers): Uint8Array =>
  frame(FrameKind.headers, flags, stream, headerBlock(list))
const whole = Flag.endHeaders | Flag.endStream
const open = headers(Flag.endHeaders, 1, requestHeaders('POST', messages))
const follow = request(3, requestHeaders('GET', '/robots.txt'))

/** Requests that are taken back as soon as they are made. */
const reset = (count: number, method: string, path: string): Uint8Array[] =>
  Array.from({ length: count }, (_, i) => [
    headers(method === 'GET' ? whole : Flag.endHeaders, 2 * i + 1, requestHeaders(method, path)),
    frame(FrameKind.reset, 0, 2 * i + 1, u32(8)),
  ]).flat()

/** A body that takes its time. */
const drip = (path: string): Step[] => [
  headers(Flag.endHeaders, 1, requestHeaders('POST', path)),
  ...[...'{"cursor":"AAAA"}'].flatMap((one): Step[] => [10, frame(FrameKind.data, 0, 1, octets(one))]),
  frame(FrameKind.data, Flag.endStream, 1),
]

const requests: readonly Probe[] = [
  ...[
    '/',
    features,
    `${features}?h=${unknownToken}`,
    drawn,
    picture,
    '/photos',
    '/nothing',
    '/api/support/v1/status',
    '*',
    '',
  ].map((path) => http2(`GET ${path}`, get(path))),
  ...['HEAD', 'PUT', 'OPTIONS', 'DELETE', 'TRACE', 'CONNECT', 'BREW', 'get', ''].map((method) =>
    http2(`${method} ${features}`, request(1, requestHeaders(method, features))),
  ),
  ...[messages, upload, picture, features, '/'].flatMap((path) => [
    http2(`POST ${path}`, post(path, '{"a":1}', [['content-type', 'application/json']])),
    http2(`POST ${path}, stated length`, post(path, '{"a":1}', [['content-length', '7']])),
  ]),
  http2('POST of nothing', request(1, requestHeaders('POST', messages))),
  http2('POST of 60,000 octets', post(messages, 'x'.repeat(60_000))),
  http2('POST with too short a length', post(messages, '{"a":1}', [['content-length', '3']])),
  http2('POST with too long a length', post(messages, '{"a":1}', [['content-length', '30']])),
  http2('POST beyond the limit', post(messages, '', [['content-length', '1048577']])),
  http2('body apart from its head', open, 100, frame(FrameKind.data, Flag.endStream, 1, octets('{}'))),
  http2('body that does not come', open),
  http2('body reset', open, frame(FrameKind.reset, 0, 1, u32(8)), follow),
  http2('upload that does not come', headers(Flag.endHeaders, 1, requestHeaders('POST', upload))),
  http2('two at once', concat(get(features), follow)),
  http2(
    'twenty at once',
    concat(...Array.from({ length: 20 }, (_, i) => request(2 * i + 1, requestHeaders('GET', features)))),
  ),
  http2(
    'a hundred begun and reset at once',
    concat(...reset(100, 'GET', features)),
    request(201, requestHeaders('GET', '/robots.txt')),
  ),
  http2(
    'a hundred messages begun and reset at once',
    concat(...reset(100, 'POST', messages)),
    request(201, requestHeaders('GET', '/robots.txt')),
  ),
  http2('range of an application’s', get(features, [['range', 'bytes=0-3']])),
  http2('message of one octet a frame', ...drip(messages)),
  http2('upload of one octet a frame', ...drip(upload)),
  http2('range', get(picture, [['range', 'bytes=0-9']])),
  http2('condition', get(picture, [['if-none-match', '*']])),
  http2('expects to go on', get(features, [['expect', '100-continue']])),
  http2('header of one hop', get(features, [['connection', 'keep-alive']])),
  http2('transfer coding', get(features, [['transfer-encoding', 'chunked']])),
  http2('trailers announced', get(features, [['te', 'trailers']])),
  http2('other coding announced', get(features, [['te', 'gzip']])),
  http2('name in capital letters', get(features, [['X-Capital', '1']])),
  http2('empty name', get(features, [['', '1']])),
  http2('line end in a value', get(features, [['x-line', 'a\r\nb']])),
  http2('host beside authority', get(features, [['host', 'other.example']])),
  http2('redirect of one’s own', get(features, [['x-accel-redirect', '/index.html']])),
  http2('header of 7,000', get(features, [['x-long', 'A'.repeat(7_000)]])),
  http2('header of 15,000', get(features, [['x-long', 'A'.repeat(15_000)]])),
  http2('query of 9,000', get(`${features}?context=${'A'.repeat(9_000)}`)),
  http2(
    'cookies in pieces',
    get(features, [
      ['cookie', 'a=b'],
      ['cookie', 'c=d'],
    ]),
  ),
]

const pseudo: readonly (readonly [string, Headers])[] = [
  [
    'no method',
    [
      [':scheme', 'https'],
      [':authority', 'localhost'],
      [':path', features],
    ],
  ],
  [
    'no path',
    [
      [':method', 'GET'],
      [':scheme', 'https'],
      [':authority', 'localhost'],
    ],
  ],
  [
    'no scheme',
    [
      [':method', 'GET'],
      [':authority', 'localhost'],
      [':path', features],
    ],
  ],
  [
    'no authority',
    [
      [':method', 'GET'],
      [':scheme', 'https'],
      [':path', features],
    ],
  ],
  ['two paths', [...requestHeaders('GET', features), [':path', '/']]],
  ['unknown pseudo-header', [...requestHeaders('GET', features), [':protocol', 'websocket']]],
  [
    'pseudo-header last',
    [
      [':method', 'GET'],
      ['x-first', '1'],
      [':scheme', 'https'],
      [':authority', 'localhost'],
      [':path', features],
    ],
  ],
  [
    'scheme http',
    [
      [':method', 'GET'],
      [':scheme', 'http'],
      [':authority', 'localhost'],
      [':path', features],
    ],
  ],
  [
    'other authority',
    [
      [':method', 'GET'],
      [':scheme', 'https'],
      [':authority', 'other.example'],
      [':path', features],
    ],
  ],
  [
    'another order',
    [
      [':path', features],
      [':authority', 'localhost'],
      [':method', 'GET'],
      [':scheme', 'https'],
    ],
  ],
]

const block = headerBlock(requestHeaders('GET', features))
const frames: readonly Probe[] = [
  ...pseudo.map(([name, list]) => http2(name, headers(whole, 1, list))),
  http2('nothing but the preface'),
  http2('ping', frame(FrameKind.ping, 0, 0, octets('12345678'))),
  http2('ping of seven octets', frame(FrameKind.ping, 0, 0, octets('1234567'))),
  http2('ping on a stream', frame(FrameKind.ping, 0, 1, octets('12345678'))),
  http2('unknown frame', concat(frame(0x4f, 0, 0, octets('what')), get(features))),
  http2('unknown frame within headers', concat(frame(FrameKind.headers, Flag.endStream, 1, block), frame(0x4f, 0, 1))),
  http2('settings acknowledged with content', frame(FrameKind.settings, Flag.ack, 0, setting(3, 1))),
  http2('settings of five octets', frame(FrameKind.settings, 0, 0, octets('12345'))),
  http2('settings on a stream', frame(FrameKind.settings, 0, 1, setting(3, 1))),
  http2('unknown setting', concat(frame(FrameKind.settings, 0, 0, setting(0x4f, 1)), get(features))),
  http2('window of a stream too large', frame(FrameKind.settings, 0, 0, setting(4, 0x80000000))),
  http2('window of nothing', concat(frame(FrameKind.settings, 0, 0, setting(4, 0)), get(features))),
  http2('frames of nothing', frame(FrameKind.settings, 0, 0, setting(5, 0))),
  http2('no table of headers', concat(frame(FrameKind.settings, 0, 0, setting(1, 0)), get(features))),
  http2('push wanted twice', frame(FrameKind.settings, 0, 0, setting(2, 2))),
  http2('push from a client', frame(FrameKind.push, Flag.endHeaders, 1, concat(u32(2), block))),
  http2('window grows by nothing', frame(FrameKind.window, 0, 0, u32(0))),
  http2(
    'window grows too far',
    concat(frame(FrameKind.window, 0, 0, u32(0x7fffffff)), frame(FrameKind.window, 0, 0, u32(0x7fffffff))),
  ),
  http2('window of an idle stream', frame(FrameKind.window, 0, 1, u32(1))),
  http2('data on an idle stream', frame(FrameKind.data, 0, 1, octets('x'))),
  http2('data on no stream', frame(FrameKind.data, 0, 0, octets('x'))),
  http2('data after the end', concat(get(features), frame(FrameKind.data, 0, 1, octets('x')))),
  http2(
    'data with too much padding',
    concat(open, frame(FrameKind.data, Flag.padded | Flag.endStream, 1, octets('\x05ab'))),
  ),
  http2(
    'data with padding',
    concat(open, frame(FrameKind.data, Flag.padded | Flag.endStream, 1, octets('\x02{}\0\0'))),
  ),
  http2(
    'empty data, many times',
    concat(open, ...Array(50).fill(frame(FrameKind.data, 0, 1)), frame(FrameKind.data, Flag.endStream, 1)),
  ),
  http2('headers on an even stream', headers(whole, 2, requestHeaders('GET', features))),
  http2('headers on no stream', headers(whole, 0, requestHeaders('GET', features))),
  http2('headers with a lower number', concat(request(5, requestHeaders('GET', features)), get('/'))),
  http2('headers twice', concat(open, open)),
  http2(
    'headers in pieces',
    concat(
      frame(FrameKind.headers, Flag.endStream, 1, block.subarray(0, 20)),
      frame(FrameKind.continuation, Flag.endHeaders, 1, block.subarray(20)),
    ),
  ),
  http2('headers without their end', frame(FrameKind.headers, Flag.endStream, 1, block)),
  http2(
    'continuation of another stream',
    concat(
      frame(FrameKind.headers, Flag.endStream, 1, block.subarray(0, 20)),
      frame(FrameKind.continuation, Flag.endHeaders, 3, block.subarray(20)),
    ),
  ),
  http2('continuation of nothing', frame(FrameKind.continuation, Flag.endHeaders, 1, block)),
  http2(
    'headers with a priority',
    frame(FrameKind.headers, whole | Flag.priority, 1, concat(u32(0x80000000), Uint8Array.of(255), block)),
  ),
  http2(
    'headers that depend on themselves',
    frame(FrameKind.headers, whole | Flag.priority, 1, concat(u32(1), Uint8Array.of(16), block)),
  ),
  http2(
    'headers with padding',
    frame(FrameKind.headers, whole | Flag.padded, 1, concat(Uint8Array.of(3), block, octets('\0\0\0'))),
  ),
  http2('block that is none', frame(FrameKind.headers, whole, 1, octets('\xff\xff\xff\xff\xff'))),
  http2('index beyond the table', frame(FrameKind.headers, whole, 1, octets('\xfe'))),
  http2('index of nothing', frame(FrameKind.headers, whole, 1, octets('\x80'))),
  http2('table grown too far', frame(FrameKind.headers, whole, 1, concat(octets('\x3f\xff\xff\x01'), block))),
  http2('trailers', concat(open, frame(FrameKind.data, 0, 1, octets('{}')), headers(whole, 1, [['x-sum', '1']]))),
  http2('trailers that end nothing', concat(open, headers(Flag.endHeaders, 1, [['x-sum', '1']]))),
  http2('priority of itself', frame(FrameKind.priority, 0, 1, concat(u32(1), Uint8Array.of(1)))),
  http2('reset of an idle stream', frame(FrameKind.reset, 0, 1, u32(8))),
  http2('reset of three octets', concat(open, frame(FrameKind.reset, 0, 1, octets('abc')))),
  http2('goaway, then a request', concat(frame(FrameKind.goaway, 0, 0, concat(u32(0), u32(0))), get(features))),
  http2('frame too large', frame(FrameKind.data, 0, 1, octets('x'), 16_385)),
  http2('frame without its end', frame(FrameKind.headers, whole, 1, block, block.length + 10)),
  http2('connection ended', get(features), 300, 'end'),
]

function bare(name: string, content: Uint8Array): Probe {
  return { group: 'h2', name, action: { kind: 'http2', steps: [content], preface: false } }
}

export const http2Probes: readonly Probe[] = [
  ...requests,
  ...frames,
  bare('no preface', concat(SETTINGS, get(features))),
  bare('half a preface', PREFACE.subarray(0, 12)),
  bare('preface twice', concat(PREFACE, SETTINGS, PREFACE)),
  bare('preface without settings', concat(PREFACE, get(features))),
  bare('wrong preface', octets('PRI * HTTP/2.1\r\n\r\nSM\r\n\r\n')),
  bare('HTTP/1.1 instead', octets(`GET ${features} HTTP/1.1\r\nHost: localhost\r\n\r\n`)),
  bare('zeros', new Uint8Array(40)),
]
