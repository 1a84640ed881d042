import test from 'ava'
import { compileBuiltins } from '../camouflage-templates/builtin.ts'
import { Fit } from './fit.ts'

const template = compileBuiltins().find(({ id }) => id === 'support-chat')!
const bulk = template.shape('bulk')
const HOUR = 3_600_000
const SECOND = 1_000

test('a size that is refused is not used again, class by class, until the belief ends', (t) => {
  const fit = new Fit()
  t.is(fit.length(bulk, 60_000, 0, SECOND), bulk.up.fit(60_000))
  let length = fit.length(bulk, 1_000_000, 0, SECOND)
  const used: number[] = []
  while (fit.room(bulk, 0, SECOND) > 0) {
    used.push(length)
    fit.tooLarge(bulk, length, true, 0)
    length = fit.length(bulk, 1_000_000, 0, SECOND)
  }
  t.deepEqual(used, bulk.up.classes.toReversed())
  t.is(fit.room(bulk, HOUR, SECOND), bulk.up.max)
})

test('where the request is small already, it is the answer: news is asked for in the shape with the smallest ones', (t) => {
  const fit = new Fit()
  const poll = template.shape('poll')
  t.is(fit.pollShape(template, 0), poll)
  fit.tooLarge(poll, poll.up.classes[0]!, false, 0)
  const other = fit.pollShape(template, 0)
  t.true(other.down.max < poll.down.max)
  t.is(fit.room(poll, 0, SECOND), poll.up.max, 'the request is not to blame')
  t.is(fit.pollShape(template, HOUR), poll)
})

test('on a slow path one parcel takes no longer than it may, where there is a class that small', (t) => {
  const fit = new Fit()
  fit.measured(4)
  t.is(fit.room(bulk, 0, SECOND), 3_072)
  t.is(fit.room(bulk, 0, 4 * SECOND), bulk.up.classes.findLast((each) => each <= 16_000)!)
  fit.measured(0.01)
  t.is(fit.room(bulk, 0, SECOND), bulk.up.classes[0]!)
  for (let i = 0; i < 20; i++) fit.measured(1_000)
  t.is(fit.room(bulk, 0, SECOND), bulk.up.max)
})
