/** What everybody gets who is no member: the website. One function, whatever stands behind it. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Socket } from 'socket.io'
import type { DecoyChoice } from '../config.ts'
import { accelDecoy, accelRefusal } from './accel.ts'
import { sendPage } from './answer.ts'
import { withAnswers } from './answers.ts'
import { withNotices } from './notices.ts'
import { pageRefusal } from './refusal.ts'
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
  /** As `handle`, for somebody who is let in however full it is. `entered` is called once the visitor has joined. */
  readonly enter?: (request: IncomingMessage, socket: Duplex, head: Buffer, entered: (guest: Guest) => void) => void
}

/** A visitor of the site's socket.io server. */
export type Guest = Socket

/**
 * The website's words to what Node's parser has refused, so that no request reached `Decoy`: a whole answer, after which
 * the connection ends. `code`: of the parser's error, or METHOD for CONNECT.
 */
export type Refusal = (code: string) => Uint8Array

export interface OpenDecoy {
  readonly decoy: Decoy
  readonly upgrade?: Upgrades
  readonly refusal: Refusal
  readonly close: () => Promise<void>
}

/**
 * @param onFault told what the operator should know: the site's folder went away, the upstream does not answer
 * @throws SottoError E_CONFIG where the folder is no site, or its fixed answers or notice room are not usable
 */
export async function openDecoy(choice: DecoyChoice, onFault: (error: unknown) => void): Promise<OpenDecoy> {
  if (choice.kind === 'upstream') {
    const upstream = upstreamDecoy(choice.url, onFault)
    return { ...upstream, decoy: hosted(upstream.decoy) }
  }
  const close = async (): Promise<void> => undefined
  if (choice.kind === 'accel') {
    return { decoy: accelDecoy(choice.location), refusal: accelRefusal(choice.location), close }
  }
  const site = await Site.open({ folder: choice.folder, onFault })
  const decoy = await withAnswers(choice.folder, staticDecoy(site))
  return await withNotices(choice.folder, { decoy: hosted(decoy), refusal: pageRefusal, close })
}

/** HTTP/1.1 without a host is refused (RFC 9112 section 3.2), as nginx refuses it. */
function hosted(decoy: Decoy): Decoy {
  return async (request, response, body) => {
    if (!request.headers.host && request.httpVersionMinor > 0) sendPage(request, response, 400, { close: true })
    else await decoy(request, response, body)
  }
}
