/** Parts and conditions, on a file that stands under a path of a template, and on what is no file. */
import type { Probe } from '../probe.ts'
import { head, http1 } from '../probe.ts'
import { drawn, features, picture } from './places.ts'

const ranges = [
  ...[
    'bytes=0-0',
    'bytes=10-99',
    'bytes=-10',
    'bytes=10-',
    'bytes=0-9,20-29',
    'bytes=0-9,5-14',
    'bytes=99999999-',
    'bytes=-0',
  ],
  ...[
    'bytes=9-1',
    'bytes=a-b',
    'bytes=',
    'lines=1-2',
    'BYTES=0-9',
    'bytes=0-9, ,20-29',
    `bytes=${'0-0,'.repeat(20)}1-1`,
  ],
  ...['bytes=0-18446744073709551616'],
]

const conditions: readonly string[][] = [
  ['If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT'],
  ['If-Modified-Since: yesterday'],
  ['If-Unmodified-Since: Fri, 01 Jan 2100 00:00:00 GMT'],
  ['If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT'],
  ['If-Match: *'],
  ['If-Match: "0"'],
  ['If-None-Match: *'],
  ['If-None-Match: "0", W/"1"'],
  ['If-None-Match: nonsense'],
  ['If-Range: "0"', 'Range: bytes=0-9'],
  ['If-Range: Fri, 01 Jan 2100 00:00:00 GMT', 'Range: bytes=0-9'],
]

export const rangeProbes: readonly Probe[] = [
  ...ranges.map((range) => http1('range', `${range} of a picture`, head('GET', picture, [`Range: ${range}`]))),
  ...ranges.slice(0, 5).map((range) => http1('range', `${range} of no file`, head('GET', drawn, [`Range: ${range}`]))),
  http1('range', 'head of a part', head('HEAD', picture, ['Range: bytes=0-9'])),
  http1('range', 'of features', head('GET', features, ['Range: bytes=0-9'])),
  ...conditions.map((lines) => http1('condition', `${lines.join(', ')}, a picture`, head('GET', picture, lines))),
  ...conditions
    .slice(4, 8)
    .map((lines) => http1('condition', `${lines.join(', ')}, no file`, head('GET', features, lines))),
]
