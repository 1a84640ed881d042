/** What an answer means that does not come from the gateway. */
import { SottoError } from '#protocol/errors.ts'
import type { Answer } from './carrier.ts'

/** What is looked at. */
type Said = Pick<Answer, 'status' | 'header'>

/** Answers of edges and front servers that say «not now» instead of giving the site: the request is worth repeating. */
const PASSING: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504])
/** Body, URL, header fields: too large for somebody on the way. */
const SIZE: ReadonlySet<number> = new Set([413, 414, 431])
const METHOD: ReadonlySet<number> = new Set([403, 405, 501])
/** Only passing ones: a site may have moved for good. */
const REDIRECT: ReadonlySet<number> = new Set([302, 303, 307])
/** RFC 6585 section 6. */
const LOGIN_REQUIRED = 511

export type Verdict = 'E_PATH_BUSY' | 'E_NET_PORTAL' | 'E_NET_SIZE'

/** undefined: the website answered. */
export function verdict(answer: Said, host: string): Verdict | undefined {
  const { status } = answer
  if (status === LOGIN_REQUIRED || (REDIRECT.has(status) && leadsAway(answer.header('location'), host)))
    return 'E_NET_PORTAL'
  if (PASSING.has(status)) return 'E_PATH_BUSY'
  return SIZE.has(status) ? 'E_NET_SIZE' : undefined
}

/** True where the refusal may be for the method: a template of GET only is worth a try. */
export function refusesMethod(answer: Said): boolean {
  return METHOD.has(answer.status)
}

/** The error of a verdict, for people. */
export function answerError(code: Verdict, answer: Said): SottoError {
  if (code === 'E_NET_PORTAL') return new SottoError(code, 'this network wants you to log in first')
  return new SottoError(code, `the server answered ${answer.status}`)
}

/** True for another site; `www.` and other parts of the same one do not count. */
function leadsAway(location: string | undefined, host: string): boolean {
  if (location === undefined || !URL.canParse(location, `https://${host}`)) return false
  const { hostname } = new URL(location, `https://${host}`)
  return hostname !== host && !hostname.endsWith(`.${host}`) && !host.endsWith(`.${hostname}`)
}
