import test from 'ava'
import { describeEdge } from './edge-view.ts'

test('an edge is described by what is known of it, and by nothing else', (t) => {
  t.is(describeEdge({ smallAnswers: false }), '')
  const known = { waitedMs: 25_000, post: true, up: 98_000, down: 190_000, parallel: true, octetsPerSecond: 180_000 }
  t.is(
    describeEdge({ ...known, smallAnswers: false }),
    'requests may wait 25 s, POST passes, 98 kB up and 190 kB down have passed at once, others pass while one waits, about 180 kB/s a connection',
  )
  t.is(
    describeEdge({
      cutMs: 9_600,
      post: false,
      upMost: 4_096,
      smallAnswers: true,
      keepsFailures: true,
      repeats: true,
      cut: ['node'],
    }),
    'those that wait longer than 10 s are cut, POST is refused, of requests no more than 4 kB, large answers do not pass, failures are kept and given again, requests are sent on more than once, connections that look like node are cut',
  )
})
