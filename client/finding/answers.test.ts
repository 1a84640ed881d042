import test from 'ava'
import fc from 'fast-check'
import { hex, utf8 } from '#protocol/bytes.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import { makeGuard } from '#protocol/tracker/lock.ts'
import { QUESTION_TEXT_LENGTH } from '#protocol/tracker/question.ts'
import { questionsOf, questionText, readAnswers, requireStrong, tryAnswers } from './answers.ts'

const CHEAP = { memoryKiB: 64, passes: 1, parallelism: 1, length: 32 }

test('one to three questions of one line fit into 46 octets, and are read back', (t) => {
  for (const questions of [
    ['Where?'],
    ['Where?', 'With whom?'],
    ['a', 'b', 'c'],
    ['x'.repeat(46)],
    ['Где мы встретились?'],
  ]) {
    t.deepEqual(questionsOf(questionText(questions)), questions)
  }
  t.is(questionText([' Where? ']), 'Where?')
  const refused = [
    [],
    [''],
    ['a', ''],
    ['a', 'b', 'c', 'd'],
    ['a\nb', 'c', 'd'],
    ['a\u001b[2J'],
    ['a\u202eb'],
    ['a\u2028b'],
  ]
  for (const questions of refused) {
    t.throws(() => questionText(questions), { code: 'E_PROOF_SECRET' }, JSON.stringify(questions))
  }
  t.throws(() => questionText(['x'.repeat(QUESTION_TEXT_LENGTH + 1)]), { code: 'E_PROOF_SECRET', message: /47 octets/ })
  t.throws(() => questionText(['я'.repeat(24)]), { code: 'E_PROOF_SECRET', message: /48 octets/ })
})

test('what others have written as questions is shown only where it is some', (t) => {
  for (const text of ['', '\n', 'a\n', '\na', 'a\nb\nc\nd', ' a', 'a\u0007', 'a\u200eb', 'a\rb']) {
    t.deepEqual(questionsOf(text), [], JSON.stringify(text))
  }
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => questionsOf(text).every((line) => !/\p{C}/u.test(line))),
  )
})

test('answers open whatever their case, width and spaces, in the order of the questions, and no others do', (t) => {
  const text = 'Which cat?\nWhere?'
  const guard = makeGuard(text, readAnswers(text, ['Murka', 'behind the mill']).octets, randomBytes, CHEAP)
  const opens = (...answers: string[]): string => hex(tryAnswers(guard, answers, CHEAP))
  t.is(opens(' MURKA ', 'Behind\tthe   Mill'), hex(guard.contactKey))
  t.is(opens('ｍｕｒｋａ', 'behind the mill'), hex(guard.contactKey))
  for (const answers of [
    ['behind the mill', 'murka'],
    ['murka', 'in the mill'],
    ['murka', 'behind themill'],
  ]) {
    t.throws(() => opens(...answers), { code: 'E_ANSWER_WRONG' })
  }
  for (const answers of [
    [],
    ['murka'],
    ['murka', ' '],
    ['murka', 'behind', 'the mill'],
    ['murka', 'x'.repeat(1_100)],
  ]) {
    t.throws(() => opens(...answers), { code: 'E_PROOF_SECRET' })
  }
  const elsewhere = { ...guard, text: 'Which dog?\nWhere?' }
  t.throws(() => tryAnswers(elsewhere, ['Murka', 'behind the mill'], CHEAP), { code: 'E_ANSWER_WRONG' })
  t.is(Buffer.from(guard.lock).indexOf(utf8('murka')), -1)
})

test('below 30 bits is refused', (t) => {
  t.throws(() => requireStrong(29), { code: 'E_ANSWER_WEAK', message: /29 bits/ })
  t.notThrows(() => requireStrong(30))
})
