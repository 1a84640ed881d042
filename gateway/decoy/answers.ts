/**
 * What a site's small application says to visitors, for a site that has none: fixed answers by path and method, in the
 * file `.answers.yaml` of its folder. Templates use paths of that application; a stranger who tries one of them gets
 * something ordinary, and so does the site's own script.
 *
 *     - path: /api/support/v1/*      # first match counts; * at the end: whatever begins like it
 *       method: POST                 # missing: every method
 *       status: 401
 *       headers: [[Content-Type, application/json], [Cache-Control, no-store]]
 *       body: '{"error":"conversation_expired"}'
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as v from 'valibot'
import { readSource } from '#engine/source.ts'
import { TemplateError } from '#engine/template-error.ts'
import { SottoError } from '#protocol/errors.ts'
import { type Answer, writeHead } from './answer.ts'
import type { Decoy } from './decoy.ts'
import { parseTarget } from './target.ts'

export const ANSWERS_FILE = '.answers.yaml'

const fieldText = v.pipe(v.string(), v.regex(/^[\x20-\x7e]{0,1000}$/))
const schema = v.pipe(
  v.array(
    v.strictObject({
      path: v.pipe(v.string(), v.regex(/^\/[^*?#\s]*\*?$/)),
      method: v.optional(v.pipe(v.string(), v.regex(/^[A-Z]{1,16}$/))),
      status: v.pipe(v.number(), v.integer(), v.minValue(200), v.maxValue(599)),
      headers: v.optional(v.array(v.strictTuple([v.pipe(v.string(), v.regex(/^[A-Za-z0-9-]{1,64}$/)), fieldText])), []),
      body: v.optional(v.string()),
    }),
  ),
  v.maxLength(200),
)

interface Fixed {
  readonly matches: (method: string, path: string) => boolean
  readonly answer: Answer
  readonly body: Buffer | undefined
}

/**
 * The decoy with the fixed answers of `folder` in front; `site` itself where there is no such file.
 * @throws SottoError E_CONFIG naming file, line and field
 */
export async function withAnswers(folder: string, site: Decoy): Promise<Decoy> {
  const file = join(folder, ANSWERS_FILE)
  const text = await readFile(file, 'utf8').catch(() => undefined)
  if (text === undefined) return site
  const all = parseAnswers(text, file)
  return async (request, response, body) => {
    const path = parseTarget(request.url ?? '/')?.path
    const fixed = path === undefined ? undefined : all.find(({ matches }) => matches(request.method ?? '', path))
    if (fixed === undefined) return await site(request, response, body)
    writeHead(request, response, fixed.answer)
    response.end(request.method === 'HEAD' ? undefined : fixed.body)
  }
}

function parseAnswers(text: string, file: string): Fixed[] {
  try {
    const { data, source } = readSource(text, file)
    const parsed = v.safeParse(schema, data ?? [], { abortEarly: true })
    if (parsed.success) return parsed.output.map(compile)
    const path = (parsed.issues[0].path ?? []).map(({ key }) => key as string | number)
    const field = path.join('.') || 'answers'
    throw new SottoError('E_CONFIG', `${file}:${source.line(path)}: ${field}: this is not usable in an answer.`)
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error
    throw new SottoError('E_CONFIG', `${file}:${error.line}: expected ${error.expectation}.`, { cause: error })
  }
}

function compile({ path, method, status, headers, body }: v.InferOutput<typeof schema>[number]): Fixed {
  const prefix = path.endsWith('*') ? path.slice(0, -1) : undefined
  const isType = ([name]: readonly [string, string]): boolean => name.toLowerCase() === 'content-type'
  // 204 and 304 have neither a body nor its length.
  const content = status === 204 || status === 304 ? undefined : Buffer.from(body ?? '')
  return {
    matches: (asked, target) =>
      (method === undefined || asked === method) &&
      (prefix === undefined ? target === path : target.startsWith(prefix)),
    answer: {
      status,
      type: headers.find(isType)?.[1],
      ...(content === undefined ? {} : { length: content.length }),
      more: headers.filter((header) => !isType(header)).flat(),
    },
    body: content,
  }
}
