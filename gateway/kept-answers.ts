/** Answers of one session that may be asked for again: a retry gets the very same octets. */
import type { HttpResponse } from '#engine/template.ts'
import { Limits } from '#protocol/constants.ts'

/** By the number of the exchange. */
export class KeptAnswers {
  /** Oldest first. */
  private readonly answers = new Map<number, HttpResponse>()
  octets = 0

  get(number: number): HttpResponse | undefined {
    return this.answers.get(number)
  }

  /** The oldest go where there are too many. */
  keep(number: number, response: HttpResponse): void {
    this.answers.set(number, response)
    this.octets += response.body.length
    for (const old of this.answers.keys()) {
      if (this.answers.size <= Limits.storedReplies && this.octets <= Limits.storedReplyBytes) return
      this.drop(old)
    }
  }

  drop(number: number): void {
    const answer = this.answers.get(number)
    if (answer === undefined) return
    this.answers.delete(number)
    this.octets -= answer.body.length
  }
}
