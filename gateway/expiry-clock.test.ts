import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import fc from 'fast-check'
import { randomBytes } from '#protocol/crypto/random.ts'
import { EXPIRY_TABLE, ExpiryClock } from './expiry-clock.ts'
import { bodyOf, drawKeys, idOf } from './services/mailbox/fixture.ts'
import { MAILBOX_TABLES, Mailbox } from './services/mailbox/mailbox.ts'
import { openStore, type Store } from './store/store.ts'

const DAY = 86_400_000
const START = 1_700_000_000_000

class Machine {
  wall = START
  monotonic = 12_345
  readonly said: string[] = []

  pass(ms: number): void {
    this.wall += ms
    this.monotonic += ms
  }

  clock(store: Store): ExpiryClock {
    return new ExpiryClock({
      store,
      wall: () => this.wall,
      monotonic: () => this.monotonic,
      log: (line) => this.said.push(line),
    })
  }
}

async function storeFor(t: ExecutionContext): Promise<() => Promise<Store>> {
  const folder = mkdtempSync(join(tmpdir(), 'sotto-expiry-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return async () =>
    await openStore({ folder, key: new Uint8Array(32), tables: [EXPIRY_TABLE, ...MAILBOX_TABLES], create: true })
}

test('it is the machine’s clock, as long as that runs as clocks do', async (t) => {
  const store = await (await storeFor(t))()
  const machine = new Machine()
  const clock = machine.clock(store)
  for (const ms of [0, 1, 999, 1_000, 3_600_000, 40 * DAY]) {
    machine.pass(ms)
    t.is(clock.now(), machine.wall)
  }
  machine.wall += 400
  machine.pass(1_000)
  t.is(clock.now(), machine.wall, 'what NTP mends now and then is followed')
  t.deepEqual(machine.said, [])
  await store.close()
})

test('whatever the clock is set to, time passes between half and twice as fast, and comes back', async (t) => {
  const store = await (await storeFor(t))()
  const step = fc.record({
    pass: fc.integer({ min: 0, max: 30 * DAY }),
    set: fc.integer({ min: -900 * DAY, max: 900 * DAY }),
  })
  t.notThrows(() =>
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
        const machine = new Machine()
        const clock = machine.clock(store)
        let before = clock.now()
        for (const { pass, set } of steps) {
          machine.pass(pass)
          machine.wall += set
          const now = clock.now()
          if (now - before > 2 * pass + 1 || now - before < pass / 2 - 1) return false
          before = now
        }
        machine.wall = START + machine.monotonic
        machine.pass(Math.abs(before - machine.wall) * 2)
        return Math.abs(clock.now() - machine.wall) <= 1
      }),
    ),
  )
  await store.close()
})

test('a start goes on where the gateway stopped, however long ago, and catches up', async (t) => {
  const open = await storeFor(t)
  const machine = new Machine()
  const first = await open()
  const clock = machine.clock(first)
  machine.pass(5 * DAY)
  await clock.tick()
  const stopped = clock.now()
  await first.close()
  machine.wall += 90 * DAY
  const second = await open()
  const again = machine.clock(second)
  t.is(again.now(), stopped)
  await again.tick()
  t.deepEqual(machine.said.length, 1)
  t.regex(machine.said[0]!, /^clock: 90 days ahead/)
  await again.tick()
  t.is(machine.said.length, 1, 'once')
  machine.pass(91 * DAY)
  t.is(again.now(), machine.wall)
  await second.close()
})

test('mail waits through a clock that is months ahead for three days, and still ends in its time', async (t) => {
  const store = await (await storeFor(t))()
  const machine = new Machine()
  const clock = machine.clock(store)
  const mailbox = new Mailbox({ store, now: () => clock.now(), random: randomBytes })
  const keys = drawKeys()
  const anna = { member: 'anna', role: 'member' } as const
  const call = async (method: string, args: object): Promise<unknown> =>
    await mailbox.service.unary[method]!(args, anna)
  await call('mailbox.create', { ...keys, ttl: 14 * 86_400 })
  const put = { sid: keys.sid, sauth: keys.sauth, id: idOf(1), body: bodyOf(1) }
  t.like(await call('mailbox.put', put), { stored: 'stored' })
  machine.wall += 180 * DAY
  for (let day = 0; day < 3; day++) {
    machine.pass(DAY)
    await mailbox.sweep()
  }
  t.like(await call('mailbox.put', put), { stored: 'duplicate' }, 'the message and its queue are there')
  machine.wall -= 180 * DAY
  machine.pass(4 * DAY)
  await mailbox.sweep()
  t.like(await call('mailbox.put', put), { stored: 'duplicate' })
  machine.pass(8 * DAY)
  await mailbox.sweep()
  t.like(await call('mailbox.put', put), { stored: 'stored' }, 'what has ended may come anew')
  await store.close()
})
