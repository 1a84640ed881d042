/** The quick part of `lab leaks`: everything tries to get out, in every place, and nothing is seen on the wire. */
import test from 'ava'
import { leaks } from '../lab/leaks/leaks.ts'
import { whyNoWire } from '../lab/leaks/wire.ts'

const why = whyNoWire()
const where = why === undefined ? test : test.skip

where(`nothing gets out${why === undefined ? '' : `: skipped, ${why}`}`, async (t) => {
  // Ten seconds of work, on a machine that may be doing much else.
  t.timeout(300_000)
  const { result } = await leaks(['--quick'])
  t.deepEqual(result.faults, [])
  t.is(result.packets_elsewhere, 0)
  t.is(result.refused, result.attempts)
  t.true(Number(result.attempts) > 250, 'all of it was tried')
  t.is(result.exchanges_failed, 0)
  t.true(Number(result.exchanges) >= 3)
})
