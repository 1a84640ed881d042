/** Whatever a gateway's clock is set to, and wherever its state is taken, no first contact that was used is recognised again. */
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import fc from 'fast-check'
import { Limits } from '#protocol/constants.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import { x25519PublicKey } from '#protocol/crypto/x25519.ts'
import { initiate } from '#protocol/handshake.ts'
import { bindingOf, deriveCohort } from '#protocol/recognition.ts'
import { TokenTable } from '#protocol/session/token-table.ts'
import { plainTemplate } from '#test/helpers/plain-template.ts'
import { EXPIRY_TABLE, ExpiryClock } from './expiry-clock.ts'
import { Sessions, surroundings } from './sessions.ts'
import { openStore, type Store } from './store/store.ts'
import { USED_CONTACT_TABLES, UsedContacts } from './used-contacts.ts'

const [MINUTE, HOUR, DAY] = [60_000, 3_600_000, 86_400_000]
const START = 1_700_000_000_000
const LATE = Limits.firstContactAnswerMs + 1

const gatewaySecret = randomBytes(32)
const gatewayKey = x25519PublicKey(gatewaySecret)
const cohort = { id: 'c', keys: deriveCohort(randomBytes(32)) }
const shape = plainTemplate.shape('send')

/** A machine with a clock that may be wrong, and a gateway whose state stands on its disk. */
class Host {
  /** What the clock is ahead by, milliseconds. */
  wrong = 0
  private truth = START
  private booted = START - 12_345
  private folder: string
  private store: Store | undefined
  private aging: ExpiryClock | undefined
  private readonly folders: string[] = []
  private closed = false
  private readonly faults: unknown[] = []
  private sessions: Sessions | undefined

  private constructor() {
    this.folder = this.newFolder()
  }

  static async start(t: ExecutionContext): Promise<Host> {
    const host = new Host()
    t.teardown(() => host.remove())
    await host.start()
    return host
  }

  get now(): number {
    return this.truth + this.wrong
  }

  get gateway(): Sessions {
    return this.sessions!
  }

  private newFolder(): string {
    const folder = mkdtempSync(join(tmpdir(), 'sotto-contact-clock-'))
    this.folders.push(folder)
    return folder
  }

  private async start(): Promise<void> {
    const tables = [EXPIRY_TABLE, ...USED_CONTACT_TABLES]
    const store = await openStore({ folder: this.folder, key: new Uint8Array(32), tables, create: true })
    const monotonic = (): number => this.truth - this.booted
    const aging = new ExpiryClock({ store, wall: () => this.now, monotonic, log: () => {} })
    this.sessions = new Sessions({
      ...{ ...surroundings(randomBytes), now: () => this.now, monotonic, aging: () => aging.now() },
      ...{ gatewaySecret, preferredAead: 0, tokens: new TokenTable(), services: [], used: new UsedContacts(store) },
      admit: async () => ({ member: String(Math.random()), role: 'member' }),
      report: (error) => void this.faults.push(error),
    })
    this.sessions.setCohorts([cohort])
    Object.assign(this, { store, aging })
  }

  /** Time passes, and the gateway does what it does once a second a few times. */
  async pass(ms: number): Promise<void> {
    for (let i = 0; i < 4; i++) {
      this.truth += ms / 4
      await this.sweep()
    }
  }

  async sweep(): Promise<void> {
    this.sessions!.sweep(this.now)
    await this.aging!.tick()
    // Behind what the sweep writes.
    await this.store!.transaction(() => {})
    if (this.faults.length > 0) throw this.faults[0]
  }

  async restart(): Promise<void> {
    await this.store!.close()
    await this.start()
  }

  /** The state goes to a machine that has run for another time, whose clock is wrong in its own way. */
  async move(wrong: number): Promise<void> {
    await this.store!.close()
    const folder = this.newFolder()
    cpSync(this.folder, folder, { recursive: true })
    Object.assign(this, { folder, wrong, booted: this.truth - 777 })
    await this.start()
  }

  /** A first contact of a client whose clock is the gateway's, or nearly; undefined where it got the website. */
  async use(off: number): Promise<Used | undefined> {
    const { token, parcel } = initiate({
      ...{ gatewayKey, cohort: cohort.keys, hello: Uint8Array.of(0), binding: bindingOf(shape), length: 320 },
      now: this.now + off,
      membership: { kind: 'credential', credentialId: randomBytes(16), credentialKey: randomBytes(32) },
      random: randomBytes,
    })
    const found = this.gateway.cohortOf(token)
    if (found === undefined) return undefined
    const answer = await this.gateway.firstContact({ cohort: found, shape, token, parcel })
    return answer === undefined ? undefined : { token, at: this.now + off }
  }

  /** Whether this one would be recognised, were the clock set to when its token was expected. */
  recognises({ token, at }: Used): boolean {
    const { wrong } = this
    const found = [-4 * MINUTE, 0, 4 * MINUTE].some((off) => {
      this.wrong = at + off - this.truth
      return this.gateway.cohortOf(token) !== undefined
    })
    this.wrong = wrong
    return found
  }

  async remove(): Promise<void> {
    if (this.closed) return
    this.closed = true
    await this.store!.close()
    for (const folder of this.folders) rmSync(folder, { recursive: true, force: true })
  }
}

interface Used {
  readonly token: Uint8Array
  readonly at: number
}

test('a clock that ran ahead and is corrected brings back nothing that was used before', async (t) => {
  const host = await Host.start(t)
  const used = (await host.use(0))!
  await host.pass(LATE)
  host.wrong = 365 * DAY
  await host.sweep()
  const ahead = (await host.use(0))!
  await host.pass(HOUR)
  host.wrong = 0
  await host.sweep()
  t.false(host.recognises(used))
  t.truthy(await host.use(0), 'members are recognised at once')
  await host.pass(300 * DAY)
  t.false(host.recognises(ahead), 'nor what was used meanwhile, when the time comes')
})

test('a clock that is set back brings back nothing, by minutes or by years', async (t) => {
  const host = await Host.start(t)
  const used = (await host.use(0))!
  await host.pass(HOUR)
  host.wrong = -HOUR
  await host.sweep()
  t.false(host.recognises(used))
  t.truthy(await host.use(0), 'an hour shuts nobody out')
  host.wrong = 0
  await host.pass(400 * DAY)
  t.false(host.recognises(used))
  host.wrong = -400 * DAY - HOUR
  t.is(await host.use(0), undefined, 'that far back nobody is recognised')
  t.true(host.gateway.isShut)
  host.wrong = 0
  t.truthy(await host.use(0))
})

test('where nothing was forgotten yet, members are recognised by any clock, and none twice', async (t) => {
  const host = await Host.start(t)
  const used: Used[] = []
  for (const days of [700, -3, 0]) {
    host.wrong = days * DAY
    for (let n = 0; n < 3; n++) {
      used.push((await host.use(0))!)
      await host.pass(LATE)
    }
  }
  t.is(used.length, 9)
  t.false(used.some((each) => host.recognises(each)))
})

test('what was used is known after a start and after a move, whatever the clock there', async (t) => {
  const host = await Host.start(t)
  const used = [(await host.use(0))!]
  await host.restart()
  used.push((await host.use(MINUTE))!)
  await host.pass(LATE)
  await host.move(30 * DAY)
  used.push((await host.use(0))!)
  await host.pass(3 * DAY)
  await host.move(-2 * DAY)
  await host.restart()
  t.deepEqual(
    used.map((each) => host.recognises(each)),
    [false, false, false],
  )
})

test('an answer is given again for half a minute, whatever the clock says meanwhile', async (t) => {
  const host = await Host.start(t)
  const used = (await host.use(0))!
  host.wrong = -4 * MINUTE
  await host.pass(LATE - 1)
  t.truthy(host.gateway.cohortOf(used.token))
  await host.pass(4)
  t.is(host.gateway.cohortOf(used.token), undefined, 'though the clock has not got back to when it was used')
})

test('who has been a year ahead for days and is corrected recognises members again in less than that', async (t) => {
  const host = await Host.start(t)
  host.wrong = 365 * DAY
  for (let hour = 0; hour < 72; hour++) {
    await host.use(0)
    await host.pass(HOUR)
  }
  host.wrong = 0
  await host.pass(2 * DAY + HOUR)
  t.false(host.gateway.isShut)
  t.truthy(await host.use(0))
})

const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('use'), ms: fc.integer({ min: -4 * MINUTE, max: 4 * MINUTE }) }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('pass'), ms: fc.integer({ min: LATE, max: 40 * HOUR }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('set'), ms: fc.integer({ min: -9 * HOUR, max: 9 * HOUR }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('far'), ms: fc.integer({ min: -90 * DAY, max: 90 * DAY }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('move'), ms: fc.integer({ min: -9 * HOUR, max: 9 * HOUR }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart'), ms: fc.constant(0) }) },
)

test('in no course of clocks, starts and moves is a used one recognised, and hours shut nobody out', async (t) => {
  let [recognised, steps] = [0, 0]
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 8, maxLength: 16 }), async (course) => {
      const host = await Host.start(t)
      const used: Used[] = []
      let far = false
      for (const { kind, ms } of course) {
        if (kind === 'pass') await host.pass(ms)
        if (kind === 'set' || kind === 'far') host.wrong = ms
        if (kind === 'far') far = true
        if (kind === 'move') await host.move(ms)
        if (kind === 'restart') await host.restart()
        if (kind === 'use') {
          const one = await host.use(ms)
          if (one !== undefined) used.push(one)
          else if (!host.gateway.isShut) return false
          await host.pass(LATE)
        }
        await host.sweep()
        if (used.some((each) => host.recognises(each))) return false
        if (!far && host.gateway.isShut) return false
        steps++
        recognised += used.length
      }
      await host.remove()
      return true
    }),
    { numRuns: process.env.SOTTO_LONG === '1' ? 1_000 : 25 },
  )
  t.true(steps > 0 && recognised > 0)
})
