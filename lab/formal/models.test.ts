/** The models fit the one that is written out; what a checker says of them, `npm run -s lab -- formal` shows. */
import { readFileSync } from 'node:fs'
import test from 'ava'
import { models, textOf } from './models.ts'

const start = readFileSync(new URL('start.vp', import.meta.url), 'utf8')

for (const model of models) {
  test(`${model.name}: every edit fits, and there is a verdict for every query`, (t) => {
    const text = textOf(model, start)
    const queries = text.slice(text.indexOf('queries[')).match(/confidentiality\?|authentication\?/g) ?? []
    t.is(queries.length, 2 * model.messages)
    t.is(model.expected.length, 2 * queries.length)
    t.is(text.includes('m2'), model.messages >= 2)
    t.is(text.includes('heal_here'), model.messages === 3)
  })
}

test('an edit that does not fit any more is no model', (t) => {
  t.throws(() => textOf({ messages: 3, edits: [['what is not there', '']] }, start), { instanceOf: RangeError })
  t.throws(() => textOf({ messages: 1, edits: [] }, 'phase[1]'), { instanceOf: RangeError })
})
