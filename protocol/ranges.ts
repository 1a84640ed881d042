/** A set of non-negative integers as sorted, disjoint, half-open ranges. Small: linear in the number of ranges. */

export type Range = readonly [start: number, end: number]

export class RangeSet {
  private ranges: Range[] = []

  get size(): number {
    return this.ranges.length
  }

  get isEmpty(): boolean {
    return this.ranges.length === 0
  }

  /** Lowest first. The array must not be changed. */
  list(): readonly Range[] {
    return this.ranges
  }

  has(value: number): boolean {
    return this.ranges.some(([start, end]) => value >= start && value < end)
  }

  add(start: number, end: number): void {
    if (start >= end) return
    const last = this.ranges.at(-1)
    if (last === undefined || start > last[1]) {
      // Not pushed: V8 makes room for 17 when one is pushed, and a gateway has some of these for every idle session.
      this.ranges = this.ranges.concat([[start, end]])
      return
    }
    const before = this.ranges.filter((range) => range[1] < start)
    const after = this.ranges.filter((range) => range[0] > end)
    const touched = this.ranges.slice(before.length, this.ranges.length - after.length)
    const low = Math.min(start, touched[0]?.[0] ?? start)
    const high = Math.max(end, touched.at(-1)?.[1] ?? end)
    this.ranges = [...before, [low, high], ...after]
  }

  remove(start: number, end: number): void {
    if (start >= end || this.isEmpty) return
    this.ranges = this.ranges.flatMap(([low, high]): Range[] => {
      if (high <= start || low >= end) return [[low, high]]
      const left: Range[] = low < start ? [[low, start]] : []
      return high > end ? [...left, [end, high]] : left
    })
  }

  /** The parts of [start, end) that are in the set. */
  within(start: number, end: number): Range[] {
    return this.ranges
      .map(([low, high]): Range => [Math.max(low, start), Math.min(high, end)])
      .filter(([low, high]) => low < high)
  }

  /** The parts of [start, end) that are not in the set. */
  missing(start: number, end: number): Range[] {
    const gap = new RangeSet()
    gap.add(start, end)
    for (const [low, high] of this.within(start, end)) gap.remove(low, high)
    return gap.ranges
  }

  first(): Range | undefined {
    return this.ranges[0]
  }

  /** End of the range that starts at or below `start` and reaches it; `start` itself where there is none. */
  reach(start: number): number {
    const hit = this.ranges.find(([low, high]) => low <= start && high >= start)
    return hit === undefined ? start : hit[1]
  }
}
