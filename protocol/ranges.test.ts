import test from 'ava'
import fc from 'fast-check'
import { RangeSet } from './ranges.ts'

const step = fc.record({ add: fc.boolean(), start: fc.nat(40), length: fc.nat(12) })

test('a range set behaves as a set of integers', (t) => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), fc.nat(50), fc.nat(20), (steps, from, length) => {
      const ranges = new RangeSet()
      const naive = new Set<number>()
      for (const { add, start, length: size } of steps) {
        if (add) ranges.add(start, start + size)
        else ranges.remove(start, start + size)
        for (let i = start; i < start + size; i++) add ? naive.add(i) : naive.delete(i)
      }
      const flat = (list: readonly (readonly [number, number])[]): number[] =>
        list.flatMap(([low, high]) => Array.from({ length: high - low }, (_, i) => low + i))
      const all = [...naive].sort((a, b) => a - b)
      const inside = all.filter((i) => i >= from && i < from + length)
      const outside = Array.from({ length }, (_, i) => from + i).filter((i) => !naive.has(i))
      t.deepEqual(flat(ranges.list()), all)
      t.deepEqual(flat(ranges.within(from, from + length)), inside)
      t.deepEqual(flat(ranges.missing(from, from + length)), outside)
      t.is(ranges.has(from), naive.has(from))
      let reach = from
      while (naive.has(reach)) reach++
      t.is(ranges.reach(from), reach)
      const disjoint = ranges.list().every(([low], i, list) => i === 0 || low > list[i - 1]![1])
      t.true(disjoint)
    }),
  )
})
