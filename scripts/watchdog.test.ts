import { setTimeout as sleep } from 'node:timers/promises'
import test from 'ava'
import { runWatched } from './watchdog.ts'

test('what ends by itself is told with its output and status', async (t) => {
  t.deepEqual(await runWatched('sh', ['-c', 'echo one; echo two; exit 3'], 60_000), {
    text: 'one\ntwo\n',
    status: 3,
    signal: null,
    stuck: undefined,
  })
})

test('one that somebody else ends is told with the signal', async (t) => {
  const { status, signal } = await runWatched('sh', ['-c', 'kill -TERM $$'], 60_000)
  t.deepEqual([status, signal], [1, 'SIGTERM'])
})

test('a command that falls silent is ended with what it has started, and that is named', async (t) => {
  const { status, stuck, text } = await runWatched('sh', ['-c', 'echo begun; sleep 987 & echo $!; wait'], 1_000)
  t.is(status, 1)
  t.true(
    stuck!.some((line) => line.includes('sleep 987')),
    stuck!.join('\n'),
  )
  const pid = Number(text.split('\n')[1])
  const alive = (): boolean => {
    try {
      return process.kill(pid, 0)
    } catch {
      return false
    }
  }
  // A killed orphan is there until its new parent has seen its end.
  for (let i = 0; i < 100 && alive(); i++) await sleep(20)
  t.false(alive())
})

test('one that has left the group and keeps the pipe open holds nobody up', async (t) => {
  const { text, status, stuck } = await runWatched('sh', ['-c', '(setsid sleep 20 &) ; echo done'], 60_000)
  t.deepEqual([text, status, stuck], ['done\n', 0, undefined])
})
