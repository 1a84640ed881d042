import test from 'ava'
import type { Shelf } from '#client/chat/ports.ts'
import { utf8 } from '#protocol/bytes.ts'
import type { Tunnel } from '../tunnel.ts'
import { gatewayName, Mailboxes } from './mailbox.ts'

const endpoint = { host: 'gateway.example', port: 443 }
const queue = { gateway: gatewayName(endpoint), rid: utf8('rid'), rauth: utf8('rauth') }
const piece = { head: utf8('head'), dh: [{}], kem: [], clear: false } as unknown as Shelf

/** Mailboxes whose gateway takes `took` ms for each piece, by a clock that only that moves, and how long they rest. */
function slow(took: number): { mailboxes: Mailboxes; rests: number[]; cancelled: () => number } {
  let now = 0
  const rests: number[] = []
  let cancelled = 0
  const mailboxes = new Mailboxes({
    now: () => now,
    random: (length) => new Uint8Array(length),
    after: (ms) => {
      rests.push(ms)
      return () => cancelled++
    },
    soon: queueMicrotask,
  })
  const tunnel: Pick<Tunnel, 'call'> & { status: object } = {
    status: { endpoint, state: { kind: 'ready' } },
    call: async () => {
      now += took
    },
  }
  mailboxes.add(tunnel as Tunnel)
  return { mailboxes, rests, cancelled: () => cancelled }
}

test('after a piece of a shelf messages have the way for four times as long; a device that slept does not wait for hours', async (t) => {
  for (const [took, rest] of [
    [500, 2_000],
    [3_600_000, 60_000],
    [-3_600_000, 0],
  ] as const) {
    const { mailboxes, rests } = slow(took)
    const published = mailboxes.publish(queue, piece)
    await new Promise(setImmediate)
    t.deepEqual(rests, [rest])
    mailboxes.close()
    await published
  }
})

test('closing ends a rest, and its timer', async (t) => {
  const { mailboxes, cancelled } = slow(500)
  const published = mailboxes.publish(queue, piece)
  await new Promise(setImmediate)
  t.is(cancelled(), 0)
  mailboxes.close()
  await published
  t.is(cancelled(), 1)
})
