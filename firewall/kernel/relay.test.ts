import { once } from 'node:events'
import { Duplex } from 'node:stream'
import test from 'ava'
import { relay } from './relay.ts'

/** A socket that takes what is written when it is told to. */
class Slow extends Duplex {
  readonly taken: string[] = []
  private go: (() => void) | undefined

  constructor() {
    super({ allowHalfOpen: false })
  }

  override _read(): void {}

  override _write(chunk: Buffer, _: string, done: () => void): void {
    this.go = () => {
      this.taken.push(String(chunk))
      done()
    }
  }

  release(): void {
    const { go } = this
    this.go = undefined
    go?.()
  }
}

/** What was begun in this turn of the loop, and what follows from it. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

for (const leaves of ['near', 'far'] as const) {
  test(`what the ${leaves} side said before it left arrives, and then the other is closed`, async (t) => {
    const sides = { near: new Slow(), far: new Slow() }
    const { [leaves]: gone, [leaves === 'near' ? 'far' : 'near']: left } = sides
    let over = 0
    relay(sides.near, sides.far, () => over++)
    gone.push('last words')
    gone.push(null)
    await once(gone, 'close')
    await settled()
    t.false(left.destroyed)
    t.is(over, 0, 'it still counts')
    left.release()
    await once(left, 'close')
    t.deepEqual(left.taken, ['last words'])
    t.is(over, 1)
  })

  test(`where the ${leaves} side breaks, both are closed`, async (t) => {
    const sides = { near: new Slow(), far: new Slow() }
    const { [leaves]: gone, [leaves === 'near' ? 'far' : 'near']: left } = sides
    let over = 0
    relay(sides.near, sides.far, () => over++)
    gone.push('half a sent')
    gone.destroy(new Error('reset'))
    await once(left, 'close')
    t.is(over, 1)
  })
}

test('who has gone is not waited for by what the other goes on saying', async (t) => {
  const [near, far] = [new Slow(), new Slow()]
  relay(near, far, () => {})
  near.push(null)
  await Promise.all([once(near, 'close'), once(far, 'close')])
  t.true(far.destroyed)
})
