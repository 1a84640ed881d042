import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { base64url } from '#protocol/bytes.ts'
import { Fixture, idOf, type Keys } from './fixture.ts'

/** A gateway process: takes `n`, puts message n, answers n once the put has been answered, and goes on at once. */
const program = (folder: string, keys: Keys): string => `
  import { openStore } from '#gateway/store/store.ts'
  import { Mailbox, MAILBOX_TABLES } from '#gateway/services/mailbox/mailbox.ts'
  import { randomBytes } from '#protocol/crypto/random.ts'
  const store = await openStore({ folder: ${JSON.stringify(folder)}, key: new Uint8Array(32).fill(1), tables: MAILBOX_TABLES })
  const mailbox = new Mailbox({ store, now: Date.now, random: randomBytes })
  const bytes = (text) => new Uint8Array(Buffer.from(text, 'base64url'))
  const [sid, sauth] = [bytes('${base64url(keys.sid)}'), bytes('${base64url(keys.sauth)}')]
  const guest = { member: 'guest', role: 'guest' }
  for (let n = 0; n < 120; n++) {
    const args = { sid, sauth, id: new Uint8Array(16).fill(n), body: new Uint8Array(4_000).fill(n) }
    const { stored } = await mailbox.service.unary['mailbox.put'](args, guest)
    process.send({ n, stored })
  }
  setInterval(() => undefined, 1_000)
`

function start(t: ExecutionContext, folder: string, keys: Keys): ChildProcess {
  const root = join(import.meta.dirname, '../../..')
  const child = spawn(process.execPath, ['--input-type=module', '-e', program(folder, keys)], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    cwd: root,
  })
  t.teardown(() => child.kill('SIGKILL'))
  return child
}

/** Resolves with the numbers of all puts that were answered before the process died; kills it after `count` of them. */
async function answeredBefore(child: ChildProcess, count: number): Promise<number[]> {
  const answered: number[] = []
  child.on('message', ({ n, stored }: { n: number; stored: string }) => {
    if (stored === 'stored') answered.push(n)
    if (answered.length === count) child.kill('SIGKILL')
  })
  const [code, signal] = await once(child, 'exit')
  if (signal !== 'SIGKILL') throw new Error(`the gateway ended by itself: ${String(code)}`)
  return answered
}

for (const count of [1, 17, 60]) {
  test(`a gateway killed after ${count} puts has lost none that it answered`, async (t) => {
    const fixture = await Fixture.create(t)
    const keys = await fixture.queue('disk', 1_000_000)
    await fixture.store.close()
    const answered = await answeredBefore(start(t, join(fixture.folder, 'store'), keys), count)
    t.true(answered.length >= count)
    fixture.now = Date.now()
    await fixture.open()
    const { got } = await fixture.waiting([keys], answered.length)
    const found = new Set(got.map(({ id }) => id[0]))
    for (const n of answered) t.true(found.has(n), `message ${n}`)
    const [first] = got
    t.deepEqual(first?.id, idOf(0))
    t.deepEqual(await fixture.put(keys, 0), { stored: 'duplicate' })
    t.deepEqual(await fixture.put(keys, 200), { stored: 'stored' }, 'and goes on')
  })
}
