import test from 'ava'
import fc from 'fast-check'
import { sanitize } from './sanitize.ts'

test('escape sequences, bells and direction marks lose their power', (t) => {
  t.is(sanitize('a\u001b[2Jb\u0007\u009b31mc\u202ed'), 'a�[2Jb��31mc�d')
  t.is(sanitize('a\u200fb\u061cc\u2067d'), 'a�b�c�d')
  t.is(sanitize('one\ntwo\rthree'), 'one�two�three')
  t.is(sanitize('one\ntwo\rthree', true), 'one\ntwo�three')
})

test('ordinary text of any script stays as it is', (t) => {
  for (const text of ['Grüße', 'привет', 'سلام', '你好', '👩‍👩‍👧']) t.is(sanitize(text), text)
})

test('nothing a terminal would obey ever comes through', (t) => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => !/\p{Cc}/u.test(sanitize(text))))
  t.pass()
})
