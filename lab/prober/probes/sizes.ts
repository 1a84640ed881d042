/** Too much of everything, and too little; too slow, and broken off. */
import type { Probe } from '../probe.ts'
import { head, http1 } from '../probe.ts'
import { features, messages, picture, sync, unknownToken, uploads } from './places.ts'

const upload = `${uploads}?s=${unknownToken}`
/** Long enough to see what a server does whose patience is two seconds. */
const PATIENT_MS = 4_500
const patient = (probe: Probe): Probe => ({ ...probe, silence: PATIENT_MS })

const queries = [1_000, 4_000, 7_000, 8_100, 8_200, 16_000, 40_000]
const values = [1_000, 7_000, 8_150, 8_250, 16_000, 31_000, 40_000]

export const sizeProbes: readonly Probe[] = [
  ...queries.map((size) => http1('size', `query of ${size}`, head('GET', `${features}?context=${'A'.repeat(size)}`))),
  ...values.map((size) => http1('size', `header of ${size}`, head('GET', features, [`X-Long: ${'A'.repeat(size)}`]))),
  http1('size', 'four headers of 7,500', head('GET', features, Array(4).fill(`X-Long: ${'A'.repeat(7_500)}`))),
  http1(
    'size',
    'three headers of 7,500, posted',
    head('POST', messages, [...Array(3).fill(`X-Long: ${'A'.repeat(7_500)}`), 'Content-Length: 0']),
  ),
  http1(
    'size',
    'a hundred headers',
    head(
      'GET',
      features,
      Array.from({ length: 100 }, (_, i) => `X-H-${i}: ${i}`),
    ),
  ),
  http1(
    'size',
    'two thousand headers',
    head(
      'GET',
      features,
      Array.from({ length: 2_000 }, (_, i) => `X-${i}: ${i}`),
    ),
  ),
  http1('size', 'long path', head('GET', `/api/features/${'a'.repeat(5_000)}`)),
  http1('size', 'many segments', head('GET', `/api/features/${'a/'.repeat(500)}`)),
  http1('size', 'many steps up', head('GET', `/api/features/${'a/../'.repeat(200)}desktop.json`)),
  http1('size', 'long method', head('A'.repeat(9_000), features)),
  http1('size', 'long name of a header', head('GET', features, [`X${'a'.repeat(9_000)}: 1`])),
]

export const slowProbes: readonly Probe[] = [
  http1('slow', 'head in two parts', head('GET', features).slice(0, 30), 300, head('GET', features).slice(30)),
  http1('slow', 'head octet by octet', ...[...head('GET', features)].flatMap((one) => [one, 2])),
  http1('slow', 'post, head and body apart', head('POST', messages, ['Content-Length: 2']), 500, '{}'),
  http1('slow', 'upload, head and body apart', head('POST', upload, ['Content-Length: 2']), 500, '{}'),
  patient(http1('slow', 'nothing is said')),
  patient(http1('slow', 'head without its end', `GET ${features} HTTP/1.1\r\nHost: localhost\r\n`)),
  patient(http1('slow', 'line without its end', `GET ${features}`)),
  patient(http1('slow', 'message without its body', head('POST', messages, ['Content-Length: 100']))),
  patient(
    http1('slow', 'message with half of its body', `${head('POST', messages, ['Content-Length: 100'])}{"cursor":"`),
  ),
  patient(
    http1('slow', 'poll with half of its body', `${head('POST', sync, ['Content-Length: 9000'])}${'x'.repeat(4_500)}`),
  ),
  patient(http1('slow', 'upload without its body', head('POST', upload, ['Content-Length: 100']))),
  patient(http1('slow', 'upload with half of its body', `${head('POST', upload, ['Content-Length: 100'])}a=1`)),
  patient(http1('slow', 'chunk without its end', `${head('POST', messages, ['Transfer-Encoding: chunked'])}10\r\nabc`)),
  patient(
    http1('slow', 'chunks without an end', `${head('POST', messages, ['Transfer-Encoding: chunked'])}3\r\nabc\r\n`),
  ),
  patient(http1('slow', 'silent after an answer', head('GET', features, ['Connection: keep-alive']))),
  patient(
    http1(
      'slow',
      'silent after a post',
      `${head('POST', messages, ['Connection: keep-alive', 'Content-Length: 2'])}{}`,
    ),
  ),
  patient(http1('slow', 'silent after a picture', head('GET', picture, ['Connection: keep-alive']))),
]

export const brokenProbes: readonly Probe[] = [
  http1('broken off', 'after nothing', 'end'),
  http1('broken off', 'after half a line', 'GET /api/fea', 'end'),
  http1('broken off', 'after half a head', `GET ${features} HTTP/1.1\r\nHost: loc`, 'end'),
  http1('broken off', 'after the head of a post', head('POST', messages, ['Content-Length: 100']), 'end'),
  http1('broken off', 'after half a message', `${head('POST', messages, ['Content-Length: 100'])}{"cursor"`, 'end'),
  http1('broken off', 'after half an upload', `${head('POST', upload, ['Content-Length: 100'])}a=1`, 'end'),
  http1(
    'broken off',
    'after half a chunk',
    `${head('POST', messages, ['Transfer-Encoding: chunked'])}10\r\nabc`,
    'end',
  ),
  http1('broken off', 'writing ended, whole request', head('GET', features), 'end'),
  http1('broken off', 'writing ended, whole message', `${head('POST', messages, ['Content-Length: 2'])}{}`, 'end'),
]
