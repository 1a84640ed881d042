import test from 'ava'
import type { MessageView } from '#client/chat/events.ts'
import { describeSeconds, parseSeconds, textOf } from './text.ts'

const message = (more: Partial<MessageView> = {}): MessageView => ({
  ...{ id: '01', contact: '02', from: 'them', text: 'at noon', time: 0, status: 'delivered', gapBefore: false },
  ...more,
})

test('times are read as they are written', (t) => {
  for (const text of ['30s', '5m', '1h', '2d', '4w']) t.is(describeSeconds(parseSeconds(text)!), text)
  t.is(parseSeconds('off'), 0)
  t.is(describeSeconds(90), '90s')
  for (const text of ['', '1', 'h', '-1h', '1.5h', '1y', '1h ']) t.is(parseSeconds(text), undefined, text)
})

test('what was done to a message stands beside its text', (t) => {
  t.is(textOf(message()), 'at noon')
  t.is(
    textOf(message({ edited: true, timer: 3_600, theirReaction: '👍' })),
    'at noon 👍 (edited, goes 1h after reading)',
  )
  t.is(textOf(message({ withdrawn: true, text: '' })), '(withdrawn)')
  t.is(textOf(message({ answers: '03' }), message({ text: 'when?\nand where?' })), '> when? and where?\n   at noon')
  t.is(textOf(message({ answers: '03' })), '> (a message that is not here)\n   at noon')
})

test('nothing of a message reaches the terminal that it would obey', (t) => {
  const hostile = '\u001b[2Jgone'
  for (const text of [
    textOf(message({ text: hostile })),
    textOf(message({ answers: '03' }), message({ text: hostile })),
  ]) {
    t.false(text.includes('\u001b'))
  }
})
