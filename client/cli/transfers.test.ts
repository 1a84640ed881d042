import test from 'ava'
import type { TransferView } from '#client/files/transfer.ts'
import type { Member } from '#client/member.ts'
import { inFolder, moved } from './transfers.ts'

test('a file in the folder, and what leads out of it', (t) => {
  t.is(inFolder('/shared', 'a.pdf'), '/shared/a.pdf')
  t.is(inFolder('/shared', 'b/../a.pdf'), '/shared/a.pdf')
  t.is(inFolder('/shared', '..a'), '/shared/..a')
  t.is(inFolder('shared', 'below/a.pdf'), 'shared/below/a.pdf')
  for (const name of ['..', '../state/keys', 'b/../../state', '.', ''])
    t.throws(() => inFolder('/shared', name), { code: 'E_FILE' }, name)
})

test.serial('a command waits as long as pieces come, however few; tries that fail do not keep it', async (t) => {
  const ticks: (() => void)[] = []
  const { setInterval } = globalThis
  t.teardown(() => Object.assign(globalThis, { setInterval }))
  Object.assign(globalThis, { setInterval: (tick: () => void) => ticks.push(tick) })
  const view = { id: 'a', state: 'moving', arrived: 0 } as TransferView
  let tell: (now: TransferView) => void = () => {}
  const files = {
    list: () => [view],
    onChange: (listener: typeof tell) => {
      tell = listener
      return () => {}
    },
  }
  let ended = false
  const waiting = moved({ files } as unknown as Member, 'a', () => {}).then(() => {
    ended = true
  })
  for (let piece = 1; piece <= 5; piece++) {
    Object.assign(view, { arrived: piece })
    ticks[0]!()
    await Promise.resolve()
    t.false(ended, `${piece}`)
  }
  tell(view)
  ticks[0]!()
  await waiting
  t.true(ended)
})
