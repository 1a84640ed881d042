import test from 'ava'
import { Turns } from './turns.ts'

test('behind an answer nothing leaves sooner than a browser’s next request does', async (t) => {
  const tries = 60
  const before = performance.now()
  for (let i = 0; i < tries; i++) {
    const turns = new Turns()
    turns.answered()
    await new Promise<void>((resolve) => turns.add(resolve))
  }
  // 3.4 ms on average, and a timer that counts whole milliseconds may be up to one early. Without it, 1.4.
  t.true((performance.now() - before) / tries >= 1.9)
})

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
