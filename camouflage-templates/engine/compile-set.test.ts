import test from 'ava'
import fc from 'fast-check'
import { builtinIds, builtinText } from '../builtin.ts'
import { compileSet } from './compile-set.ts'
import { TemplateError } from './template-error.ts'

const runs = process.env.SOTTO_LONG === '1' ? 20_000 : 60
const texts = builtinIds().map(builtinText)

test('all templates of a set come out, in its order', (t) => {
  t.deepEqual(
    compileSet(texts, 'pack').map(({ id }) => id),
    builtinIds(),
  )
})

test('two of one id are refused, and the fault names the place', (t) => {
  const error = t.throws(() => compileSet([texts[0]!, texts[1]!, texts[0]!], 'pack'), { instanceOf: TemplateError })
  t.regex(error.message, /^pack\[2\]:\d+: id: expected an id that no other/)
})

test('one bad template refuses the whole set', (t) => {
  const error = t.throws(() => compileSet([texts[0]!, 'format: 2\n'], 'pack'), { instanceOf: TemplateError })
  t.regex(error.message, /^pack\[1\]:/)
})

test('a hostile set can do nothing but be refused', (t) => {
  const lines = texts.flatMap((text) => text.split('\n'))
  const mutated = fc
    .tuple(
      fc.constantFrom(...texts),
      fc.array(fc.tuple(fc.nat(), fc.constantFrom(...lines, '{', '&a', '*a', '- ', '')), { maxLength: 4 }),
    )
    .map(([text, changes]) => {
      const own = text.split('\n')
      for (const [at, line] of changes) own[at % own.length] = line
      return own.join('\n')
    })
  const hostile = fc.oneof(
    mutated,
    fc.string({ maxLength: 200 }),
    fc.constantFrom('[[[['.repeat(500), 'a: '.repeat(900)),
  )
  fc.assert(
    fc.property(fc.array(hostile, { minLength: 1, maxLength: 2 }), (set) => {
      try {
        compileSet(set, 'pack')
        return true
      } catch (error) {
        return error instanceof TemplateError
      }
    }),
    { numRuns: runs },
  )
  t.pass()
})
