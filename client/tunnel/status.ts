/** What a tunnel says of itself, for views. */
import type { EndpointInfo } from '#firewall/permit.ts'
import type { Millis } from '#protocol/bytes.ts'
import type { ErrorCode } from '#protocol/errors.ts'
import { isSottoError } from '#protocol/errors.ts'
import type { EdgeReport } from '../edge.ts'
import type { Finding } from '../findings.ts'

export type TunnelState =
  | { readonly kind: 'connecting' | 'ready' | 'stopped' }
  | { readonly kind: 'failing'; readonly code: ErrorCode; readonly reason: string }

/** A template that was begun with in vain. */
export interface Tried {
  readonly template: string
  readonly code: ErrorCode
  /** Milliseconds since the epoch. */
  readonly at: Millis
}

export interface TunnelStatus {
  readonly endpoint: EndpointInfo
  readonly state: TunnelState
  /** Milliseconds since the epoch. */
  readonly since: number
  readonly template: string
  /** Exchanges go over a WebSocket; otherwise as HTTP requests. */
  readonly socket: boolean
  readonly rttMs: number
  readonly exchanges: number
  readonly sessions: number
  /** Milliseconds that the latest poll may be held. */
  readonly holdMs: number
  /** What is known of who handles our HTTP on the way. */
  readonly edge: EdgeReport
  /** What this path does, in the order it was found. */
  readonly findings: readonly Finding[]
  /** What was tried since the start and did not come through, oldest first, the last few. */
  readonly tried: readonly Tried[]
}

/** Code and words of whatever was thrown. */
export function describe(error: unknown): { readonly code: ErrorCode; readonly reason: string } {
  if (isSottoError(error)) return { code: error.code, reason: error.message }
  return { code: 'E_INTERNAL', reason: error instanceof Error ? error.message : 'unknown' }
}
