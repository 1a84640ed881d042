/**
 * A process with a real folder is killed (SIGKILL) at a step of the store, while it sends, receives, reads and answers. Steps are
 * counted in a first run; the long mode takes every one of them, else some over the whole are taken. `crash.test.ts` has every
 * step in memory.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { openStore } from '#client/store/open-store.ts'
import type { Store } from '#client/store/store.ts'
import { concat, fromHex, hex, utf8 } from '#protocol/bytes.ts'
import { xchacha20poly1305 } from '#protocol/crypto/aead.ts'
import { acquainted, Person, World } from './fixtures/world.ts'
import { CHAT_TABLES } from './records.ts'

const MINUTE = 60_000
const DOOMED = fileURLToPath(new URL('fixtures/doomed.ts', import.meta.url))
/** Steps tried where the long mode does not take all. */
const TRIED = 8
const isLong = process.env.SOTTO_LONG === '1'

interface Line {
  readonly key?: string
  readonly message?: string
  readonly steps?: number
}

class Scene {
  readonly world = new World(21)
  readonly folder: string = mkdtempSync(join(tmpdir(), 'sotto-kill-'))
  readonly alice: Person
  readonly bob: Person
  private store: Store | undefined

  constructor() {
    this.alice = new Person(this.world, 'Alice', undefined, () => this.open())
    this.bob = new Person(this.world, 'Bob')
  }

  /** Alice's own folder, closed first where this program has it open. */
  private open(): Store {
    this.store?.close()
    this.store = openStore({ folder: this.folder, tables: CHAT_TABLES, random: this.world.chance.bytes })
    return this.store
  }

  async begin(): Promise<void> {
    const { world, alice, bob } = this
    await acquainted(world, alice, bob)
    alice.chat.send(bob.id, 'hello')
    bob.chat.send(alice.id, 'hello, you')
    await world.pass(5 * MINUTE)
    alice.mailbox.disconnect()
    alice.store.die()
    this.store!.close()
    bob.chat.send(alice.id, 'to one who is about to die')
    await world.pass(MINUTE)
  }

  /** Runs the other process; 0: to its end. */
  run(step: number): Line[] {
    const { world, alice, bob } = this
    const arrives = bob.records.contact(fromHex(alice.id)!)!.addresses.flatMap(({ sid }) => {
      const queue = world.gateway.queueOf(sid)!
      return queue.waiting.map(({ id, body }) => {
        const nonce = world.chance.bytes(24)
        const box = concat(nonce, xchacha20poly1305.seal(queue.seal, nonce, body))
        return { rid: hex(queue.rid), id: hex(id), box: hex(box) }
      })
    })
    const task = { to: bob.id, now: world.time.now, gateway: hex(utf8('gateway')), arrives }
    const { stdout, signal, stderr } = spawnSync(process.execPath, ['--no-warnings', DOOMED, this.folder, `${step}`], {
      ...{ input: JSON.stringify(task), encoding: 'utf8', env: { ...process.env, NODE_OPTIONS: '' } },
    })
    if (step > 0 && signal !== 'SIGKILL') throw new Error(`not killed: ${stderr}`)
    return stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Line)
  }

  /** Alice's program is started again, and everything goes on. */
  async goOn(lines: readonly Line[]): Promise<void> {
    const { world, alice, bob } = this
    for (const { key, message } of lines) if (key !== undefined) world.noteSealed(key, message!)
    alice.restart()
    alice.chat.connected()
    await world.pass(30 * MINUTE)
    bob.chat.send(alice.id, 'and afterwards')
    alice.chat.send(bob.id, 'so am I')
    await world.pass(30 * MINUTE)
  }

  end(): void {
    this.store?.close()
    rmSync(this.folder, { recursive: true, force: true })
  }
}

test('killed at any step of sending and receiving: nothing is lost or comes twice, and no key seals twice', async (t) => {
  t.timeout(300_000)
  const first = new Scene()
  t.teardown(() => first.end())
  await first.begin()
  const steps = first.run(0).at(-1)?.steps ?? 0
  t.true(steps > 25, `${steps} steps`)
  const every = Math.max(1, Math.ceil(steps / TRIED))
  const chosen = Array.from({ length: steps }, (_, i) => i + 1).filter((step) => isLong || step % every === 1)
  let kept = 0
  for (const step of chosen) {
    const scene = new Scene()
    await scene.begin()
    const lines = scene.run(step)
    await scene.goOn(lines)
    const { world, alice, bob } = scene
    const said = bob.texts(alice)
    const isKept = alice.chat
      .history(bob.id, { limit: 99 })
      .some(({ from, text }) => from === 'me' && text === 'from one who is about to die')
    kept += Number(isKept)
    t.deepEqual(
      said,
      ['hello', ...(isKept ? ['from one who is about to die'] : []), 'so am I'],
      `step ${step}: what was stored arrives, once`,
    )
    t.deepEqual(alice.texts(bob), ['hello, you', 'to one who is about to die', 'and afterwards'], `step ${step}`)
    t.deepEqual([...alice.records.outbox(), ...bob.records.outbox()], [], `step ${step}`)
    t.deepEqual([...world.broken, ...world.gateway.broken, ...alice.problems(), ...bob.problems()], [], `step ${step}`)
    scene.end()
  }
  t.true(kept > 0 && kept < chosen.length, `${kept} of ${chosen.length} had stored what they said`)
})
