/** What anybody sees of the website that stands before a gateway, asked through the firewall like everything else. */
import type { CompiledTemplate } from '#engine/compile.ts'
import type { ExchangeRequest, Permit } from '#firewall/permit.ts'
import { hex } from '#protocol/bytes.ts'
import { TOKEN_LENGTH } from '#protocol/constants.ts'
import { isSottoError } from '#protocol/errors.ts'
import { type Answer, toAnswer } from '../carrier.ts'
import type { Clockwork } from '../clockwork.ts'
import { hostOf } from '../introduction.ts'
import { verdict } from '../verdict.ts'
import type { Findings } from './finding.ts'

/** Milliseconds until an answer counts as missing. */
const ANSWER_MS = 15_000
/** What clocks may be apart: a bucket of first contacts. */
const CLOCK_MS = 300_000

export interface Visit {
  readonly permit: Permit
  readonly template: CompiledTemplate
  readonly clockwork: Clockwork
  readonly findings: Findings
}

const ask = async ({ permit, template: { family } }: Visit, request: ExchangeRequest): Promise<Answer> =>
  toAnswer(await permit.exchange(request, { family, timeoutMs: ANSWER_MS }))

/** True where the website answers. */
export async function visitAsStranger(visit: Visit): Promise<boolean> {
  const page = await loadPage(visit)
  if (page === undefined) return false
  checkClock(visit, page)
  await checkTemplatePaths(visit, page)
  return true
}

async function loadPage(visit: Visit): Promise<Answer | undefined> {
  const { permit, template, findings } = visit
  const { host, port } = permit.endpoint
  try {
    const page = await ask(visit, {
      method: 'GET',
      target: template.page,
      headers: template.pageHeaders,
      body: undefined,
    })
    if (verdict(page, host) === 'E_NET_PORTAL') {
      findings.bad(
        'front',
        'fail',
        `${host} leads away from itself: this network wants a login.`,
        'Open any website in a browser and log in there.',
      )
      return undefined
    }
    findings.good('front', `The website answers at ${host}:${port}, with a certificate that your invite allows.`)
    return page
  } catch (error) {
    if (!isSottoError(error)) throw error
    findings.bad('front', 'fail', `No website at ${host}:${port} (${error.code}: ${error.message}).`, error.next)
    return undefined
  }
}

function checkClock({ findings, clockwork }: Visit, page: Answer): void {
  const date = Date.parse(page.header('date') ?? '')
  if (Number.isNaN(date))
    return findings.bad(
      'clock',
      'fail',
      'The website’s answers have no date.',
      'operator: let the web server send Date.',
    )
  const away = Math.round((date - clockwork.now()) / 1000)
  if (Math.abs(away) * 1000 <= CLOCK_MS) return findings.good('clock', `The clocks are ${Math.abs(away)} s apart.`)
  const mend = 'Look at the clock of this machine first. If it is right, operator: timedatectl set-ntp true.'
  findings.bad('clock', 'warn', `The website’s clock is ${away} s ${away > 0 ? 'ahead of' : 'behind'} this one.`, mend)
}

/** Requests of every shape, perfect but for the secret, beside the website's own page. */
async function checkTemplatePaths(visit: Visit, page: Answer): Promise<void> {
  const { template, clockwork, permit, findings } = visit
  const { random } = clockwork
  const missing = new Set<string>()
  const leaking = new Set<string>()
  const kept = new Set<string>()
  for (const shape of template.shapes) {
    const request = shape.encodeRequest({
      ...{ token: random(TOKEN_LENGTH), parcel: random(shape.up.classes[0]!), host: hostOf(permit), random },
    })
    const place = `${request.method} ${request.target.split('?', 1)[0]}`
    const answer = await ask(visit, request).catch((error: unknown) => {
      if (!isSottoError(error)) throw error
      missing.add(`${place} (${error.code})`)
    })
    if (answer === undefined) continue
    if (answer.status === 404) missing.add(place)
    // What the website says of a path that it does not have, it may say here.
    const elsewhere = await ask(visit, { ...request, target: `/${hex(random(6))}${request.target}` }).catch(
      () => undefined,
    )
    for (const name of leaksIn(answer, [page, elsewhere])) leaking.add(name)
    if (
      /\bhit\b/i.test(answer.header('x-cache') ?? answer.header('cf-cache-status') ?? '') ||
      Number(answer.header('age')) > 0
    )
      kept.add(place)
  }
  const fits = 'operator: choose a template that fits the website, or let its application answer there.'
  if (missing.size === 0) findings.good('paths', 'The website has something on every path of the template.')
  else findings.bad('paths', 'warn', `The website has nothing at ${[...missing].join(', ')}.`, fits)
  if (leaking.size === 0) findings.good('headers', 'No header is there on the template’s paths only.')
  else
    findings.bad(
      'headers',
      'fail',
      `Only on the template’s paths: ${[...leaking].join(', ')}.`,
      'operator: take them away in the web server.',
    )
  if (kept.size === 0) findings.good('cache', 'Nothing on the way says that it keeps answers.')
  else
    findings.bad(
      'cache',
      'fail',
      `Kept on the way: ${[...kept].join(', ')}.`,
      'operator: no caching for the template’s paths at the edge.',
    )
}

const telling = /^(x-accel-|x-powered-by$|via$|x-forwarded-|keep-alive$|x-sotto|server$)/i

function leaksIn(answer: Answer, known: readonly (Answer | undefined)[]): string[] {
  const linesOf = (each: Answer): string[] =>
    each.response.headers
      .filter(([name]) => telling.test(name))
      .map(([name, value]) => (name.toLowerCase() === 'server' ? `server: ${value}` : name.toLowerCase()))
  const ordinary = new Set(known.flatMap((each) => (each === undefined ? [] : linesOf(each))))
  return linesOf(answer).filter((line) => !ordinary.has(line))
}
