import test from 'ava'
import fc from 'fast-check'
import { DialLimits } from './limits.ts'
import type { ExchangeOptions, ExchangeRequest } from './permit.ts'
import { decideRequest } from './request.ts'

const endpoint = { host: 'g.example.org', port: 443 }
const get: ExchangeRequest = { method: 'GET', target: '/', headers: [], body: undefined }
const post: ExchangeRequest = { method: 'POST', target: '/', headers: [], body: new Uint8Array(3) }
const decide = (request: object, options: object = {}) =>
  decideRequest(endpoint, { ...get, ...request } as ExchangeRequest, { timeoutMs: 1000, ...options } as ExchangeOptions)
const withHeader = (name: string, value: string, request = get) => decide({ ...request, headers: [[name, value]] })

test('ordinary requests pass', (t) => {
  t.is(decide({}), undefined)
  t.is(decide(post), undefined)
  t.is(decide({ ...post, body: undefined }), undefined)
  t.is(decide({ target: '/a/b.json?q=%20&r=~1' }), undefined)
  t.is(withHeader('Accept', 'text/html, */*;q=0.8'), undefined)
  t.is(withHeader('Host', 'G.example.org'), undefined)
  t.is(withHeader('Connection', 'keep-alive'), undefined)
  t.is(withHeader('Content-Length', '3', post), undefined)
})

test('a request names no other host', (t) => {
  for (const host of ['evil.example', 'g.example.org:444', 'g.example.org.', '', 'g.example.org@evil.example']) {
    t.is(withHeader('host', host), 'other-host', host)
  }
  t.is(
    decide({
      headers: [
        ['host', 'g.example.org'],
        ['Host', 'g.example.org'],
      ],
    }),
    'bad-header',
  )
  for (const target of ['https://evil.example/', 'evil.example:443', '*', '', 'x', '\\\\evil.example\\']) {
    t.is(decide({ target }), 'bad-target', target)
  }
})

test('nothing ends a line before its time', (t) => {
  for (const bad of ['\r', '\n', '\r\nhost: evil.example', '\0', 'é', '\u2028', '\x7f']) {
    t.is(decide({ target: `/a${bad}` }), 'bad-target')
    t.is(withHeader('x-a', `b${bad}`), 'bad-header')
    t.is(withHeader(`x-a${bad}`, 'b'), 'bad-header')
  }
  for (const name of ['', 'a b', 'a:', 'a\t', '(a)']) t.is(withHeader(name, 'b'), 'bad-header')
  for (const target of ['/a b', '/a#b']) t.is(decide({ target }), 'bad-target', target)
})

test('whatever passes is one line of visible characters, and every such line passes', (t) => {
  const visible = fc.string({ unit: 'grapheme-ascii', maxLength: 30 })
  const text = fc
    .tuple(visible, fc.constantFrom('', '', '', '\r', '\n', '\0', '\t', 'é', ' '), visible)
    .map((parts) => parts.join(''))
  const line = fc.property(text, (value) => {
    t.is(withHeader('x-a', value) === undefined, /^[\t\x20-\x7e]*$/.test(value))
    t.is(withHeader(`x-${value}`, '') === undefined, /^[\w!#$%&'*+.^`|~-]*$/.test(value))
    t.is(decide({ target: `/${value}` }) === undefined, /^[\x21\x22\x24-\x7e]*$/.test(value))
  })
  fc.assert(line, { numRuns: process.env.SOTTO_LONG ? 100_000 : 500 })
})

test('framing and connection belong to the dialer', (t) => {
  for (const name of ['Transfer-Encoding', 'TE', 'Upgrade', 'Expect', 'Keep-Alive', 'Proxy-Authorization', 'Trailer']) {
    t.is(withHeader(name, 'x'), 'bad-header', name)
  }
  t.is(withHeader('connection', 'close'), 'bad-header')
  t.is(withHeader('connection', 'upgrade'), 'bad-header')
  t.is(withHeader('content-length', '2', post), 'bad-length')
  t.is(withHeader('content-length', '3 ', post), 'bad-length')
  t.is(withHeader('content-length', '1'), 'bad-length')
})

test('methods', (t) => {
  for (const method of ['HEAD', 'PUT', 'CONNECT', 'OPTIONS', 'get', 'GET /']) t.is(decide({ method }), 'bad-method')
  t.is(decide({ ...post, method: 'GET' }), 'bad-method')
})

test('DialLimits of a request, each side of the bound', (t) => {
  const { targetBytes, headers, headerBytes, requestBytes, timeoutMs } = DialLimits
  t.is(decide({ target: `/${'a'.repeat(targetBytes - 1)}` }), undefined)
  t.is(decide({ target: `/${'a'.repeat(targetBytes)}` }), 'bad-target')
  const fields = (count: number) => Array.from({ length: count }, (_, i) => [`x-${i}`, ''])
  t.is(decide({ headers: fields(headers) }), undefined)
  t.is(decide({ headers: fields(headers + 1) }), 'bad-header')
  t.is(withHeader('x', 'a'.repeat(headerBytes - 1)), undefined)
  t.is(withHeader('x', 'a'.repeat(headerBytes)), 'bad-header')
  t.is(decide({ ...post, body: new Uint8Array(requestBytes) }), undefined)
  t.is(decide({ ...post, body: new Uint8Array(requestBytes + 1) }), 'bad-length')
  t.is(decide({}, { timeoutMs }), undefined)
  for (const bad of [timeoutMs + 1, 0, -1, Number.NaN]) t.is(decide({}, { timeoutMs: bad }), 'bad-timeout')
})

test('names of connections', (t) => {
  t.is(decide({}, { connection: 'poll-1' }), undefined)
  for (const connection of ['', 'a'.repeat(33), 'a b', '../x']) t.is(decide({}, { connection }), 'bad-connection')
})
