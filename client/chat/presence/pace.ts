/** How often friends make us do something. In memory, for as many as there are friends. */
import type { Millis } from '#protocol/bytes.ts'
import { PresenceLimits } from '#protocol/presence/limits.ts'

const MINUTE_MS = 60_000

export class AnswerPace {
  private readonly answered = new Map<string, Millis>()
  private readonly greeted = new Map<string, Millis>()
  private readonly asked = new Map<string, Millis>()
  private lately: Millis[] = []

  mayAnswer(friend: string, now: Millis): boolean {
    this.lately = this.lately.filter((at) => at > now - MINUTE_MS && at <= now)
    if (this.lately.length >= PresenceLimits.answersPerMinute) return false
    if (!spend(this.answered, friend, now, PresenceLimits.answerMs)) return false
    this.lately.push(now)
    return true
  }

  /** Say again who we are. */
  mayGreet(friend: string, now: Millis): boolean {
    return spend(this.greeted, friend, now, PresenceLimits.greetingMs)
  }

  /** Ask, because of what others say of them. */
  mayAsk(friend: string, now: Millis): boolean {
    return spend(this.asked, friend, now, PresenceLimits.greetingMs)
  }
}

function spend(times: Map<string, Millis>, friend: string, now: Millis, everyMs: number): boolean {
  const before = times.get(friend)
  if (before !== undefined && Math.abs(now - before) < everyMs) return false
  times.set(friend, now)
  return true
}
