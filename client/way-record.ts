/** What is kept of the way to a gateway, for the next time on the same network. Whole numbers. */
import { errorCodes } from '#protocol/errors.ts'
import type { EdgeRecord } from './edge.ts'
import type { FindingRecord } from './findings.ts'
import type { FitRecord } from './fit.ts'
import type { HoldRecord } from './hold.ts'

export interface WayRecord {
  /** Milliseconds. */
  readonly rttMs: number
  readonly hold: HoldRecord
  readonly fit: FitRecord
  /** Missing in what earlier versions wrote. */
  readonly edge?: EdgeRecord
  readonly findings: readonly FindingRecord[]
}

/** A record that another version wrote, or nobody, is none. */
export function wayRecordIn(value: unknown): WayRecord | undefined {
  const { rttMs, hold, fit, edge, findings } = (value ?? {}) as Partial<WayRecord>
  const good = typeof rttMs === 'number' && typeof hold?.factor === 'number' && Array.isArray(fit?.ups)
  if (!good || !Array.isArray(findings)) return undefined
  const isEdge = typeof edge === 'object' && edge !== null && (edge.cut === undefined || Array.isArray(edge.cut))
  const known = findings.filter(([code]) => code in errorCodes)
  return { rttMs, hold, fit: fit!, ...(isEdge && { edge }), findings: known }
}
