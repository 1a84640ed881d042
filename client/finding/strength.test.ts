import test from 'ava'
import { normalised } from '#client/chat/proof-secret.ts'
import { ANSWER_BITS } from './answers.ts'
import { guessBits } from './strength.ts'

const bits = (answer: string, question = ''): number => guessBits([normalised(answer)], normalised(question))

test('what somebody who knows a little would guess is too weak', (t) => {
  const answers = [
    ...['Moscow', 'Saint Petersburg', 'Murka', '1984', '12.05.1984', 'May 12, 1984', '+7 495 123 45 67', 'qwertyuiop'],
    ...['aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', '123456789012345678901234567890', 'password123!', 'abcdefghijklmnop'],
    ...[
      'yes',
      'no no no no no no no',
      'Москва',
      'Анна Иванова',
      'تهران',
      '北京',
      '上海市',
      'とうきょう',
      '!!!!????....,,,,',
    ],
    ...['Donaudampfschifffahrtsgesellschaft', '', ' ', 'x7k9'],
  ]
  for (const answer of answers) t.true(bits(answer) < ANSWER_BITS, `${answer}: ${bits(answer)}`)
})

test('three words that few people put together are enough, in any script', (t) => {
  const answers = [
    ...['Murka behind the mill', 'correct horse battery staple', 'серая кошка под мостом у старой мельницы'],
    ...['گربه خاکستری پشت آسیاب قدیمی', '在老磨坊后面的灰猫', 'みずうみのちかくのふるいいえ', '83920 17465 90218 44'],
  ]
  for (const answer of answers) t.true(bits(answer) >= ANSWER_BITS, `${answer}: ${bits(answer)}`)
})

test('words of the question, and words said twice, count nothing', (t) => {
  t.is(bits('my cat Murka', 'Which cat?'), bits('my Murka'))
  t.is(bits('Murka Murka murka'), bits('Murka'))
  t.is(guessBits(['murka', 'murka'], ''), bits('Murka'))
  t.is(guessBits(['murka', 'london'], ''), bits('Murka London'))
})
