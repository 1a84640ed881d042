/** Bodies: of all kinds, sizes and manners of arrival. */
import type { Probe } from '../probe.ts'
import { head, http1, withBody } from '../probe.ts'
import { features, messages, picture, sync, unknownToken, uploads } from './places.ts'

const json = ['Content-Type: application/json']
const upload = `${uploads}?s=${unknownToken}`
const chunked = ['Transfer-Encoding: chunked']
const token = 'AAAAAAAAAAAAAAAAAAAAAA=='
const nearly = `{"cursor":"${token}","kind":"sealed","body":"${'A'.repeat(512)}","rtt":24}`

const contents: readonly (readonly [string, string])[] = [
  ['empty', ''],
  ['one octet', '{'],
  ['the template without secrets', nearly],
  ['the template, shorter', nearly.slice(0, 40)],
  ['the template, longer', `${nearly}\n`],
  ['another order', `{"kind":"sealed","cursor":"${token}","body":"AAAA","rtt":24}`],
  ['another token', `{"cursor":"${token.slice(1)}","kind":"sealed","body":"AAAA","rtt":24}`],
  ['not JSON', '<xml/>'],
  ['zeros', '\0'.repeat(300)],
  ['all octets', String.fromCharCode(...Array(256).keys())],
  ['4,096 octets', 'x'.repeat(4_096)],
  ['4,097 octets', 'x'.repeat(4_097)],
  ['16,385 octets', 'x'.repeat(16_385)],
  ['300,001 octets', 'x'.repeat(300_001)],
  ['700,000 octets', 'x'.repeat(700_000)],
]

export const bodyProbes: readonly Probe[] = [
  ...contents.flatMap(([name, body]) => [
    http1('body', `${name}, as a message`, withBody('POST', messages, body, json)),
    http1('body', `${name}, as an upload`, withBody('POST', upload, body)),
  ]),
  http1('body', 'to a picture', withBody('POST', picture, 'a=1')),
  http1('body', 'of a GET', withBody('GET', features, 'a=1')),
  http1('body', 'of a GET, chunked', `${head('GET', features, chunked)}3\r\na=1\r\n0\r\n\r\n`),
  http1('body', 'beyond the limit, stated', head('POST', messages, ['Content-Length: 1048577'])),
  http1('body', 'beyond the limit, to an upload', head('POST', upload, ['Content-Length: 1048577'])),
  http1('body', 'chunked message', `${head('POST', messages, [...json, ...chunked])}7\r\n{"a":1}\r\n0\r\n\r\n`),
  http1('body', 'chunked upload', `${head('POST', upload, chunked)}3\r\na=1\r\n0\r\n\r\n`),
  http1('body', 'chunked with trailers', `${head('POST', messages, chunked)}3\r\na=1\r\n0\r\nX-Sum: 1\r\n\r\n`),
  http1('body', 'chunked with extensions', `${head('POST', messages, chunked)}3;a="b"\r\na=1\r\n0;c\r\n\r\n`),
  http1('body', 'chunks of one octet', `${head('POST', sync, chunked)}${'1\r\nx\r\n'.repeat(300)}0\r\n\r\n`),
  http1('body', 'chunk sizes with zeros', `${head('POST', sync, chunked)}0003\r\na=1\r\n000\r\n\r\n`),
  http1('body', 'in two parts', head('POST', messages, [...json, 'Content-Length: 7']), 60, '{"a', 60, '":1}'),
  http1('body', 'in two parts, an upload', head('POST', upload, ['Content-Length: 7']), 60, '{"a', 60, '":1}'),
  http1(
    'body',
    'in seven parts',
    head('POST', sync, ['Content-Length: 7']),
    ...[...'{"a":1}'].flatMap((one) => [20, one]),
  ),
  http1(
    'body',
    'large, in two parts',
    head('POST', messages, ['Content-Length: 60000']),
    'x'.repeat(20_000),
    60,
    'x'.repeat(40_000),
  ),
  http1('body', 'form', withBody('POST', upload, 'a=1&b=2', ['Content-Type: application/x-www-form-urlencoded'])),
  http1(
    'body',
    'parts of a form',
    withBody('POST', upload, '--b\r\n\r\nx\r\n--b--\r\n', ['Content-Type: multipart/form-data; boundary=b']),
  ),
  http1('body', 'compressed, it says', withBody('POST', messages, 'xxxx', [...json, 'Content-Encoding: gzip'])),
]
