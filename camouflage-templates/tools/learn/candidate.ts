/** A route as a shape of the template: drafted once, assigned as often as needed. */
import { TemplateLimits } from '#engine/limits.ts'
import type { Family, HeaderData, ShapeData, TemplateData } from '#engine/template.ts'
import { TemplateError } from '#engine/template-error.ts'
import { lintAlone } from '../lint/lint.ts'
import type { Assigned } from './assign.ts'
import { assign, Namer } from './assign.ts'
import { learnBody, Unusable } from './bodies.ts'
import type { DraftMessage, DraftText } from './draft.ts'
import { learnHeaders } from './headers.ts'
import { SAMPLES_LEAST } from './limits.ts'
import { Notebook } from './notebook.ts'
import { quantileOf } from './rhythm.ts'
import type { Route } from './routes.ts'
import { pairsOf, segmentsOf } from './routes.ts'
import type { Piece } from './values.ts'
import { learnText } from './values.ts'
import { toYaml } from './yaml.ts'

export interface Candidate {
  readonly route: Route
  readonly notebook: Notebook
  readonly up: readonly number[]
  readonly down: readonly number[]
  /** Median, milliseconds. */
  readonly waitMs: number
  readonly token: string
  readonly payload: { readonly up: string; readonly down: string }
  /** Its shape, with holes under names of `namer`. */
  shape(namer: Namer): ShapeData
}

export interface RouteInput {
  readonly route: Route
  readonly family: Family
  readonly hosts: ReadonlySet<string>
}

/** @throws Unusable saying why the route cannot be a shape */
export function learnRoute(input: RouteInput): Candidate {
  const { route, family, hosts } = input
  const { exchanges, name: where } = route
  const { status } = exchanges[0]!.response
  if (route.method !== 'GET' && route.method !== 'POST') throw new Unusable('templates use GET and POST')
  if (![200, 201, 202].includes(status)) throw new Unusable(`its answers have status ${status}`)
  if (exchanges.length < SAMPLES_LEAST) {
    throw new Unusable(`${exchanges.length} exchanges were recorded, ${SAMPLES_LEAST} are needed`)
  }
  const notebook = new Notebook()
  const place = { where, notebook, family, hosts }
  const samples = exchanges.map(({ request }) => request)
  const request: DraftMessage = {
    path: learnPath(route, notebook),
    query: learnQuery(route, notebook),
    headers: learnHeaders({ ...place, samples: samples.map(({ headers }) => headers), direction: 'request' }),
    body: learnBody({ samples, where, notebook }),
  }
  const answers = exchanges.map(({ response }) => response)
  const response: DraftMessage = {
    ...{ path: [], query: [] },
    headers: learnHeaders({ ...place, samples: answers.map(({ headers }) => headers), direction: 'response' }),
    body: learnBody({ samples: answers, where: `${where}: answer`, notebook }),
  }
  if (response.body === undefined) throw new Unusable('its answers have no body')
  if (route.method === 'GET') checkCaching(response.headers)
  return createCandidate(input, { request: withTypes(request), response }, status, notebook)
}

function createCandidate(
  { route, family }: RouteInput,
  { request, response }: { request: DraftMessage; response: DraftMessage },
  status: number,
  notebook: Notebook,
): Candidate {
  const where = route.name
  const both = (namer: Namer): { up: Assigned; down: Assigned } => ({
    up: assign({ draft: withVariety(request, where, notebook), direction: 'request', namer, where, notebook }),
    down: assign({ draft: response, direction: 'response', namer, where: `${where}: answer`, notebook }),
  })
  const shape = (namer: Namer): ShapeData => {
    const { up, down } = both(namer)
    const method = route.method as 'GET' | 'POST'
    const body = up.body === undefined ? {} : { body: up.body }
    return {
      request: { method, path: up.path, query: up.query, headers: up.headers, ...body, classes: up.classes },
      response: { status, headers: down.headers, body: down.body!, classes: down.classes },
    }
  }
  const { up, down } = both(new Namer())
  checkShape(shape, family)
  return {
    ...{ route, notebook, up: up.classes, down: down.classes, token: up.token!, shape },
    payload: { up: up.payload, down: down.payload },
    waitMs: quantileOf(
      route.exchanges.map(({ waitMs }) => waitMs),
      0.5,
    ),
  }
}

/** A URL that is the same each time would be answered by some cache: one more parameter, as applications add against that. */
function withVariety(draft: DraftMessage, where: string, notebook: Notebook): DraftMessage {
  const probe = assign({ draft, direction: 'request', namer: new Namer(), where, notebook: new Notebook() })
  if (probe.urlBits >= TemplateLimits.urlBits) return draft
  notebook.note(
    'open',
    where,
    'the URL hardly differs: a parameter «_» against caches is added, which the recording does not have',
  )
  const extra: DraftText = { name: '_', pieces: [{ hole: { run: 'digits', length: [10, 13] } }] }
  return { ...draft, query: [...draft.query, extra] }
}

/** The body's own type, where a boundary or nothing was recorded. */
function withTypes(draft: DraftMessage): DraftMessage {
  const { body } = draft
  if (body?.kind !== 'form') return draft
  const headers = draft.headers.map((header): DraftText => {
    if (header.name.toLowerCase() !== 'content-type') return header
    return { ...header, pieces: ['multipart/form-data; boundary=', ...body.boundary] }
  })
  return { ...draft, headers }
}

function checkCaching(headers: readonly DraftText[]): void {
  const control = headers.find(({ name }) => name.toLowerCase() === 'cache-control')
  const value = control?.pieces.filter((piece) => typeof piece === 'string').join('') ?? ''
  if (!/\b(no-store|private)\b/.test(value))
    throw new Unusable(`caches may keep its answers (cache-control: «${value}»)`)
}

function learnPath({ exchanges, name: where }: Route, notebook: Notebook): Piece[] {
  notebook.note('kept', where, 'its path, but for what differs')
  const all = exchanges.map(({ url }) => segmentsOf(url))
  return all[0]!.flatMap((first, at): Piece[] => {
    const values = all.map((segments) => segments[at]!)
    const same = values.every((value) => value === first)
    if (same) return ['/', first]
    return ['/', ...learnText(values, { name: 'path', where: `${where}: segment ${at + 1}`, notebook })]
  })
}

function learnQuery({ exchanges, name: where }: Route, notebook: Notebook): DraftText[] {
  const all = exchanges.map(({ url }) => pairsOf(url.search.slice(1)))
  return all[0]!.map(([name], at) => {
    const field = { name, where: `${where}: ?${name}`, notebook, typed: true }
    return {
      name,
      pieces: learnText(
        all.map((query) => query[at]?.[1] ?? ''),
        field,
      ),
    }
  })
}

/** Asks engine and lint about the shape alone. What a whole template must have besides is looked at later. */
function checkShape(shape: (namer: Namer) => ShapeData, family: Family): void {
  const namer = new Namer()
  const page: { path: string; headers: HeaderData[] } = { path: '/', headers: [] }
  const rhythm = { holdMs: [1_000, 1_300], concurrency: 2, polls: 1 } as const
  const kinds = { poll: 'only', send: 'only', bulk: 'only' }
  const shapes = { only: shape(namer) }
  const data: TemplateData = {
    format: 1,
    id: 'one',
    version: 1,
    family,
    page,
    rhythm,
    kinds,
    holes: namer.holes,
    shapes,
  }
  try {
    const errors = lintAlone(toYaml(data), 'route').filter(
      ({ severity, path }) => severity === 'error' && path.startsWith('shapes.'),
    )
    if (errors.length === 0) return
    throw new Unusable(errors.map(({ rule, found }) => `it would give away (${rule}): ${found}`).join('; '))
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error
    if (/, for a (text message|first contact)$/.test(error.expectation)) return
    throw new Unusable(`the engine refuses it: ${error.path}: expected ${error.expectation}`)
  }
}
