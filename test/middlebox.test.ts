/** The quick ones of the bad networks in lab/middlebox: real gateway, real members, everything arrives, once. */
import test from 'ava'
import { playAll } from '../lab/middlebox/middlebox.ts'
import type { Row } from '../lab/middlebox/scenario.ts'
import { scenarios } from '../lab/middlebox/scenarios.ts'

const quick: readonly string[] = [
  'connections-reset',
  'nat-rebinding',
  'sni-reset-second-gateway',
  'copies-3',
  'failures-cached-get',
  'headers-stripped',
  'chunked-closed',
  'post-refused-later',
  'request-body-cap-4kB',
  'answer-body-cap-8kB',
  'header-cap-3kB',
  'interception',
  'captive-portal-later',
]

let rows: readonly Row[] = []

test.before('played side by side', async (t) => {
  t.timeout(120_000)
  rows = await playAll(
    scenarios.filter(({ name }) => quick.includes(name)),
    4,
  )
})

for (const name of quick) {
  test(`${name}: nothing is lost, nothing comes twice, and what the network does is named`, (t) => {
    const row = rows.find((each) => each.name === name)
    t.deepEqual(row?.faults, [], JSON.stringify(row))
    t.deepEqual([row?.lost, row?.duplicates], [0, 0])
  })
}

test('every scenario has a name of its own, and there are enough of them', (t) => {
  const names = scenarios.map(({ name }) => name)
  t.is(new Set(names).size, names.length)
  t.true(names.length >= 30)
})
