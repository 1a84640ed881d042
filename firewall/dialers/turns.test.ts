import test from 'ava'
import { Turns } from './turns.ts'

test('what is asked for in one turn leaves later, and in the order of asking', async (t) => {
  const turns = new Turns()
  const left: string[] = []
  const leaves = (name: string): Promise<void> =>
    new Promise((resolve) =>
      turns.add(() => {
        left.push(name)
        resolve()
      }),
    )
  const first = leaves('one')
  const second = leaves('two')
  t.deepEqual(left, [])
  await first
  await second
  t.deepEqual(left, ['one', 'two'])
  await leaves('three')
  t.deepEqual(left, ['one', 'two', 'three'])
})
