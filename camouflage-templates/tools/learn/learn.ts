/** From a recording of the operator's own site to a template: `sotto templates learn`. */

import { compileTemplate } from '#engine/compile.ts'
import { TemplateLimits } from '#engine/limits.ts'
import { loadTemplate } from '#engine/load.ts'
import type { Family, Kind, TemplateData } from '#engine/template.ts'
import { TemplateError } from '#engine/template-error.ts'
import { SottoError } from '#protocol/errors.ts'
import { familyOfAgent } from '../families.ts'
import type { Finding } from '../lint/lint.ts'
import { lintTemplate } from '../lint/lint.ts'
import { Namer } from './assign.ts'
import { Unusable } from './bodies.ts'
import type { Candidate } from './candidate.ts'
import { learnRoute } from './candidate.ts'
import type { Exchange } from './har.ts'
import { readHar } from './har.ts'
import { learnHeaders } from './headers.ts'
import { mostCommon } from './json.ts'
import type { Notes } from './notebook.ts'
import { Notebook } from './notebook.ts'
import type { Times } from './rhythm.ts'
import { learnRhythm, thinkTimes, timesOf } from './rhythm.ts'
import type { Route } from './routes.ts'
import { findRoutes } from './routes.ts'
import { samplesOf } from './samples.ts'
import { toYaml } from './yaml.ts'

export interface RouteReport {
  readonly route: string
  readonly exchanges: number
  /** What it is used for; none where it is not used. */
  readonly kinds: readonly Kind[]
  /** Why it cannot be used; undefined for a route that could, whether or not it is. */
  readonly reason: string | undefined
  readonly token?: string
  readonly up?: string
  readonly down?: string
  /** Octets of the answers' bodies, and milliseconds until they began. */
  readonly answerOctets: Times
  readonly answerMs: Times
  readonly thinkMs: Times
}

export interface LearnReport extends Notes {
  readonly exchanges: number
  /** Of other sites, which were left alone. */
  readonly foreign: number
  readonly family: Family
  readonly rhythm: TemplateData['rhythm']
  readonly routes: readonly RouteReport[]
  /** What `lint` says: warnings only. */
  readonly lint: readonly Finding[]
}

export interface Learned {
  readonly data: TemplateData
  /** Of template.yaml. */
  readonly text: string
  /** Masked samples by file name. */
  readonly samples: ReadonlyMap<string, string>
  readonly report: LearnReport
}

/**
 * `har`: text of the file, `file` its name for errors, `id` of the template to be.
 * @throws SottoError `E_HAR`: no readable recording; `E_LEARN`: no template can be made of it, saying why of every route
 */
export async function learnTemplate(har: string, file: string, id: string): Promise<Learned> {
  const recorded = readHar(har, file)
  const own = ownExchanges(recorded)
  const notebook = new Notebook()
  const visit = findVisit(own)
  const { used, routes } = learnRoutes(own, visit)
  const kinds = chooseKinds(used, routes)
  const data = assemble({ id, visit, kinds, notebook })
  const text = toYaml(data, comment(visit.family))
  const lint = await check(text, `${id}/template.yaml`)
  const report = routes.map((route) => reportOf(route, kinds, used, own))
  return {
    ...{ data, text },
    samples: samplesFor(data, kinds),
    report: {
      ...{ exchanges: own.length, foreign: recorded.length - own.length, family: visit.family, rhythm: data.rhythm },
      ...{ routes: report, lint, ...notebook.all },
    },
  }
}

// ---- whose recording, of what ------------------------------------------------------------------------------------------

/** Of the site whose page was opened first, or else of the one with the most exchanges. */
function ownExchanges(all: readonly Exchange[]): readonly Exchange[] {
  if (all.length === 0) throw new SottoError('E_LEARN', 'the recording is empty')
  const page = all.find(({ response }) => response.type === 'text/html')
  const origin = page?.url.origin ?? mostCommon(all.map(({ url }) => url.origin))
  return all.filter(({ url }) => url.origin === origin)
}

interface Visit {
  readonly family: Family
  readonly hosts: ReadonlySet<string>
  readonly page: Exchange | undefined
}

function findVisit(own: readonly Exchange[]): Visit {
  const agents = own.flatMap(({ request }) => {
    return request.headers.filter(([name]) => name.toLowerCase() === 'user-agent').map(([, value]) => value)
  })
  const agent = agents.length === 0 ? undefined : mostCommon(agents)
  const family = familyOfAgent(agent?.replaceAll('HeadlessChrome', 'Chrome'))
  if (family === undefined) {
    const what = agent === undefined ? 'no request has a User-Agent' : `«${agent}» is none of node, chromium, firefox`
    throw new SottoError('E_LEARN', `no template can be made: ${what}`)
  }
  const page = own.find(
    ({ method, response }) => method === 'GET' && response.type === 'text/html' && response.status === 200,
  )
  return { family, hosts: new Set(own.map(({ url }) => url.host)), page }
}

// ---- which routes carry what -------------------------------------------------------------------------------------------

interface Judged {
  readonly route: Route
  readonly reason: string | undefined
}

function learnRoutes(own: readonly Exchange[], { family, hosts }: Visit): { used: Candidate[]; routes: Judged[] } {
  const used: Candidate[] = []
  const routes = findRoutes(own).map((route): Judged => {
    try {
      used.push(learnRoute({ route, family, hosts }))
      return { route, reason: undefined }
    } catch (error) {
      if (!(error instanceof Unusable)) throw error
      return { route, reason: error.message }
    }
  })
  return { used, routes }
}

type Kinds = Readonly<Record<Kind, Candidate>>

/** The route that waits longest is polled; messages go where answers are quick; files where most fits. */
function chooseKinds(candidates: readonly Candidate[], routes: readonly Judged[]): Kinds {
  const [from, to] = TemplateLimits.textClass
  const carriesText = (classes: readonly number[]): boolean => classes.some((length) => length >= from && length <= to)
  const best = (list: readonly Candidate[], rank: (each: Candidate) => number): Candidate | undefined =>
    list.toSorted((a, b) => rank(b) - rank(a))[0]
  const poll = best(
    candidates.filter(({ down }) => carriesText(down)),
    ({ waitMs, down }) => waitMs * 1e6 + down.at(-1)!,
  )
  const senders = candidates.filter(({ up }) => carriesText(up))
  const send = best(senders, (each) => (each === poll ? 0 : 1e9) - each.waitMs)
  const bulk = best(candidates, ({ up, down }) => up.at(-1)! + down.at(-1)!)
  const { firstContact } = TemplateLimits
  const roomy = [poll, send, bulk].some(
    (each) => (each?.up.at(-1) ?? 0) >= firstContact && (each?.down.at(-1) ?? 0) >= firstContact,
  )
  if (poll !== undefined && send !== undefined && bulk !== undefined && roomy) return { poll, send, bulk }
  const missing = [
    ...(send === undefined ? [`no request carries ${from} to ${to} octets, which a text message takes`] : []),
    ...(poll === undefined ? [`no answer carries ${from} to ${to} octets, which a text message takes`] : []),
    ...(roomy ? [] : [`no route carries ${firstContact} octets each way, which a first contact takes`]),
  ]
  const details = routes.slice(0, 20).map(({ route, reason }) => `  ${route.name}: ${reason ?? 'carries too little'}`)
  throw new SottoError('E_LEARN', [`no template can be made: ${missing.join('; ')}`, ...details].join('\n'))
}

// ---- the template ------------------------------------------------------------------------------------------------------

interface AssembleInput {
  readonly id: string
  readonly visit: Visit
  readonly kinds: Kinds
  readonly notebook: Notebook
}

function assemble({ id, visit, kinds, notebook }: AssembleInput): TemplateData {
  const namer = new Namer()
  const chosen = [...new Set(Object.values(kinds))]
  const names = new Map<Candidate, string>()
  for (const candidate of chosen) {
    names.set(candidate, shapeName(candidate.route, [...names.values()]))
    notebook.add(candidate.notebook)
  }
  const shapes = Object.fromEntries(chosen.map((candidate) => [names.get(candidate)!, candidate.shape(namer)]))
  const rhythm = learnRhythm(
    kinds.poll.route.exchanges,
    chosen.flatMap(({ route }) => route.exchanges),
    notebook,
  )
  const kindNames = {
    poll: names.get(kinds.poll)!,
    send: names.get(kinds.send)!,
    bulk: names.get(kinds.bulk)!,
  }
  const page = learnPage(visit, notebook)
  const { family } = visit
  return { format: 1, id, version: 1, family, page, rhythm, kinds: kindNames, holes: namer.holes, shapes }
}

/** Last word of the path. */
function shapeName({ name }: Route, taken: readonly string[]): string {
  const word = name
    .split(/[^A-Za-z]+/)
    .filter((each) => each.length > 1)
    .at(-1)!
    .toLowerCase()
  const plain = word === 'get' || word === 'post' ? 'main' : word.slice(0, 28)
  for (let n = 1; ; n++) {
    const wanted = n === 1 ? plain : `${plain}${n}`
    if (!taken.includes(wanted)) return wanted
  }
}

function learnPage({ page, family, hosts }: Visit, notebook: Notebook): TemplateData['page'] {
  if (page === undefined) throw new SottoError('E_LEARN', 'no template can be made: no page of the site was recorded')
  const samples = [page.request.headers]
  const drafts = learnHeaders({ samples, direction: 'request', family, hosts, where: 'page', notebook: new Notebook() })
  const constant = drafts.flatMap(({ name, pieces }): [string, string][] => {
    const value = pieces.map((piece) => (typeof piece === 'string' ? piece : '')).join('')
    return value === '' || value.includes('{{') ? [] : [[name, value]]
  })
  if (page.url.search !== '') notebook.note('dropped', 'page', 'the query of its address')
  return { path: page.url.pathname, headers: constant }
}

function comment(family: Family): string {
  return `Learned from a recording of a visit with a client of the family ${family}. Values are drawn, not copied; read what was
kept word for word before you give it to anybody.`
}

async function check(text: string, file: string): Promise<Finding[]> {
  try {
    compileTemplate(loadTemplate(text, file))
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error
    throw new SottoError('E_LEARN', `no template can be made: ${error.path}: expected ${error.expectation}`, {
      cause: error,
    })
  }
  const findings = await lintTemplate(text, file)
  const errors = findings.filter(({ severity }) => severity === 'error')
  if (errors.length === 0) return findings
  const details = errors.map(({ rule, path, found }) => `  ${rule}: ${path}: ${found}`)
  throw new SottoError('E_LEARN', ['the template that can be made would give away:', ...details].join('\n'))
}

function samplesFor(data: TemplateData, kinds: Kinds): ReadonlyMap<string, string> {
  const files = new Map<string, string>()
  for (const kind of ['poll', 'send', 'bulk'] as const) {
    const { exchanges } = kinds[kind].route
    const { request, response } = samplesOf(exchanges[Math.floor(exchanges.length / 2)]!)
    files.set(`${data.kinds[kind]}.request.http`, request)
    files.set(`${data.kinds[kind]}.response.http`, response)
  }
  return files
}

function reportOf(
  { route, reason }: Judged,
  kinds: Kinds,
  used: readonly Candidate[],
  own: readonly Exchange[],
): RouteReport {
  const candidate = used.find((each) => each.route === route)
  const { exchanges } = route
  const serves = (['poll', 'send', 'bulk'] as const).filter((kind) => kinds[kind] === candidate)
  const carried = candidate && { token: candidate.token, up: candidate.payload.up, down: candidate.payload.down }
  return {
    ...{ route: route.name, exchanges: exchanges.length, kinds: serves, reason, ...carried },
    answerOctets: timesOf(exchanges.map(({ response }) => response.length)),
    answerMs: timesOf(exchanges.map(({ waitMs }) => waitMs)),
    thinkMs: timesOf(thinkTimes(own.filter((each) => exchanges.includes(each)))),
  }
}
