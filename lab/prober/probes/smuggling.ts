/** Requests that two parsers in a row could understand differently, and the follow-up that would show it. */
import type { Probe } from '../probe.ts'
import { head, http1 } from '../probe.ts'
import { features, messages, unknownToken, uploads } from './places.ts'

const keep = 'Connection: keep-alive'
const follow = head('GET', '/robots.txt')
const inner = `GET ${features}?h=${unknownToken} HTTP/1.1\r\nHost: localhost\r\n\r\n`

const framings: readonly (readonly [string, readonly string[], string])[] = [
  ['length and chunks', ['Content-Length: 6', 'Transfer-Encoding: chunked'], '0\r\n\r\nX'],
  ['chunks and length', ['Transfer-Encoding: chunked', 'Content-Length: 6'], '0\r\n\r\nX'],
  ['two lengths', ['Content-Length: 2', 'Content-Length: 3'], '{}x'],
  ['the same length twice', ['Content-Length: 2', 'Content-Length: 2'], '{}'],
  ['a list of lengths', ['Content-Length: 2, 2'], '{}'],
  ['signed length', ['Content-Length: +2'], '{}'],
  ['negative length', ['Content-Length: -1'], '{}'],
  ['hexadecimal length', ['Content-Length: 0x2'], '{}'],
  ['length with zeros', ['Content-Length: 0002'], '{}'],
  ['length with a space inside', ['Content-Length: 1 0'], '{}12345678'],
  ['enormous length', ['Content-Length: 99999999999999999999'], '{}'],
  ['empty length', ['Content-Length:'], ''],
  ['length with a space before its colon', ['Content-Length : 2'], '{}'],
  ['length on a folded line', ['Content-Length:', ' 2'], '{}'],
  ['chunked, capital letters', ['Transfer-Encoding: CHUNKED'], '0\r\n\r\n'],
  ['chunked in a list', ['Transfer-Encoding: gzip, chunked'], '0\r\n\r\n'],
  ['chunked twice', ['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'], '0\r\n\r\n'],
  ['chunked and identity', ['Transfer-Encoding: chunked, identity'], '0\r\n\r\n'],
  ['unknown coding', ['Transfer-Encoding: xchunked'], '0\r\n\r\n'],
  ['chunked with a tab', ['Transfer-Encoding:\tchunked'], '0\r\n\r\n'],
  ['chunked after a vertical tab', ['Transfer-Encoding: \x0bchunked'], '0\r\n\r\n'],
  ['chunked with a space before its colon', ['Transfer-Encoding : chunked'], '0\r\n\r\n'],
  ['chunk size is no number', ['Transfer-Encoding: chunked'], 'zz\r\n{}\r\n0\r\n\r\n'],
  ['chunk size is negative', ['Transfer-Encoding: chunked'], '-2\r\n{}\r\n0\r\n\r\n'],
  ['chunk size is enormous', ['Transfer-Encoding: chunked'], 'fffffffffffffffff\r\n{}\r\n0\r\n\r\n'],
  ['chunk longer than its size', ['Transfer-Encoding: chunked'], '2\r\n{}{}\r\n0\r\n\r\n'],
  ['chunks ended by bare line feeds', ['Transfer-Encoding: chunked'], '2\n{}\n0\n\n'],
  ['a request inside the body', [`Content-Length: ${inner.length}`], inner],
  ['a request behind the last chunk', ['Transfer-Encoding: chunked'], `0\r\n\r\n${inner}`],
]

export const smugglingProbes: readonly Probe[] = [
  ...framings.flatMap(([name, lines, body]) => [
    http1('smuggling', `${name}, messages`, head('POST', messages, [keep, ...lines]) + body + follow),
    http1(
      'smuggling',
      `${name}, uploads`,
      head('POST', `${uploads}?s=${unknownToken}`, [keep, ...lines]) + body + follow,
    ),
  ]),
  http1('smuggling', 'three in a row', head('GET', features, [keep]) + head('GET', '/', [keep]) + follow),
  http1('smuggling', 'posts in a row', `${head('POST', messages, [keep, 'Content-Length: 2'])}{}`.repeat(3) + follow),
  http1('smuggling', 'a hundred in a row', head('GET', features, [keep]).repeat(99) + follow),
]
