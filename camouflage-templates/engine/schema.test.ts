/** What the file format refuses. */
import test from 'ava'
import type { Bad } from '../refusal-support.ts'
import { bases, checkRefusal, refusalOf } from '../refusal-support.ts'
import { TemplateLimits } from './limits.ts'
import { TemplateError } from './template-error.ts'

const plain = 'plain YAML without anchors, aliases and tags'
const kinds = 'one of the keys number, run, oneOf, token, payload, jwe'

const bad: Record<string, Bad> = {
  'not YAML': {
    from: 'id: support-chat',
    to: 'id: [support-chat',
    line: 'version: 1',
    path: '',
    expected: 'valid YAML',
  },
  'an anchor': { from: 'page:\n', to: 'page: &a\n', line: '  path: /', path: '', expected: plain },
  'a tag': { from: 'id: support-chat', to: 'id: !!str support-chat', path: '', expected: plain },
  'a key that is a list': {
    from: 'version: 1',
    to: 'version: 1\n[1, 2]: 3',
    line: '[1, 2]',
    path: '',
    expected: plain,
  },
  'a key twice': {
    from: 'version: 1',
    to: 'version: 1\nversion: 2',
    line: 'version: 2',
    path: '',
    expected: 'valid YAML',
  },
  'another format': { from: 'format: 1', to: 'format: 2', path: 'format', expected: '1' },
  'an unknown key': {
    from: 'version: 1',
    to: 'version: 1\nscript: alert',
    line: 'script',
    path: 'script',
    expected: 'no such key',
  },
  'a missing key': { from: 'version: 1\n', to: '', line: 'format', path: 'version', expected: 'the key "version"' },
  'a bad id': {
    from: 'id: support-chat',
    to: 'id: ../x',
    path: 'id',
    expected: 'a name of 2 to 32 small letters, digits and hyphens',
  },
  'an unknown family': {
    from: 'family: node',
    to: 'family: safari',
    path: 'family',
    expected: 'node, chromium or firefox',
  },
  'a hold that no edge allows': {
    from: '[6000, 8000]',
    to: '[6000, 900000]',
    path: 'rhythm.holdMs.1',
    expected: 'a whole number from 1000 to 120000',
  },
  'think time that nobody has': {
    from: '  polls: 1\n',
    to: '  polls: 1\n  thinkMs: [0, 10001]\n',
    line: '  thinkMs',
    path: 'rhythm.thinkMs.1',
    expected: 'a whole number from 0 to 10000',
  },
  'bursts without an end': {
    from: '  polls: 1\n',
    to: '  polls: 1\n  burst: { exchanges: 17, gapMs: [0, 1] }\n',
    line: '  burst',
    path: 'rhythm.burst.exchanges',
    expected: 'a whole number from 1 to 16',
  },
  'rests in which a session is forgotten': {
    from: '  polls: 1\n',
    to: '  polls: 1\n  idle: { afterMs: 60000, restMs: [0, 1], factor: 2, mostMs: 600001 }\n',
    line: '  idle',
    path: 'rhythm.idle.mostMs',
    expected: 'a whole number from 1000 to 600000',
  },
  'rests that explode': {
    from: '  polls: 1\n',
    to: '  polls: 1\n  idle: { afterMs: 60000, restMs: [0, 1], factor: 5, mostMs: 60000 }\n',
    line: '  idle',
    path: 'rhythm.idle.factor',
    expected: 'a number from 1 to 4',
  },
  'cover that eats a data plan': {
    from: '  polls: 1\n',
    to: '  polls: 1\n  cover: { mode: constant, everyMs: [999, 2000], bytes: 700 }\n',
    line: '  cover',
    path: 'rhythm.cover.everyMs.0',
    expected: 'a whole number from 1000 to 600000',
  },
  'adaptive cover without a tail': {
    from: '  polls: 1\n',
    to: '  polls: 1\n  cover: { mode: adaptive, everyMs: [2000, 2000], bytes: 700 }\n',
    line: '  cover',
    path: 'rhythm.cover',
    expected: 'a tail where cover is adaptive, and only there',
  },
  'cover of another kind': {
    from: '  polls: 1\n',
    to: '  polls: 1\n  cover: { mode: sometimes, everyMs: [2000, 2000], bytes: 700 }\n',
    line: '  cover',
    path: 'rhythm.cover.mode',
    expected: 'off, adaptive or constant',
  },
  'a range upside down': {
    from: '[6000, 8000]',
    to: '[8000, 6000]',
    path: 'rhythm.holdMs',
    expected: 'a pair [from, to] in ascending order',
  },
  'more polls than exchanges': {
    from: 'polls: 1',
    to: 'polls: 4',
    line: 'rhythm:',
    path: 'rhythm',
    expected: 'no more polls than concurrent exchanges',
  },
  'a hole of no kind': { from: '{ token: base64 }', to: '{ regex: a+ }', path: 'holes.cursor', expected: kinds },
  'a hole of two kinds': {
    from: '{ token: base64 }',
    to: '{ token: base64, payload: hex }',
    path: 'holes.cursor',
    expected: kinds,
  },
  'an unknown encoding': {
    from: '{ token: base64 }',
    to: '{ token: base32 }',
    path: 'holes.cursor.token',
    expected: 'base64, base64url or hex',
  },
  'an unknown alphabet': {
    from: 'run: base36',
    to: 'run: emoji',
    path: 'holes.stamp.run',
    expected: 'digits, hex, base36 or base62',
  },
  'a run too long': {
    from: 'length: [7, 9]',
    to: 'length: [7, 129]',
    path: 'holes.stamp.length.1',
    expected: 'a whole number from 1 to 128',
  },
  'a method of its own': {
    from: 'method: POST',
    to: 'method: PUT',
    path: 'shapes.sync.request.method',
    expected: 'GET or POST',
  },
  'a path that is none': {
    from: 'path: /api',
    to: 'path: api',
    path: 'shapes.sync.request.path',
    expected: 'a path that starts with /',
  },
  'a header of two lines': {
    from: '- [accept, application/json]',
    to: '- [accept, "a\\r\\nb: c"]',
    path: 'shapes.sync.request.headers.0.1',
    expected: 'printable ASCII, at most 2048 characters',
  },
  'a header without a name': {
    from: '- [accept, application/json]',
    to: '- ["", a]',
    path: 'shapes.sync.request.headers.0.0',
    expected: 'a header name',
  },
  'classes out of order': {
    from: 'classes: [96, 384, 768]',
    to: 'classes: [96, 768, 384]',
    path: 'shapes.sync.request.classes',
    expected: 'lengths in ascending order',
  },
  'a class too small for a session': {
    from: 'classes: [96, 384, 768]',
    to: 'classes: [95, 384, 768]',
    path: 'shapes.sync.request.classes.0',
    expected: 'a whole number from 96 to 262144',
  },
  'a critical chunk': {
    base: 'gallery',
    from: 'type: pHYs',
    to: 'type: IDAT',
    path: 'shapes.photo.response.body.png.chunks.0.type',
    expected: 'the type of an ancillary chunk, e.g. pHYs',
  },
  'a status that tells': {
    from: 'status: 200',
    to: 'status: 233',
    path: 'shapes.sync.response.status',
    expected: '200, 201 or 202',
  },
  'two kinds of body': {
    from: '      body:\n',
    to: '      body:\n        raw: true\n',
    path: 'shapes.sync.request.body',
    expected: 'one of the keys text, raw, png, zip, segment, fmp4, ndjson, engineio, grpcWeb, multipart',
  },
}

for (const [name, each] of Object.entries(bad)) {
  test(`refused: ${name}`, (t) => checkRefusal(t, each))
}

test('the bases are sound', (t) => {
  for (const text of Object.values(bases)) t.is(refusalOf(text), undefined)
})

test('refused: what is no template at all', (t) => {
  const hostile = [
    '',
    'null',
    '[]',
    '1',
    '--- a\n--- b',
    '\0',
    '\ufeff\u0000',
    '['.repeat(60_000),
    '{a: '.repeat(15_000),
    '- '.repeat(30_000),
    `a: &a [x]\nb: &b [${'*a,'.repeat(9)}*a]\nc: [${'*b,'.repeat(9)}*b]`,
    '__proto__: { format: 1 }',
    `${bases.chat}\n# ${'a'.repeat(TemplateLimits.fileBytes)}`,
  ]
  for (const text of hostile) t.true(refusalOf(text) instanceof TemplateError, text.slice(0, 20))
})

const list = (count: number, item: (index: number) => string): string =>
  Array.from({ length: count }, (_, at) => item(at)).join('')

/** Something too many of each. */
const crowded: [path: string, from: string, to: string][] = [
  ['holes', 'holes:\n', `holes:\n${list(TemplateLimits.holes, (at) => `  h${at}: { number: [1, 2] }\n`)}`],
  [
    'shapes.sync.request.headers',
    '      headers:\n',
    `      headers:\n${list(TemplateLimits.headers, (at) => `        - [x-${at}, a]\n`)}`,
  ],
  [
    'shapes.sync.request.query',
    '      query:\n',
    `      query:\n${list(TemplateLimits.parameters, (at) => `        - [x${at}, a]\n`)}`,
  ],
  ['shapes.sync.request.classes', '[96, 384, 768]', `[${list(TemplateLimits.classes + 1, (at) => `${100 + at},`)}]`],
  ['holes.typing.oneOf', '["false", "false", ', `[${list(TemplateLimits.choices, (at) => `a${at},`)}`],
  ['shapes.sync.request.body.text', '"rtt":{{rtt}}', `"rtt":[${list(TemplateLimits.pieces, () => '{{rtt}},')}1]`],
  ['shapes.sync.request.body.text', '"rtt":{{rtt}}', `"rtt":"${'a'.repeat(TemplateLimits.documentLength)}"`],
  ['shapes', 'shapes:\n', `shapes:\n${list(TemplateLimits.shapes, (at) => shapeNamed(`s${at}`))}`],
]

function shapeNamed(name: string): string {
  const from = bases.chat.indexOf('  sync:\n')
  return bases.chat.slice(from, bases.chat.indexOf('\n\n', from) + 2).replace('sync:', `${name}:`)
}

test('refused: more of anything than the limits say', (t) => {
  for (const [path, from, to] of crowded) {
    t.true(bases.chat.includes(from), path)
    t.is(refusalOf(bases.chat.replace(from, to))?.path, path)
  }
})
