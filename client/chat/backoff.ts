/** When something is tried again: after 30 seconds, then twice as long each time, at most 15 minutes. */
import { ChatLimits } from './limits.ts'

/** Milliseconds to wait after the `attempts`-th time, counted from 1. */
export function backoff(attempts: number): number {
  return Math.min(ChatLimits.resendMs * 2 ** Math.min(attempts - 1, 16), ChatLimits.resendMaxMs)
}
