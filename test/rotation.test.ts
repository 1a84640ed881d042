/** The lab's rotation, small: real gateway process, whole clients, a bad pack and a way back, while members chat. */
import test from 'ava'
import { rotateUnderTraffic } from '../lab/rotation.ts'

test('packs are rotated while members chat: nothing is lost, no session ends, a bad pack is taken back', async (t) => {
  const outcome = await rotateUnderTraffic({
    ...{ members: 4, rotations: 4, everyMs: 400, canary: 50, blocking: 'cut' },
    tell: (line) => t.log(line),
  })
  t.like(outcome, { lost: 0, duplicates: 0, sessionsDropped: 0, reverted: true, rolledBack: true, promoted: 2 })
  t.true(outcome.said > 20, `${outcome.said} messages`)
  t.true(outcome.blocked > 0, 'the bad pack was really tried')
})
