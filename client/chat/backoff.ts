/** When something is tried again, twice as long after each time, at most 15 minutes. */
import { ChatLimits } from './limits.ts'

/** Milliseconds to wait for a word of theirs after something was put for the `attempts`-th time, counted from 1. */
export function backoff(attempts: number): number {
  return doubled(ChatLimits.resendMs, attempts)
}

/** As well, after it could not be put: their gateway was out of reach, or had no keys of theirs yet. */
export function retryAfter(failures: number): number {
  return doubled(ChatLimits.retryMs, failures)
}

function doubled(first: number, times: number): number {
  return Math.min(first * 2 ** Math.min(times - 1, 16), ChatLimits.resendMaxMs)
}
