import test from 'ava'
import { sumOf, verdictsOf } from './verdicts.ts'

const files = ['client/chat/send.test.ts', 'client/chat/send-again.test.ts', 'test/limits.test.ts']
const text = `
  ✔ client › chat › send › one (20ms)
  ✘ [fail]: client › chat › send › two › with an arrow Error thrown in test
  ✔ client › chat › send-again › one
  ✘ test/limits.test.ts exited due to SIGSEGV
  ─
  ✘ no test
`

test('tests count for their files, and a file that ended early is found by its path', (t) => {
  t.deepEqual(Object.fromEntries(verdictsOf(text, files)), {
    'client/chat/send.test.ts': { passed: 1, failed: 1 },
    'client/chat/send-again.test.ts': { passed: 1, failed: 0 },
    'test/limits.test.ts': { passed: 0, failed: 1 },
    '': { passed: 0, failed: 1 },
  })
})

test('a failure that no file can be found for is counted', (t) => {
  t.deepEqual(sumOf(verdictsOf(text, []).values()), { passed: 2, failed: 3 })
})
