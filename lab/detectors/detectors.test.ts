/** Watchers at work: a member and a genuine visitor on the wire, and attackers that have something to find or nothing. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { SharedOwner } from '#test/helpers/command.ts'
import { prng } from '#test/helpers/prng.ts'
import { compileBuiltins } from '../../camouflage-templates/builtin.ts'
import { collect } from './collect.ts'
import { PYTHON } from './ground/network.ts'
import { missingForLearning, missingForWire } from './missing.ts'
import { looksOf } from './report/judge.ts'
import { openWorld } from './world.ts'

const line = { delayMs: 4, jitterMs: 1, airMs: 0.5, airSigma: 1, upMbit: 20, downMbit: 50 } as const
const wire = missingForWire()
const learning = missingForLearning()
const onWire = wire.length === 0 ? test : test.skip
const withLearning = learning.length === 0 ? test : test.skip

onWire(`a member and a visitor are seen on the wire and read whole${lacking(wire)}`, async (t) => {
  const owner = new SharedOwner()
  t.teardown(() => owner.end())
  const [template] = compileBuiltins().filter(({ id }) => id === 'support-chat')
  const world = await openWorld(owner, line, [template!], false)
  const share = { template: template!, sessions: 1, heldOut: 0 }
  const wanted = [
    { ...share, kind: 'ours' as const },
    { ...share, kind: 'program' as const },
  ]
  const { seen } = await collect({ world, wanted, places: 2, random: prng(3).next, tell: () => {} })
  const { device, line: sessions } = seen
  t.deepEqual(sessions.map(({ kind }) => kind).sort(), ['ours', 'program'])
  for (const session of sessions) {
    const exchanges = session.connections.flatMap((connection) => connection.exchanges)
    t.true(
      exchanges.some(({ target }) => target === '/'),
      'the page was loaded',
    )
    t.true(
      exchanges.some(({ target, answer }) => target.includes('/sync?') && answer > 0),
      'news were asked for',
    )
    const isText = (octets: number): boolean => octets > 1_000 && octets < 1_200
    t.true(
      exchanges.some(({ body }) => isText(body.length)),
      'a text rides in the class that was made for it',
    )
    const records = session.connections.flatMap((connection) => connection.records)
    t.true(records.length > 20)
    t.true(
      records.every(({ type, inner }) => type !== 23 || inner !== undefined),
      'every record was opened',
    )
    const packets = session.connections.flatMap((connection) => connection.packets)
    t.true(
      packets.every(({ size }) => size <= 1500),
      'no packet is larger than a network takes',
    )
    t.is(looksOf([session]).blocked, 0)
    const near = device.find(({ host }) => host === session.host)
    const [first, seenBefore] = [packets[0], near?.connections[0]?.packets[0]]
    t.true(
      first !== undefined && seenBefore !== undefined && seenBefore.at < first.at,
      'it leaves the device before the line',
    )
  }
})

withLearning(`attackers tell what differs, and nothing where nothing does${lacking(learning)}`, (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sotto-test-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const { next } = prng(7)
  const classes = Array.from({ length: 120 }, (_, i) => i % 2)
  const task = (shift: number, role = 'ours') => ({
    ...{ kind: 'both', attacker: 'forest', classes, groups: classes.map((_, i) => `g${i >> 1} ${i % 2}`) },
    id: { pair: `${role} ${shift}`, tap: 'line', role, view: 'whole', kind: 'both', attacker: 'forest' },
    columns: [
      { name: 'one', kind: 'size' },
      { name: 'two', kind: 'time' },
    ],
    rows: classes.map((each) => [next() + shift * each, next()]),
    heldOut: classes.map((_, i) => i >= 90),
  })
  const rules = { id: 'rules', columns: ['one', 'two'], rows: classes.map((each) => [each + next(), next()]) }
  const [tasks, results] = [join(folder, 'tasks.json'), join(folder, 'results.json')]
  const groups = classes.map((_, i) => `g${i}`)
  writeFileSync(
    tasks,
    JSON.stringify({
      flows: [task(2), task(0), task(0, 'null')],
      rules: [{ ...rules, classes, groups }],
      pictures: folder,
    }),
  )
  const ran = spawnSync(PYTHON, ['-m', 'learn', tasks, results], { cwd: import.meta.dirname, encoding: 'utf8' })
  t.is(ran.status, 0, ran.stderr)
  const { flows, rules: mined } = JSON.parse(readFileSync(results, 'utf8'))
  t.is(flows[0].auc.value, 1)
  t.is(flows[0].heldOut.value, 1)
  t.is(flows[0].caught, 1)
  t.is(flows[0].telling[0].name, 'one')
  // Of 120 that do not differ the areas of single draws have a standard deviation of 0.05, and some more by the folds.
  t.true(Math.abs(flows[1].auc.value - 0.5) < 0.2, 'nothing is found where nothing is')
  const { value, low, high } = flows[2].auc
  t.true(low < 0.5 && high > 0.5 && Math.abs(value - 0.5) < 0.1, 'classes drawn anew: around a half')
  t.true(mined[0].hits > 0.95)
  t.regex(readFileSync(join(folder, 'flows.svg'), 'utf8'), /<svg/)
})

function lacking(names: readonly string[]): string {
  return names.length === 0 ? '' : ` (left out: ${names.join(', ')} missing)`
}
