/** One HTTP connection, whatever library speaks on it. Opened with its first request. */
import type { ExchangeRequest } from '../permit.ts'
import type { Answer } from './answer.ts'

export interface HttpClient {
  /**
   * Requests it carries at once: 1 for HTTP/1.1, more for HTTP/2, 0 once it takes no more, undefined while that is not
   * known because it has not connected.
   */
  readonly capacity: number | undefined
  /** Octets that have come on its connection, TLS included; 0 where there is none. */
  readonly heard: number
  /** Tells `answer` of everything, the end included. No more than `capacity` at once, one while that is not known. */
  dispatch(request: ExchangeRequest, answer: Answer): void
  /** Aborts what is under way, after which its answers are told. */
  destroy(): Promise<void>
}

/** What a client tells whoever opened it. */
export interface HttpClientEvents {
  /** `capacity` has changed. */
  readonly ready: () => void
  /** The connection is over or never came about; whoever had a request under way has been told before. */
  readonly gone: () => void
}
