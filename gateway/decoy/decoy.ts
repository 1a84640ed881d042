/** What everybody gets who is no member: the website. One function, whatever stands behind it. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { DecoyChoice } from '../config.ts'
import { accelDecoy } from './accel.ts'
import { withAnswers } from './answers.ts'
import { withNotices } from './notices.ts'
import { Site } from './site.ts'
import { staticDecoy } from './static.ts'
import { upstreamDecoy } from './upstream.ts'

/**
 * Answers a request as the website does. `body`: what has been read of the request's body already; the rest, if any, is
 * still to come from `request`. Resolves once the answer is under way or the visitor has left; never rejects.
 */
export type Decoy = (request: IncomingMessage, response: ServerResponse, body?: Uint8Array) => Promise<void>

/** For a site that speaks more than HTTP. */
export interface Upgrades {
  /** False: the request is answered as if it had not asked. */
  readonly wanted: (request: IncomingMessage) => boolean
  readonly handle: (request: IncomingMessage, socket: Duplex, head: Buffer) => void
}

export interface OpenDecoy {
  readonly decoy: Decoy
  readonly upgrade?: Upgrades
  readonly close: () => Promise<void>
}

/**
 * @param onFault told what the operator should know: the site's folder went away, the upstream does not answer
 * @throws SottoError E_CONFIG where the folder is no site, or its fixed answers or notice room are not usable
 */
export async function openDecoy(choice: DecoyChoice, onFault: (error: unknown) => void): Promise<OpenDecoy> {
  if (choice.kind === 'upstream') return upstreamDecoy(choice.url, onFault)
  const close = async (): Promise<void> => undefined
  if (choice.kind === 'accel') return { decoy: accelDecoy(choice.location), close }
  const site = await Site.open({ folder: choice.folder, onFault })
  return await withNotices(choice.folder, { decoy: await withAnswers(choice.folder, staticDecoy(site)), close })
}
