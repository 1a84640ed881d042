import test from 'ava'
import type { CompiledTemplate } from '#engine/compile.ts'
import { compileBuiltins } from '../camouflage-templates/builtin.ts'
import type { Passed } from './edge.ts'
import { Edge } from './edge.ts'

const NOW = 1_700_000_000_000
const HOUR = 3_600_000
const passed: Passed = { family: 'node', method: 'POST', up: 700, down: 800, isHeld: false, waitedMs: 0 }
const node = compileBuiltins().filter(({ id }) => ['support-chat', 'beacon'].includes(id))
const firefox = { ...node[0]!, id: 'other', family: 'firefox' } as CompiledTemplate
const all = [...node, firefox]
const idsOf = (templates: readonly CompiledTemplate[]): string[] => templates.map(({ id }) => id)
const plain = idsOf(all)

test('nothing is known before something has passed, and then the most of it', (t) => {
  const edge = new Edge()
  t.deepEqual(edge.report(NOW), { smallAnswers: false })
  edge.passed(passed, NOW)
  edge.passed({ ...passed, method: 'GET', up: 0, down: 90_000, isHeld: true, waitedMs: 7_000 }, NOW)
  edge.passed({ ...passed, up: 12_000, isHeld: true, waitedMs: 6_000 }, NOW)
  t.like(edge.report(NOW), { waitedMs: 7_000, up: 12_000, down: 90_000, post: true })
  t.is(edge.report(NOW).parallel, undefined)
})

test('that others pass while one waits is known once one has', (t) => {
  const edge = new Edge()
  const over = edge.waits()
  edge.passed({ ...passed, isHeld: true, waitedMs: 0 }, NOW)
  t.is(edge.report(NOW).parallel, undefined, 'it was the one that waited')
  edge.passed(passed, NOW)
  t.true(edge.report(NOW).parallel)
  over()
  const other = new Edge()
  other.waits()()
  other.passed(passed, NOW)
  t.is(other.report(NOW).parallel, undefined)
})

test('where POST is refused, what only asks goes first, until that was long ago or POST passes', (t) => {
  const edge = new Edge()
  t.deepEqual(idsOf(edge.order(all, NOW)), plain)
  edge.refusedPost(NOW)
  t.is(edge.order(all, NOW)[0]!.id, 'beacon')
  t.false(edge.report(NOW).post)
  t.deepEqual(idsOf(edge.order(all, NOW + HOUR)), plain)
  t.is(edge.report(NOW + HOUR).post, undefined)
  edge.passed(passed, NOW)
  t.deepEqual(idsOf(edge.order(all, NOW)), plain)
  t.true(edge.report(NOW).post)
})

test('a family that is cut where another passes goes last; where all are cut nothing is said of families', (t) => {
  const edge = new Edge()
  edge.cutAtHello('node')
  edge.cutAtHello('firefox')
  t.deepEqual(idsOf(edge.order(all, NOW)), plain)
  edge.passed({ ...passed, family: 'firefox' }, NOW)
  t.is(edge.order(all, NOW)[0]!.id, 'other')
  t.deepEqual(edge.report(NOW).cut, ['node'])
  t.deepEqual(idsOf(edge.order(all, NOW + HOUR)), plain)
  edge.passed(passed, NOW)
  t.is(edge.report(NOW).cut, undefined)
})

test('a failure out of a cache is one that is kept', (t) => {
  const said = (fields: Record<string, string>): boolean | undefined => {
    const edge = new Edge()
    edge.failed((name) => fields[name])
    return edge.report(NOW).keepsFailures
  }
  t.is(said({}), undefined)
  t.is(said({ age: '0', 'x-cache': 'MISS' }), undefined)
  t.true(said({ age: '31' }))
  t.true(said({ 'x-cache': 'HIT from edge' }))
})

test('that requests are sent on more than once is kept with what else is known', (t) => {
  const edge = new Edge()
  edge.repeats()
  edge.passed(passed, NOW)
  t.true(edge.report(NOW).repeats)
  t.true(edge.record(NOW).edge.repeats)
})

test('what is kept is known again, and believed anew', (t) => {
  const edge = new Edge()
  edge.refusedPost(NOW)
  edge.cutAtHello('node')
  edge.passed({ ...passed, method: 'GET', family: 'firefox', isHeld: true, waitedMs: 7_000 }, NOW)
  edge.carried(200_000, 1_100, 100)
  const kept = JSON.parse(JSON.stringify(edge.record(NOW)))
  const next = new Edge()
  next.recall(kept.hold, kept.fit, kept.edge, NOW + HOUR)
  t.deepEqual(next.record(NOW + HOUR), kept)
  t.deepEqual(idsOf(next.order(all, NOW + HOUR)), idsOf(edge.order(all, NOW)))
  t.deepEqual(idsOf(next.order(all, NOW + 2 * HOUR)), plain)
})

test('speed is told by what is large, or slow by a second; a parcel takes a second of it', (t) => {
  const edge = new Edge()
  const bulk = node[0]!.shape('bulk')
  t.is(edge.carried(4_000, 900, 100), undefined)
  t.is(edge.lateAfter(100_000, 100), undefined)
  t.is(edge.room(bulk, 100, NOW), bulk.up.max)
  t.true(edge.carried(4_000, 2_100, 100))
  t.is(edge.fit.rate, 2)
  t.is(edge.room(bulk, 100, NOW), bulk.up.classes[0]!)
  for (let i = 0; i < 30; i++) t.not(edge.carried(60_000, 1_100, 100), undefined)
  t.is(edge.room(bulk, 100, NOW), bulk.up.classes.findLast((each) => each <= 60_000)!)
  t.is(Math.round(edge.lateAfter(60_000, 100)!), 4_400)
})
