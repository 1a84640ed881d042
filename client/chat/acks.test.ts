import { setImmediate as turn } from 'node:timers/promises'
import test from 'ava'
import { Acks } from './acks.ts'
import type { MailboxPort, QueueRef } from './ports.ts'

interface Call {
  readonly rid: number
  readonly ids: readonly number[]
  answer(): void
  fail(): void
}

const queueOf = (rid: number): QueueRef => ({
  ...{ gateway: Uint8Array.of(1), rid: Uint8Array.of(rid), rauth: new Uint8Array(32) },
})

function setUp(): { readonly acks: Acks; readonly calls: Call[] } {
  const calls: Call[] = []
  const ack: MailboxPort['ack'] = ({ rid }, ids) => {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    calls.push({ rid: rid[0]!, ids: ids.map((id) => id[0]!), answer: resolve, fail: () => reject(new Error('cut')) })
    return promise
  }
  return { acks: new Acks({ ack } as MailboxPort), calls }
}

const idsOf = (calls: readonly Call[]): number[][] => calls.map(({ ids }) => [...ids])

test('two calls of a queue at once, what comes meanwhile goes together, and every id goes once', async (t) => {
  const { acks, calls } = setUp()
  for (let id = 1; id <= 5; id++) acks.add(queueOf(1), Uint8Array.of(id))
  t.deepEqual(idsOf(calls), [[1], [2]])
  calls[1]!.answer()
  await turn()
  t.deepEqual(idsOf(calls), [[1], [2], [3, 4, 5]])
  acks.add(queueOf(1), Uint8Array.of(6))
  calls[0]!.answer()
  await turn()
  t.deepEqual(idsOf(calls).slice(3), [[6]])
  calls[2]!.answer()
  calls[3]!.answer()
  await turn()
  acks.add(queueOf(1), Uint8Array.of(7))
  t.deepEqual(idsOf(calls).slice(4), [[7]], 'after silence at once')
})

test('what could not be acknowledged is not tried again by itself, and holds nothing up', async (t) => {
  const { acks, calls } = setUp()
  for (let id = 1; id <= 3; id++) acks.add(queueOf(1), Uint8Array.of(id))
  calls[0]!.fail()
  calls[1]!.fail()
  await turn()
  t.deepEqual(idsOf(calls), [[1], [2], [3]])
  calls[2]!.fail()
  await turn()
  acks.add(queueOf(1), Uint8Array.of(4))
  acks.add(queueOf(1), Uint8Array.of(5))
  t.deepEqual(idsOf(calls).slice(3), [[4], [5]])
})

test('queues do not wait for each other, and a call has at most 128 ids', async (t) => {
  const { acks, calls } = setUp()
  for (let id = 0; id < 140; id++) acks.add(queueOf(1), Uint8Array.of(id))
  acks.add(queueOf(2), Uint8Array.of(1))
  t.deepEqual(
    calls.map(({ rid }) => rid),
    [1, 1, 2],
  )
  calls[0]!.answer()
  calls[1]!.answer()
  await turn()
  t.deepEqual(
    calls.map(({ ids }) => ids.length),
    [1, 1, 1, 128, 10],
  )
})
