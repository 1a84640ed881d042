import test from 'ava'
import { compileBuiltins } from '../builtin.ts'
import { compileFixture, nameOf, requestOf } from '../test-support.ts'
import { createMatcher } from './match.ts'

const originals = compileBuiltins('node')
const templates = [...originals, compileFixture(), compileFixture('containers')]
const matcher = createMatcher(templates)
const namesOf = (method: string, target: string): string[] => matcher.match(method, target).map(nameOf)

/** One path; what tells them apart stands behind it. */
const sharing = [
  ['graphql updates', 'graphql submit', 'graphql document'],
  ['socketio poll', 'websocket poll'],
  ['socketio post', 'websocket post'],
]

test('every request is matched to its own shape and to no other of another path', (t) => {
  for (const shape of templates.flatMap(({ shapes }) => shapes)) {
    const { method, target } = requestOf(shape, shape.up.max, 5)
    const expected = sharing.find((names) => names.includes(nameOf(shape))) ?? [nameOf(shape)]
    t.deepEqual(namesOf(method, target), expected)
    t.deepEqual(namesOf(method, target.split('?')[0]!), expected)
    // The endpoint of socket.io takes both methods.
    if (!['socketio', 'websocket'].includes(shape.template))
      t.deepEqual(namesOf(method === 'GET' ? 'POST' : 'GET', target), [])
    t.deepEqual(namesOf('HEAD', target), [])
  }
})

test('strangers are matched to nothing, by the same empty list', (t) => {
  const targets = [
    '',
    '/',
    '*',
    '?',
    '/photos',
    '/photos/',
    '/photos/harbour/IMG_2041.png/',
    '/photos/harbour/IMG_999.png',
    '/photos/harbour/IMG_10000.png',
    '/photos/harbour/IMG_0999.png',
    '/photos/harbour/img_2041.png',
    '/photos/harbour/IMG_2041.pngx',
    '/photos/nowhere/IMG_2041.png',
    '/photos//IMG_2041.png',
    '//photos/harbour/IMG_2041.png',
    'http://a.example/photos/harbour/IMG_2041.png',
    '/api/features/desktop.json#a',
    '/api/features/desktop.json/',
    '/api/features/desktop.json%3Fh=1',
    `/photos/harbour/IMG_2041.png?${'a'.repeat(3_000)}`,
  ]
  const none = matcher.match('GET', '/nothing')
  for (const target of targets) t.is(matcher.match('GET', target), none, target)
  t.is(none.length, 0)
  t.deepEqual(namesOf('GET', '/photos/city-walks/IMG_2041.png?anything'), ['gallery photo'])
})

test('a variant for another client has the paths of the template that it is one of, and both are named', (t) => {
  const all = createMatcher(compileBuiltins())
  const named = all.match('POST', '/api/support/v1/conversations/sync').map(nameOf)
  t.deepEqual(named, ['support-chat sync', 'support-chat-chromium sync'])
})

test('live templates that share a path are all named, those that do not cost no list', (t) => {
  const both = createMatcher([...templates, ...originals])
  t.is(both.match('GET', '/api/features/desktop.json').length, 2)
  t.is(matcher.match('GET', '/api/features/desktop.json'), matcher.match('GET', '/api/features/desktop.json?h=1'))
})
