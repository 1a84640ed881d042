import test from 'ava'
import { seeded } from '../test-support.ts'
import { createDraw } from './draw.ts'
import { createChoice, createNumber, createRun } from './fillers.ts'
import type { Filler } from './hole.ts'
import { findAmbiguity, parsePattern, render, scanAll } from './pattern.ts'

const draw = createDraw(seeded(9))
const many = (filler: Filler, count: number): string[] => Array.from({ length: count }, () => filler.draw(draw))

test('drawn values keep to their bounds, reach both, and are read back', (t) => {
  const run = createRun('run', 'base36', [2, 4])
  const values = many(run, 500)
  t.deepEqual([...new Set(values.map((value) => value.length))].sort(), [2, 3, 4])
  t.true(values.every((value) => run.span(`${value}-`, 0, '-') === value.length))
  const number = createNumber('number', [8, 12])
  t.deepEqual([...new Set(many(number, 300))].sort(), ['10', '11', '12', '8', '9'])
  t.is(number.span('12', 0, ''), 2)
  for (const text of ['', '7', '13', '08', '012', 'x', '-9']) t.is(number.span(text, 0, ''), -1, text)
  t.is(run.span('a', 0, ''), -1)
  t.is(run.span('A1', 0, ''), -1)
  t.is(run.span('abcdef', 0, ''), 4)
})

test('choices are drawn as often as they are written', (t) => {
  const values = many(createChoice('choice', ['a', 'b', 'b', 'b']), 4_000)
  const share = values.filter((value) => value === 'a').length / values.length
  // Four standard deviations of a share of one in four.
  t.true(Math.abs(share - 0.25) < 0.028, String(share))
})

test('every character of an alphabet is drawn equally often', (t) => {
  const digits = draw.text('0123456789', 20_000)
  for (const digit of '0123456789') {
    const count = digits.split(digit).length - 1
    t.true(Math.abs(count - 2_000) < 4.5 * Math.sqrt(20_000 * 0.09), `${digit}: ${count}`)
  }
})

test('a choice that begins another is told apart by what follows, or refused', (t) => {
  const size = createChoice('size', ['s', 'small', 'smaller'])
  const holes = new Map([['size', size]])
  const sound = parsePattern('{{size}}/', holes)
  t.is(findAmbiguity(sound, false), undefined)
  for (const value of ['s', 'small', 'smaller']) {
    t.is(render(sound, new Map([[size, value]])), `${value}/`)
    t.true(scanAll(sound, `${value}/`, new Map()))
  }
  t.false(scanAll(sound, 'smalle/', new Map()))
  t.truthy(findAmbiguity(parsePattern('{{size}}mall', holes), false))
  t.truthy(findAmbiguity(parsePattern('{{size}}', holes), true))
  t.is(findAmbiguity(parsePattern('{{size}}', holes), false), undefined)
})
