/** Every method that servers know, and some they do not. */
import type { Probe } from '../probe.ts'
import { head, http1 } from '../probe.ts'
import { features, messages, picture, uploads } from './places.ts'

const methods = [
  ...[
    'HEAD',
    'PUT',
    'DELETE',
    'OPTIONS',
    'PATCH',
    'TRACE',
    'CONNECT',
    'PROPFIND',
    'MKCOL',
    'LOCK',
    'M-SEARCH',
    'PURGE',
  ],
  ...['QUERY', 'BREW', 'get', 'Post', 'GET_IT', 'G-ET', 'PRI', 'X'.repeat(40)],
]
const places = [features, messages, uploads, picture]

export const methodProbes: readonly Probe[] = [
  ...methods.flatMap((method) =>
    places.map((path) => http1('method', `${method} ${path}`, head(method, path, ['Content-Length: 0']))),
  ),
  http1('method', 'GET where a form is posted', head('GET', uploads)),
  http1('method', 'GET where messages are posted', head('GET', messages)),
  http1('method', 'POST to what is fetched', head('POST', features, ['Content-Length: 0'])),
  http1('method', 'OPTIONS of everything', head('OPTIONS', '*')),
  http1(
    'method',
    'preflight',
    head('OPTIONS', messages, ['Origin: https://a.example', 'Access-Control-Request-Method: POST']),
  ),
  http1('method', 'none', head('', features)),
]
