/** A member's reading of queues, over a real tunnel from the mailbox of a gateway: none stays unread that can be read. */
import type { ExecutionContext } from 'ava'
import test from 'ava'
import type { NewQueue } from '#client/chat/ports.ts'
import { realClockwork } from '#client/clockwork.ts'
import { gatewayName, Mailboxes } from '#client/services/mailbox.ts'
import { drawKeys, Fixture, type Keys } from '#gateway/services/mailbox/fixture.ts'
import { hex } from '#protocol/bytes.ts'
import { ServiceFailure } from '#protocol/services/service.ts'
import { openTunnel, startGateway } from './helpers/pair.ts'

class Reading {
  readonly fixture: Fixture
  readonly mailboxes: Mailboxes
  readonly lost: string[] = []
  readonly got: string[] = []
  /** Of the mailboxes: what they put off, to be run by hand. */
  readonly putOff: (() => void)[] = []
  private readonly name: Uint8Array
  private readonly waiting = new Set<() => void>()

  private constructor(fixture: Fixture, mailboxes: Mailboxes, name: Uint8Array) {
    this.fixture = fixture
    this.mailboxes = mailboxes
    this.name = name
    mailboxes.onLost((rid) => this.note(this.lost, hex(rid)))
    mailboxes.onMessage(async ({ rid }) => this.note(this.got, hex(rid)))
  }

  static async begin(t: ExecutionContext, fixture: Fixture): Promise<Reading> {
    const gateway = await startGateway([fixture.mailbox.service])
    const tunnel = openTunnel(gateway.port)
    t.teardown(async () => {
      await tunnel.stop()
      await gateway.stop()
    })
    const after = (_: number, run: () => void): (() => void) => {
      reading.note(reading.putOff, run)
      return () => {}
    }
    const mailboxes = new Mailboxes({ ...realClockwork, after })
    mailboxes.add(tunnel)
    const reading: Reading = new Reading(fixture, mailboxes, gatewayName(tunnel.status.endpoint))
    return reading
  }

  draw(): NewQueue {
    return { ...drawKeys(), gateway: this.name, policy: 'disk', ttlSeconds: 3_600, quiet: false }
  }

  async make(): Promise<NewQueue> {
    const queue = this.draw()
    await this.mailboxes.create(queue)
    return queue
  }

  read(...queues: readonly NewQueue[]): void {
    this.mailboxes.setQueues(queues)
  }

  /** Resolves when a message of each has been heard. */
  async hears(...queues: readonly NewQueue[]): Promise<void> {
    const before = this.got.length
    await Promise.all(queues.map((queue) => this.fixture.put(queue as Keys, 1, { id: realClockwork.random(16) })))
    const missing = (): boolean => queues.some(({ rid }) => !this.got.slice(before).includes(hex(rid)))
    await this.until(() => !missing())
  }

  async until(done: () => boolean): Promise<void> {
    while (!done()) {
      await new Promise<void>((resolve) => this.waiting.add(resolve))
    }
  }

  private note<T>(list: T[], what: T): void {
    list.push(what)
    for (const resolve of this.waiting) resolve()
    this.waiting.clear()
  }
}

test('a queue that its gateway has forgotten is read again once it was made anew', async (t) => {
  const reading = await Reading.begin(t, await Fixture.create(t))
  const [kept, forgotten] = [await reading.make(), reading.draw()]
  reading.read(kept, forgotten)
  await reading.until(() => reading.lost.length > 0)
  t.deepEqual(reading.lost, [hex(forgotten.rid)])
  await reading.mailboxes.create(forgotten)
  reading.read(kept, forgotten)
  await reading.hears(kept, forgotten)
})

test('a few unknown queues among many are found, and all others are read', async (t) => {
  const reading = await Reading.begin(t, await Fixture.create(t))
  const known = await Promise.all(Array.from({ length: 60 }, () => reading.make()))
  const unknown = [reading.draw(), reading.draw()]
  reading.read(...known.slice(0, 20), unknown[0]!, ...known.slice(20, 50), unknown[1]!, ...known.slice(50))
  await reading.until(() => reading.lost.length === 2)
  t.deepEqual(new Set(reading.lost), new Set(unknown.map(({ rid }) => hex(rid))))
  await reading.hears(...known)
  t.is(reading.putOff.length, 0, 'nothing had to be asked for again')
})

test('what could not be served is asked for again, and ends no subscription that has it meanwhile', async (t) => {
  const fixture = await Fixture.create(t)
  let free = 1e12
  await fixture.store.close()
  await fixture.open({}, { freeBytes: () => free })
  const reading = await Reading.begin(t, fixture)
  const [a, b, c] = [await reading.make(), await reading.make(), await reading.make()]
  reading.read(a)
  await reading.hears(a)
  // A day later the gateway would note that the queue is in use, and cannot.
  fixture.now += 86_400_000
  free = 0
  reading.read(a, b)
  await reading.until(() => reading.putOff.length === 1)
  free = 1e12
  reading.read(b, c)
  await reading.hears(b, c)
  reading.putOff[0]!()
  // What was asked for before this has come to the gateway by then.
  await reading.make()
  await reading.hears(b, c)
  free = 0
  fixture.now += 86_400_000
  reading.read(b, c, a)
  await reading.until(() => reading.putOff.length === 2)
  free = 1e12
  reading.putOff[1]!()
  await reading.hears(a, b, c)
  t.deepEqual(reading.lost, [])
})

test('a gateway that knows no quiet queues, or keeps less, gives what it has', async (t) => {
  const fixture = await Fixture.create(t, { policy: 'ram' })
  const asked: object[] = []
  const { unary } = fixture.mailbox.service
  const create = unary['mailbox.create']!
  const older: typeof create = async (args, caller) => {
    asked.push(args as object)
    if ('quiet' in (args as object)) throw new ServiceFailure('invalid')
    return await create(args, caller)
  }
  Object.assign(unary, { 'mailbox.create': older })
  const reading = await Reading.begin(t, fixture)
  const queue = { ...reading.draw(), quiet: true }
  await reading.mailboxes.create(queue)
  reading.read(queue)
  await reading.hears(queue)
  t.deepEqual(
    asked.map((each) => ['quiet' in each, 'policy' in each]),
    [
      [true, true],
      [true, false],
      [false, true],
      [false, false],
    ],
  )
})
