import test from 'ava'
import { compileBuiltins } from './builtin.ts'
import { builtins } from './builtins.ts'

test('what a built-in template is said to be without compiling it, it is', (t) => {
  const said = builtins()
  t.true(said.length >= 16)
  for (const { id, family, pageHeaders, template } of said) {
    t.deepEqual([template.id, template.family], [id, family])
    if (family !== 'node') t.deepEqual(template.pageHeaders, pageHeaders)
  }
})

test('each is compiled once', (t) => {
  for (const each of builtins()) t.is(each.template, each.template)
})

test('all of them, or those of one family', (t) => {
  const ids = builtins().map(({ id }) => id)
  t.deepEqual(
    compileBuiltins().map(({ id }) => id),
    ids,
  )
  t.true(compileBuiltins('chromium').every(({ family }) => family === 'chromium'))
})
