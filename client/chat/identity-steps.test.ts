/** An identity is made, restored and proven while the process dies at every step of its store: it is there whole, or not there. */
import { DatabaseSync } from 'node:sqlite'
import test from 'ava'
import { SealedStore, tableSchema } from '#client/store/sealed-store.ts'
import { fastEqual, hex } from '#protocol/bytes.ts'
import { prng } from '#test/helpers/prng.ts'
import { type Backup, Chat } from './chat.ts'
import type { ChatOptions } from './engine.ts'
import { Crash, FaultyStore } from './fixtures/faulty-store.ts'
import { deriveSecrets } from './identity.ts'
import type { MailboxPort } from './ports.ts'
import { CHAT_TABLES, Records } from './records.ts'

const never = (): Promise<never> => new Promise(() => {})
/** Out of reach. */
const mailbox: MailboxPort = {
  homes: () => [],
  ...{ create: never, put: never, ack: never, remove: never, stock: never, publish: never, bundle: never },
  ...{ setQueues: () => {}, onLost: () => {}, onMessage: () => {} },
}

/** A device whose process can die. */
class Device {
  private readonly database = new DatabaseSync(':memory:')
  private readonly random = prng(5).bytes

  constructor() {
    this.database.exec(tableSchema(CHAT_TABLES))
  }

  get records(): Records {
    return new Records(this.options().store)
  }

  open(): Chat | undefined {
    return Chat.open(this.options())
  }

  /** False where the process died before the work was done. `steps`: until then. */
  survives(steps: number, work: (options: ChatOptions) => void): boolean {
    try {
      work(this.options(steps))
      return true
    } catch (error) {
      if (error instanceof Crash) return false
      throw error
    }
  }

  options(steps = Number.POSITIVE_INFINITY): ChatOptions {
    const store = new FaultyStore(new SealedStore(this.database, CHAT_TABLES, new Uint8Array(32), this.random))
    let left = steps
    store.onStep = () => {
      if (--left > 0) return
      store.die()
      throw new Crash('the process ends')
    }
    const place = new Uint8Array(16).fill(1)
    return { store, mailbox, random: this.random, now: () => 1_800_000_000_000, wake: () => {}, place }
  }
}

/** Runs `each` with a process that dies at step 1, 2, ... until one survives. @returns how many died */
function everyStep(each: (step: number) => boolean): number {
  let step = 1
  while (!each(step)) step++
  return step - 1
}

const backup = (updates: number): Backup => ({ master: new Uint8Array(32).fill(7), updates })

test('a new identity: none, or one of which a backup can be made', (t) => {
  const died = everyStep((step) => {
    const device = new Device()
    const survived = device.survives(step, (options) => void Chat.create(options, 'Ada'))
    const chat = device.open() ?? Chat.create(device.options(), 'Ada')
    const master = chat.masterSecret()!
    t.true(fastEqual(device.records.profile()!.rootSeed, deriveSecrets(master).rootSeed), `step ${step}`)
    chat.close()
    return survived
  })
  t.true(died >= 5, `${died} steps`)
})

test('a restored identity: none, and the folder is free for another try, or the one of the backup', (t) => {
  const ids = new Set<string>()
  const died = everyStep((step) => {
    const device = new Device()
    const survived = device.survives(step, (options) => void Chat.create(options, 'Ada', backup(2)))
    const chat = device.open() ?? Chat.create(device.options(), 'Ada', backup(2))
    ids.add(hex(device.records.profile()!.rootSeed))
    t.is(chat.updates, 2, `step ${step}`)
    t.is(chat.masterSecret(), undefined, 'it is in the backup alone')
    chat.close()
    return survived
  })
  t.true(died >= 4, `${died} steps`)
  t.deepEqual([...ids], [hex(deriveSecrets(backup(2).master, 2).rootSeed)])
})

test('a proven backup: the master secret is here as before, or gone, and the identity is the same', (t) => {
  let kept = 0
  const died = everyStep((step) => {
    const device = new Device()
    const chat = Chat.create(device.options(), 'Ada')
    const [id, master] = [chat.me.id, chat.masterSecret()!]
    chat.close()
    const survived = device.survives(step, (options) => {
      const proving = Chat.open(options)!
      t.true(proving.proveBackup(master))
      proving.close()
    })
    const again = device.open()!
    t.is(again.me.id, id)
    const left = again.masterSecret()
    if (left !== undefined) kept++
    t.true(left === undefined || fastEqual(left, master), `step ${step}`)
    t.true(!survived || left === undefined, 'where it was told, it is done')
    again.close()
    return survived
  })
  t.true(died > kept && kept > 0, `${died} died, ${kept} before it was done`)
})
