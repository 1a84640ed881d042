import test from 'ava'
import { nativeOr } from './native.ts'

test('the native one is chosen where its probe passes', (t) => {
  t.is(
    nativeOr('native', 'portable', (it) => t.is(it, 'native')),
    'native',
  )
})

test('the portable one is chosen where the probe throws', (t) => {
  const probe = (): void => {
    throw new Error('no such primitive')
  }
  t.is(nativeOr('native', 'portable', probe), 'portable')
})
