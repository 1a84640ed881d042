/** What every benchmark prints: a table for people, and last, with --json, one line of JSON. */

/** One measured thing: name, figure, unit, and the configuration it was measured in. */
export interface Row {
  readonly what: string
  readonly value: number
  readonly unit: string
  readonly setting: string
}

export interface Report {
  readonly rows: readonly Row[]
  /** Keys of the JSON line. */
  readonly result: Readonly<Record<string, unknown>>
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  if (sorted.length === 0) return Number.NaN
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN
}

/** Median, and where it lies in 95 of 100 samples drawn anew from these values. Always the same for the same values. */
export function interval(values: readonly number[]): { middle: number; low: number; high: number } {
  let seed = 1
  const draw = (): number => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
    return values[Math.floor((seed / 2 ** 32) * values.length)]!
  }
  const medians = Array.from({ length: 2_000 }, () => median(values.map(draw)))
  return { middle: median(values), low: quantile(medians, 0.025), high: quantile(medians, 0.975) }
}

export function round(value: number, digits = 3): number {
  return Number(value.toFixed(digits))
}

export function print({ rows, result }: Report, json: boolean): void {
  const widths = [
    Math.max(...rows.map(({ what }) => what.length)),
    Math.max(...rows.map(({ value }) => String(value).length)),
    Math.max(...rows.map(({ unit }) => unit.length)),
  ]
  for (const { what, value, unit, setting } of rows) {
    console.log(
      `${what.padEnd(widths[0]!)}  ${String(value).padStart(widths[1]!)} ${unit.padEnd(widths[2]!)}  ${setting}`,
    )
  }
  if (json) console.log(JSON.stringify(result))
}
