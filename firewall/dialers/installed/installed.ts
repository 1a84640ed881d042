/**
 * The dialer that is the member's own browser: it shows the site's page, as to any visitor, and that page's `fetch` makes
 * the exchanges. So TLS, HTTP and headers are a browser's because they are. Started when first needed; one for each endpoint.
 */
import type { SottoError } from '#protocol/errors.ts'
import type { Refusal } from '../../policy.ts'
import { refusalError } from '../../refusals.ts'
import type { DialEvent, Dialer, DialTarget } from '../dialer.ts'
import type { Route } from '../route.ts'
import type { Machine } from './machine.ts'
import { pageRequest } from './page-request.ts'
import type { Installed } from './program.ts'
import { removeProfiles } from './program.ts'
import type { PinnedKey } from './tab.ts'
import { Visitor } from './visitor.ts'

export interface InstalledDialerOptions {
  readonly browser: Installed
  /** The broker's own: profiles lie there while browsers run. */
  readonly folder: string
  readonly route: Route
  /** For a process that is locked down. */
  readonly machine?: Machine
  /** Milliseconds for one connection, and the rest as for any dialer (`DialLimits`). */
  readonly connectMs?: number
  readonly stallMs?: number
  readonly answerMs?: number
}

export function installedDialer(options: InstalledDialerOptions): Dialer {
  const visitors = new Map<string, Visitor>()
  const pins = new Map<string, PinnedKey>()
  const dialed: ((event: DialEvent) => void)[] = []
  const refused: ((reason: Refusal, endpoint: string) => void)[] = []
  const refuse = (reason: Refusal, endpoint: string): SottoError => {
    for (const listener of refused) listener(reason, endpoint)
    return refusalError(reason)
  }
  let cleaned: Promise<void> | undefined
  const visitorFor = (target: DialTarget): Visitor => {
    const present = visitors.get(target.id)
    if (present !== undefined) return present
    const made = new Visitor({
      ...options,
      ...{ target, pins },
      dialed: (error) => {
        const event = { endpoint: target.id, ...(error !== undefined && { code: error.code }) }
        for (const listener of dialed) listener(event)
      },
      refused: () => void refuse('browser-request', target.id),
    })
    visitors.set(target.id, made)
    return made
  }
  return {
    // It is that browser: nothing is known that differs.
    describe: () => ({
      ...{ family: 'chromium', version: options.browser.version, os: process.platform },
      ...{ alpn: ['h2', 'http/1.1'], writesAgent: true },
      knownLeaks: ['HTTP: User-Agent, Accept-Language and client hints are this browser’s, whatever the template says'],
    }),
    exchange: async (target, request, exchangeOptions) => {
      const page = target.front === undefined ? pageRequest(request, target) : undefined
      if (page === undefined) throw refuse('beyond-a-page', target.id)
      cleaned ??= removeProfiles(options.folder)
      await cleaned
      return visitorFor(target).exchange(page, exchangeOptions)
    },
    forget: async (endpointId) => {
      const visitor = visitors.get(endpointId)
      visitors.delete(endpointId)
      await visitor?.close()
    },
    onDial: (listener) => void dialed.push(listener),
    onRefusal: (listener) => void refused.push(listener),
    close: async () => {
      const all = [...visitors.values()]
      visitors.clear()
      await Promise.all(all.map((visitor) => visitor.close()))
    },
  }
}
