/** What a stranger sees of the website, and whether the templates' paths look like the rest of it. */
import type { CompiledTemplate } from '#engine/compile.ts'
import { constantTimeEqual, hex, type Random } from '#protocol/bytes.ts'
import { sha256 } from '#protocol/crypto/hash.ts'
import type { Website } from '../config.ts'
import type { Handshake, Place, Question, Reply } from './ask.ts'
import { ask, askOrigin, headerOf, shakeHands } from './ask.ts'
import { bad, type Finding, good, RENEW, RENEWED_BY_DAYS } from './finding.ts'

const DAY_MS = 86_400_000
/** What members' clocks may be away from the website's. */
const CLOCK_MS = 300_000
/** Octets of the largest body of a template, see its limits. */
const LARGEST_BODY = 262_144

/** @param pin hash that invites name, where they name one */
export function checkCertificate(
  { certificate, validFrom, validTo, doubt }: Handshake,
  pin: Uint8Array | undefined,
  now: number,
): Finding {
  if (now < validFrom.getTime() || now > validTo.getTime())
    return bad('certificate', 'fail', `The certificate is good from ${day(validFrom)} to ${day(validTo)} only.`, RENEW)
  if (pin !== undefined && !constantTimeEqual(pin, sha256(certificate)))
    return bad(
      'certificate',
      'fail',
      'The website shows another certificate than the one that invites name.',
      'Put that certificate back, or correct front.certificate and invite everybody anew.',
    )
  if (pin === undefined && doubt !== undefined)
    return bad(
      'certificate',
      'fail',
      `Nobody vouches for the certificate (${doubt}).`,
      'Get one from a public authority, with its chain; or name it in front.certificate, and make new invites.',
    )
  const days = Math.floor((validTo.getTime() - now) / DAY_MS)
  if (days < RENEWED_BY_DAYS) return bad('certificate', 'warn', `The certificate ends in ${days} days.`, RENEW)
  return good('certificate', `The certificate is good until ${day(validTo)}.`)
}

const day = (date: Date): string => date.toISOString().slice(0, 10)

/** Fewer streams than a browser has requests under way stand out, and members wait for each other's behind a shared edge. */
const LEAST_STREAMS = 32

/** @param streams requests that one connection may have at once; undefined where there is no limit */
export function checkHttp2({ alpn }: Handshake, streams: number | undefined): Finding {
  if (streams !== undefined && streams < LEAST_STREAMS) {
    const mend = 'nginx: http2_max_concurrent_streams 128; or leave the line out.'
    return bad('http2', 'warn', `One HTTP/2 connection may have ${streams} requests at once.`, mend)
  }
  if (alpn === 'h2') return good('http2', `HTTP/2 is offered, with ${streams ?? 'any number of'} requests at once.`)
  return bad(
    'http2',
    'warn',
    'HTTP/2 is not offered.',
    'nginx: listen 443 ssl http2. Caddy offers it. Stand-alone there is none: put a web server in front.',
  )
}

export async function checkTls(place: Place): Promise<Finding> {
  try {
    await shakeHands(place, { min: 'TLSv1', max: 'TLSv1.1' })
  } catch {
    return good('tls', 'TLS below 1.2 is refused.')
  }
  return bad('tls', 'warn', 'TLS 1.0 or 1.1 is accepted.', 'nginx: ssl_protocols TLSv1.2 TLSv1.3;')
}

export function checkClock(page: Reply, now: number): Finding {
  const date = Date.parse(headerOf(page, 'date') ?? '')
  const away = Math.abs(date - now)
  if (away <= CLOCK_MS) return good('clock', 'The website tells the right time.')
  const what = Number.isNaN(date)
    ? 'The website’s answers have no date.'
    : `The website’s clock is ${Math.round(away / 1000)} s away from this machine’s.`
  return bad('clock', 'fail', what, 'Keep the clock by NTP: timedatectl set-ntp true. An answer needs its Date header.')
}

/** A stranger's request and what came of it. */
export interface Probe {
  readonly question: Question
  readonly reply: Reply
  /** The website's own answer: to the same request, or, where it has nothing there, to one it knows as little. */
  readonly own: Reply | undefined
}

/** Requests of every live shape, perfect but for the secret. */
export async function probe(
  place: Place,
  templates: readonly CompiledTemplate[],
  site: Website | undefined,
  random: Random,
): Promise<Probe[]> {
  const questions = templates.flatMap(({ shapes }) =>
    shapes.map((shape): Question => {
      const parcel = random(shape.up.classes[0]!)
      return shape.encodeRequest({ token: random(16), parcel, host: place.domain, random })
    }),
  )
  const probes: Probe[] = []
  for (const question of questions) {
    const reply = await ask(place, question)
    probes.push({ question, reply, own: await ownAnswer(place, site, question, reply, random) })
  }
  return probes
}

async function ownAnswer(
  place: Place,
  site: Website | undefined,
  question: Question,
  { status }: Reply,
  random: Random,
): Promise<Reply | undefined> {
  if (site?.kind === 'upstream') return await askOrigin(site.url, place.domain, question)
  // A folder has no answer of its own for a path: what it does not have is all the same to it.
  if (status !== 404 && status !== 405) return undefined
  return await ask(place, { ...question, target: `/${hex(random(6))}${question.target}` })
}

/** @param url of the application behind the web server */
export async function checkApplication(url: string, domain: string): Promise<Finding> {
  try {
    const { status } = await askOrigin(url, domain, { method: 'GET', target: '/', headers: [], body: undefined })
    return good('application', `The website’s application answers at ${url} (${status}).`)
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    const mend = 'Start it, or correct front.upstream (or decoy) in gateway.yaml and run sotto gateway init again.'
    return bad('application', 'fail', `The website’s application does not answer at ${url} (${reason}).`, mend)
  }
}

export function checkPaths(probes: readonly Probe[]): Finding {
  const nothing = probes.filter(({ reply }) => reply.status === 404).map(({ question }) => nameOf(question))
  if (nothing.length === 0) return good('paths', 'The website has something on every path of the templates.')
  return bad(
    'paths',
    'warn',
    `The website has nothing at ${unique(nothing).join(', ')}.`,
    'Choose a template that fits your website, or let its application answer there.',
  )
}

/** @param upstream `own` comes from the application itself, and lacks what the web server adds */
export function checkParity(probes: readonly Probe[], upstream: boolean): Finding {
  const odd = probes.filter(({ reply, own }) => own !== undefined && !isSame(reply, own, upstream))
  if (odd.length === 0) return good('parity', 'Strangers get on the templates’ paths what they get elsewhere.')
  const list = odd.map(({ question, reply, own }) => `${nameOf(question)} (${difference(reply, own!)})`)
  return bad(
    'parity',
    'fail',
    `Other than the website: ${unique(list).join(', ')}.`,
    'Make the named location (nginx) answer exactly as the website does, or put the snippet at the top of the route (Caddy).',
  )
}

function difference(reply: Reply, own: Reply): string {
  const status = `${reply.status}, the website itself ${own.status}`
  if (reply.status !== own.status) return status
  return `${status}, with ${reply.body.equals(own.body) ? 'other headers' : 'another body'}`
}

function isSame(reply: Reply, own: Reply, upstream: boolean): boolean {
  if (reply.status !== own.status || !reply.body.equals(own.body)) return false
  return upstream
    ? headerOf(reply, 'content-type') === headerOf(own, 'content-type')
    : headLines(reply) === headLines(own)
}

/** Names in order and in their case, with the values that do not change by themselves. */
const headLines = ({ headers }: Reply): string =>
  headers
    .map((text, index) =>
      index % 2 === 1 && /^(date|set-cookie|x-request-id)$/i.test(headers[index - 1]!) ? '' : text,
    )
    .join('\n')

const leaks = /^(x-accel-|x-powered-by$|via$|x-forwarded-|keep-alive$|x-sotto)/i

/** @param page the website's first page: what it says there, it may say everywhere */
export function checkHeaders(page: Reply, probes: readonly Probe[]): Finding {
  const known = new Set(namesOf(page))
  const found = probes.flatMap(({ reply, own }) => {
    const mine = new Set([...known, ...(own === undefined ? [] : namesOf(own))])
    const names = namesOf(reply).filter((name) => leaks.test(name) && !mine.has(name))
    return headerOf(reply, 'server') === headerOf(page, 'server')
      ? names
      : [...names, `server: ${headerOf(reply, 'server')}`]
  })
  if (found.length === 0) return good('headers', 'No header is there on the templates’ paths only.')
  return bad(
    'headers',
    'fail',
    `Only on the templates’ paths: ${unique(found).join(', ')}.`,
    'Take them away in the web server (proxy_hide_header, header_down).',
  )
}

/** What an edge that keeps answers says of one that it has kept. */
const isKept = (reply: Reply): boolean =>
  Number(headerOf(reply, 'age') ?? 0) > 0 ||
  /\bhit\b/i.test(headerOf(reply, 'x-cache') ?? headerOf(reply, 'cf-cache-status') ?? '')

/** The same questions: what was answered first is kept for the second, where it is kept. */
export async function askAgain(place: Place, probes: readonly Probe[]): Promise<Probe[]> {
  const again: Probe[] = []
  for (const { question } of probes) again.push({ question, reply: await ask(place, question), own: undefined })
  return again
}

export function checkCache(again: readonly Probe[]): Finding {
  const kept = again.filter(({ reply }) => isKept(reply)).map(({ question }) => nameOf(question))
  if (kept.length === 0) return good('cache', 'Nothing in front says that it keeps answers of the templates’ paths.')
  const mend = 'Tell the content network not to cache these paths.'
  return bad('cache', 'fail', `Kept in front: ${unique(kept).join(', ')}.`, mend)
}

const namesOf = ({ headers }: Reply): string[] =>
  headers.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase())

/** undefined where no template sends bodies. */
export async function checkBody(place: Place, probes: readonly Probe[]): Promise<Finding | undefined> {
  const question = probes.find(({ question: { body } }) => body !== undefined)?.question
  if (question === undefined) return undefined
  const reply = await ask(place, { ...question, body: new Uint8Array(LARGEST_BODY) }).catch(() => undefined)
  if (reply !== undefined && reply.status !== 413) return good('body', 'Bodies of 256 KiB are accepted.')
  return bad(
    'body',
    'fail',
    'A body of 256 KiB is refused.',
    'nginx: client_max_body_size 1m; Caddy: no request_body below that.',
  )
}

const nameOf = ({ method, target }: Question): string => `${method} ${target.split('?', 1)[0]}`
const unique = (texts: readonly string[]): string[] => [...new Set(texts)]
