/** The opened content of one direction of a connection, and which record each octet came in. */
import { concat } from '#protocol/bytes.ts'
import type { OpenRecord } from './decrypt.ts'

export class Content {
  readonly octets: Uint8Array
  private readonly ends: { readonly end: number; readonly record: OpenRecord }[] = []

  constructor(records: readonly OpenRecord[]) {
    let end = 0
    for (const record of records) {
      end += record.plain.length
      this.ends.push({ end, record })
    }
    this.octets = concat(...records.map(({ plain }) => plain))
  }

  /** The records that hold these octets. */
  holding(from: number, to: number): OpenRecord[] {
    return this.ends
      .filter(({ end, record }) => end > from && end - record.plain.length < to)
      .map(({ record }) => record)
  }
}

/** When an exchange was asked and answered, by the records that carried it, and their lengths. */
export interface Span {
  /** Milliseconds since the epoch: first and last octet up, first and last octet down; NaN where there was no answer. */
  readonly askedAt: number
  readonly saidAt: number
  readonly answeredAt: number
  readonly endedAt: number
  /** Lengths of the records, up and down, that carried this exchange and nothing else of another. */
  readonly up: readonly number[]
  readonly down: readonly number[]
}

export function span(up: readonly OpenRecord[], down: readonly OpenRecord[] = []): Span {
  return {
    askedAt: up[0]?.at ?? Number.NaN,
    saidAt: up.at(-1)?.at ?? Number.NaN,
    answeredAt: down[0]?.at ?? Number.NaN,
    endedAt: down.at(-1)?.at ?? Number.NaN,
    up: up.map(({ length }) => length),
    down: down.map(({ length }) => length),
  }
}
