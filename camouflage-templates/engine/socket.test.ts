/** The WebSocket of a template: what is refused, and what carries. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { fastEqual } from '#protocol/bytes.ts'
import { builtinFolder } from '../builtin.ts'
import { refusalOf } from '../refusal-support.ts'
import { lookup, receiveRequest, seeded } from '../test-support.ts'
import { compileTemplate } from './compile.ts'
import { loadTemplate } from './load.ts'
import { createSocketMatcher } from './match.ts'

const file = join(builtinFolder, 'websocket', 'template.yaml')
const text = readFileSync(file, 'utf8')
const template = compileTemplate(loadTemplate(text, file))
const socket = template.socket!
const inSocket = text.indexOf('\nsocket:')

/** Changed in the part about the socket alone. */
const changed = (from: string, to: string): string => {
  const at = text.indexOf(from, inSocket)
  if (at < 0) throw new Error(`there is no ${from}`)
  return text.slice(0, at) + to + text.slice(at + from.length)
}

const bad: readonly (readonly [what: string, from: string, to: string, path: string, expected: string])[] = [
  ['no event', '  event: sync\n', '', 'socket.event', 'the key "event"'],
  [
    'an event that is no name',
    'event: sync',
    'event: "a b"',
    'socket.event',
    'the name of an event, 1 to 64 letters, digits and _ : . -',
  ],
  [
    'an attachment above what a room takes',
    'bytes: 12288',
    'bytes: 20000',
    'socket.bytes',
    'a whole number from 256 to 16384',
  ],
  [
    'more attachments than ten',
    'bytes: 12288',
    'bytes: 8192',
    'socket.bytes',
    'attachments of which 10 hold the largest class and a token',
  ],
  ['classes that descend', 'up: [96, 384,', 'up: [384, 96,', 'socket.up', 'lengths in ascending order'],
  [
    'a hold that outlives the session',
    '[200000, 300000]',
    '[200000, 700000]',
    'socket.holdMs.1',
    'a whole number from 1000 to 600000',
  ],
  [
    'no token',
    '[device, "{{device}}"]',
    '[device, "x"]',
    'socket.request.path',
    '32 bits of variety in path and query, so that no cache answers',
  ],
  ['no payload', 'Bearer {{login}}', 'Bearer x', 'socket.request', 'a place for the payload'],
  [
    'a header of the handshake',
    '- [authorization, "Bearer {{login}}"]',
    '- [sec-websocket-key, "{{login}}"]',
    'socket.request.headers.0',
    'no sec-websocket-key, templates do not write it',
  ],
  [
    'a method of its own',
    '    path: /socket.io/',
    '    method: POST\n    path: /socket.io/',
    'socket.request.method',
    'no such key',
  ],
  ['an unknown key', '  event: sync', '  event: sync\n  script: x', 'socket.script', 'no such key'],
]

for (const [what, from, to, path, expected] of bad) {
  test(`refused: ${what}`, (t) => {
    const refusal = refusalOf(changed(from, to))
    t.is(refusal?.path, path)
    t.is(refusal?.expectation, expected)
    t.true((refusal?.line ?? 0) > text.slice(0, inSocket).split('\n').length)
  })
}

test('the request that asks is recognised and found by its path, and no other is', (t) => {
  const random = seeded(3)
  const [token, parcel] = [random(16), random(96)]
  const request = socket.upgrade.encodeRequest({ token, parcel, host: 'a.example', random })
  const read = receiveRequest(socket.upgrade, request)
  t.true(fastEqual(read.token as Uint8Array, token) && fastEqual(read.parcel!, parcel))
  const matcher = createSocketMatcher([template])
  t.deepEqual(matcher.match('GET', request.target), [socket])
  t.deepEqual(matcher.match('POST', request.target), [])
  t.deepEqual(matcher.match('GET', '/'), [])
  const poll = template.shape('poll').encodeRequest({ token, parcel, host: 'a.example', random })
  t.is(socket.upgrade.readToken(poll.target, lookup(poll.headers), undefined), undefined)
})

test('every class goes through both ways, in attachments that a room takes', (t) => {
  const random = seeded(4)
  const { messages } = socket
  for (const length of messages.up.classes) {
    const parcel = random(length)
    const { body } = messages.encodeRequest({ token: random(16), parcel, host: '', random })
    const attachments = socket.split(body!)
    t.true(attachments.every((each) => each.length <= 16_384))
    t.true(fastEqual(socket.join(attachments)!.subarray(16), parcel))
  }
  for (const length of messages.down.classes) {
    const { body, status } = messages.encodeResponse({ parcel: random(length), random })
    t.true(fastEqual(messages.decodeResponse({ status, header: () => undefined, body })!, body))
  }
  t.throws(() => messages.encodeRequest({ token: random(16), parcel: random(97), host: '', random }), {
    code: 'E_INTERNAL',
  })
  t.throws(() => messages.encodeResponse({ parcel: random(97), random }), { code: 'E_INTERNAL' })
  t.is(messages.decodeResponse({ status: 200, header: () => undefined, body: random(97) }), undefined)
})
