/** A HAR 1.2 file, as developer tools of browsers export it, as exchanges. */
import * as v from 'valibot'
import { SottoError } from '#protocol/errors.ts'
import { LearnLimits } from './limits.ts'

export interface Exchange {
  /** Milliseconds since the epoch. */
  readonly began: number
  readonly ended: number
  /** Milliseconds between request and first octet of the answer. */
  readonly waitMs: number
  readonly method: string
  readonly url: URL
  readonly request: RecordedMessage
  readonly response: RecordedMessage & { readonly status: number }
}

export interface RecordedMessage {
  /** Without those of HTTP/2 that begin with a colon. */
  readonly headers: readonly (readonly [string, string])[]
  /** Without parameters, in small letters; '' for no body. */
  readonly type: string
  /** As text where the recording has it, one character an octet for what was recorded as base64. */
  readonly body: string | undefined
  /** Octets, of which a recording sometimes has only the number. */
  readonly length: number
}

const count = v.fallback(v.number(), -1)
const headers = v.pipe(
  v.array(v.object({ name: v.string('a name'), value: v.string('a value') }), 'a list of headers'),
  v.maxLength(LearnLimits.headers, `at most ${LearnLimits.headers} headers`),
)
const entry = v.object({
  startedDateTime: v.pipe(
    v.string('a time'),
    v.check((text) => !Number.isNaN(Date.parse(text)), 'a time as ISO 8601 writes it'),
  ),
  time: count,
  request: v.object({
    method: v.pipe(v.string('a method'), v.maxLength(16, 'a method')),
    url: v.pipe(
      v.string('a URL'),
      v.check((text) => URL.canParse(text), 'a URL'),
    ),
    headers,
    bodySize: v.optional(count, -1),
    postData: v.optional(v.object({ mimeType: v.optional(v.string(), ''), text: v.optional(v.string()) })),
  }),
  response: v.object({
    status: v.number('a status'),
    headers,
    bodySize: v.optional(count, -1),
    content: v.object({
      size: v.optional(count, -1),
      mimeType: v.optional(v.string(), ''),
      text: v.optional(v.string()),
      encoding: v.optional(v.string()),
    }),
  }),
  timings: v.optional(v.object({ wait: count }), { wait: -1 }),
})
const schema = v.object(
  {
    log: v.object(
      {
        entries: v.pipe(
          v.array(entry, 'a list of exchanges'),
          v.maxLength(LearnLimits.entries, `at most ${LearnLimits.entries} exchanges`),
        ),
      },
      'an object «log»',
    ),
  },
  'an object with «log»',
)

type Entry = v.InferOutput<typeof entry>

/**
 * In the order of time. `file` is only named in errors.
 * @throws SottoError `E_HAR` naming the place and what was expected there
 */
export function readHar(text: string, file: string): Exchange[] {
  if (text.length > LearnLimits.fileBytes) fail(file, `expected at most ${LearnLimits.fileBytes} characters`)
  const parsed = v.safeParse(schema, parse(text, file), { abortEarly: true })
  if (!parsed.success) {
    const [issue] = parsed.issues
    const at = (issue.path ?? []).map(({ key }) => key).join('.')
    // Of a key that is not there the library tells what its object should have been.
    if (issue.expected === `"${issue.path?.at(-1)?.key}"`) fail(file, `${at} is missing`)
    const expected = issue.message.startsWith('Invalid ') ? `a value of type ${issue.expected}` : issue.message
    return fail(file, `${at || 'the file'}: expected ${expected}`)
  }
  const { entries } = parsed.output.log
  return entries.map(toExchange).sort((a, b) => a.began - b.began)
}

function parse(text: string, file: string): unknown {
  try {
    return JSON.parse(text.startsWith('\uFEFF') ? text.slice(1) : text)
  } catch {
    return fail(file, 'this is no JSON, so no HAR')
  }
}

function fail(file: string, what: string): never {
  throw new SottoError('E_HAR', `${file}: ${what}`)
}

function toExchange({ startedDateTime, time, timings, request, response }: Entry): Exchange {
  const began = Date.parse(startedDateTime)
  const { postData } = request
  return {
    began,
    ended: began + Math.max(0, time),
    waitMs: Math.max(0, timings.wait >= 0 ? timings.wait : time),
    method: request.method.toUpperCase(),
    url: new URL(request.url),
    request: toMessage(request.headers, postData?.mimeType, postData?.text, [request.bodySize]),
    response: {
      ...toMessage(response.headers, response.content.mimeType, contentOf(response.content), [
        response.content.size,
        response.bodySize,
      ]),
      status: response.status,
    },
  }
}

function contentOf({ text, encoding }: Entry['response']['content']): string | undefined {
  if (text === undefined || text === '') return undefined
  return encoding === 'base64' ? Buffer.from(text, 'base64').toString('latin1') : text
}

function toMessage(
  pairs: readonly { name: string; value: string }[],
  mimeType: string | undefined,
  text: string | undefined,
  sizes: readonly number[],
): RecordedMessage {
  const kept = pairs.filter(({ name }) => !name.startsWith(':')).map(({ name, value }) => [name, value] as const)
  const header = (wanted: string): string | undefined => kept.find(([name]) => name.toLowerCase() === wanted)?.[1]
  const body = text !== undefined && text.length > 0 && text.length <= LearnLimits.bodyLength ? text : undefined
  const said = Number(header('content-length') ?? -1)
  const known = [...sizes, said].filter((size) => Number.isFinite(size) && size > 0)
  const length = known[0] ?? (text === undefined ? 0 : Buffer.byteLength(text))
  const type = length === 0 ? '' : (header('content-type') ?? mimeType ?? '').split(';')[0]!.trim().toLowerCase()
  return { headers: kept, type, body, length }
}
