import test from 'ava'
import { createSizeClasses } from './sizes.ts'

test('fit: smallest class that holds, else the largest', (t) => {
  const sizes = createSizeClasses([96, 768, 3_072])
  const expected = [
    [0, 96],
    [96, 96],
    [97, 768],
    [768, 768],
    [769, 3_072],
    [3_072, 3_072],
    [3_073, 3_072],
  ]
  for (const [bytes, length] of expected) t.is(sizes.fit(bytes!), length!)
  t.is(sizes.max, 3_072)
})
