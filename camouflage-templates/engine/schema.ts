/** What template.yaml may hold. Every message completes the sentence "expected ...". */
import * as v from 'valibot'
import { TemplateLimits } from './limits.ts'
import type { HoleData, TemplateData } from './template.ts'

const { textLength, documentLength } = TemplateLimits

const whole = (from: number, to: number): v.GenericSchema<unknown, number> => {
  const expectation = `a whole number from ${from} to ${to}`
  return v.pipe(
    v.number(expectation),
    v.integer(expectation),
    v.minValue(from, expectation),
    v.maxValue(to, expectation),
  )
}
const pattern = (regex: RegExp, expectation: string): v.GenericSchema<string, string> =>
  v.pipe(v.string(expectation), v.regex(regex, expectation))
const range = (from: number, to: number): v.GenericSchema<unknown, [number, number]> =>
  v.pipe(
    v.strictTuple([whole(from, to), whole(from, to)], 'a pair [from, to]'),
    v.check(([low, high]) => low <= high, 'a pair [from, to] in ascending order'),
  )

/** Message of an object where there is another thing; what is wrong inside one is named by itself. */
const shapeOf =
  (expectation: string) =>
  ({ expected }: v.StrictObjectIssue): string => {
    if (expected === 'Object') return expectation
    return expected === 'never' ? 'no such key' : `the key ${expected}`
  }

const line = pattern(
  new RegExp(`^[\\x20-\\x7e]{0,${textLength}}$`),
  `printable ASCII, at most ${textLength} characters`,
)
const filled = pattern(new RegExp(`^[\\x20-\\x7e]{1,${textLength}}$`), `printable ASCII, 1 to ${textLength} characters`)
const document = v.pipe(
  v.string('a text'),
  v.maxLength(documentLength, `at most ${documentLength} characters`),
  v.regex(/^[\n\r\t\x20-\x7e]*$/, 'printable ASCII and line breaks'),
)
const name = pattern(/^[a-zA-Z][a-zA-Z0-9]{0,31}$/, 'a name of 1 to 32 letters and digits')
const identity = pattern(/^[a-z][a-z0-9-]{1,31}$/, 'a name of 2 to 32 small letters, digits and hyphens')
const headerName = pattern(/^[A-Za-z][A-Za-z0-9-]{0,63}$/, 'a header name')
const encoding = v.picklist(['base64', 'base64url', 'hex'], 'base64, base64url or hex')

const headers = v.pipe(
  v.array(v.strictTuple([headerName, line], 'a pair [name, value]'), 'a list of [name, value]'),
  v.maxLength(TemplateLimits.headers, `at most ${TemplateLimits.headers} headers`),
)
const lines = pattern(
  new RegExp(`^[\\n\\x20-\\x7e]{0,${textLength}}$`),
  `printable ASCII and line breaks, at most ${textLength} characters`,
)
const group = v.strictObject(
  {
    bytes: whole(1, 128),
    open: lines,
    close: lines,
    between: v.pipe(lines, v.minLength(1, 'at least one character')),
  },
  shapeOf('a group'),
)

const holeSchemas = {
  number: v.strictObject({ number: range(0, 2 ** 31) }),
  run: v.strictObject({
    run: v.picklist(['digits', 'hex', 'base36', 'base62'], 'digits, hex, base36 or base62'),
    length: range(1, TemplateLimits.runLength),
  }),
  oneOf: v.strictObject({
    oneOf: v.pipe(
      v.array(filled, 'a list of texts'),
      v.minLength(1, 'at least one text'),
      v.maxLength(TemplateLimits.choices, `at most ${TemplateLimits.choices} texts`),
    ),
  }),
  token: v.strictObject({ token: encoding }),
  payload: v.strictObject({
    payload: encoding,
    exact: v.optional(whole(1, 4_096)),
    group: v.optional(group),
  }),
  jwe: v.strictObject({
    jwe: v.strictObject(
      {
        alg: v.picklist(['dir', 'A128KW', 'A256KW'], 'dir, A128KW or A256KW'),
        enc: v.picklist(['A128GCM', 'A256GCM'], 'A128GCM or A256GCM'),
        kid: v.optional(pattern(/^[A-Za-z0-9._:-]{1,64}$/, 'the name of a key, 1 to 64 letters, digits and . _ : -')),
      },
      shapeOf('an object with alg and enc'),
    ),
    exact: v.optional(whole(1, 4_096)),
  }),
} satisfies Record<string, v.GenericSchema>

/** The one schema whose key is there, so that a fault inside it is named and not the union as a whole. */
function byKey<T>(schemas: Record<string, v.GenericSchema<unknown, T>>): v.GenericSchema<unknown, T> {
  const expectation = `one of the keys ${Object.keys(schemas).join(', ')}`
  const none = v.custom<T>(() => false, expectation)
  return v.lazy((input) => {
    const present = Object.keys(schemas).filter((key) => Object.hasOwn(Object(input), key))
    return present.length === 1 ? schemas[present[0]!]! : none
  })
}
const hole = byKey<HoleData>(holeSchemas)

const png = v.strictObject({
  sizes: v.pipe(
    v.array(
      v.strictTuple([whole(1, TemplateLimits.pictureEdge), whole(1, TemplateLimits.pictureEdge)], 'a pair [w, h]'),
      'a list of [width, height]',
    ),
    v.minLength(1, 'at least one [width, height]'),
    v.maxLength(TemplateLimits.pictures, `at most ${TemplateLimits.pictures} sizes`),
  ),
  chunks: v.pipe(
    v.array(
      v.strictObject({
        type: pattern(/^[a-z][A-Za-z][A-Z][A-Za-z]$/, 'the type of an ancillary chunk, e.g. pHYs'),
        hex: pattern(/^([0-9a-f]{2}){0,256}$/, 'at most 256 octets in small hex digits'),
      }),
      'a list of chunks',
    ),
    v.maxLength(8, 'at most 8 chunks'),
  ),
  idat: whole(512, TemplateLimits.bodyBytes),
})
const day = pattern(/^[0-9]{4}-[0-9]{2}-[0-9]{2}$/, 'a day like "2025-01-31"')
const zip = v.strictObject(
  {
    name: pattern(/^[A-Za-z0-9._{}-]{1,128}$/, 'the name of a file, 1 to 128 letters, digits and . _ -'),
    method: v.picklist(['store', 'deflate'], 'store or deflate'),
    modified: v.strictTuple([day, day], 'a pair of days'),
  },
  shapeOf('an object with name, method and modified'),
)
const fmp4 = v.strictObject(
  {
    sample: range(TemplateLimits.sampleBytes, 65_535),
    duration: whole(1, 1_000_000),
    fragment: whole(1, 10_000_000),
    sequence: range(1, 10_000_000),
  },
  shapeOf('an object with sample, duration, fragment and sequence'),
)
const stretch = whole(TemplateLimits.stretchBytes, TemplateLimits.bodyBytes)
const ndjson = v.strictObject(
  { first: v.optional(filled), line: filled, bytes: stretch },
  shapeOf('an object with line and bytes'),
)
const eventName = pattern(/^[A-Za-z0-9_:.-]{1,64}$/, 'the name of an event, 1 to 64 letters, digits and _ : . -')
const engineio = v.strictObject(
  {
    packets: v.pipe(
      v.array(filled, 'a list of packets'),
      v.maxLength(TemplateLimits.packets, `at most ${TemplateLimits.packets} packets`),
    ),
    event: eventName,
    bytes: stretch,
  },
  shapeOf('an object with packets, event and bytes'),
)
const grpcWeb = v.strictObject(
  { field: whole(1, 18_999), bytes: stretch, trailer: v.boolean('true or false') },
  shapeOf('an object with field, bytes and trailer'),
)
const raw = v.literal(true, 'true')
const partSchemas = {
  text: v.strictObject({ headers, text: line }),
  raw: v.strictObject({ headers, raw }),
  png: v.strictObject({ headers, png }),
  zip: v.strictObject({ headers, zip }),
  fmp4: v.strictObject({ headers, fmp4 }),
} satisfies Record<string, v.GenericSchema>
const part = byKey<v.InferOutput<(typeof partSchemas)[keyof typeof partSchemas]>>(partSchemas)
const bodySchemas = {
  text: v.strictObject({ text: document }),
  raw: v.strictObject({ raw }),
  png: v.strictObject({ png }),
  zip: v.strictObject({ zip }),
  segment: v.strictObject({
    segment: v.strictObject(
      { container: v.picklist(['ts', 'fmp4'], 'ts or fmp4') },
      shapeOf('an object with container'),
    ),
  }),
  fmp4: v.strictObject({ fmp4 }),
  ndjson: v.strictObject({ ndjson }),
  engineio: v.strictObject({ engineio }),
  grpcWeb: v.strictObject({ grpcWeb }),
  multipart: v.strictObject({
    multipart: v.strictObject({
      boundary: filled,
      parts: v.pipe(
        v.array(part, 'a list of parts'),
        v.minLength(1, 'at least one part'),
        v.maxLength(TemplateLimits.parameters, `at most ${TemplateLimits.parameters} parts`),
      ),
    }),
  }),
} satisfies Record<string, v.GenericSchema>
const body = byKey<v.InferOutput<(typeof bodySchemas)[keyof typeof bodySchemas]>>(bodySchemas)

const classLength = whole(TemplateLimits.smallestClass, TemplateLimits.bodyBytes)
const classes = v.pipe(
  v.array(classLength, 'a list of parcel lengths'),
  v.minLength(1, 'at least one length'),
  v.maxLength(TemplateLimits.classes, `at most ${TemplateLimits.classes} lengths`),
  v.check((list) => list.every((length, at) => at === 0 || length > list[at - 1]!), 'lengths in ascending order'),
)
const path = v.pipe(filled, v.startsWith('/', 'a path that starts with /'))
const query = v.optional(
  v.pipe(
    v.array(v.strictTuple([filled, line], 'a pair [name, value]'), 'a list of [name, value]'),
    v.maxLength(TemplateLimits.parameters, `at most ${TemplateLimits.parameters} parameters`),
  ),
  [],
)
const shape = v.strictObject({
  request: v.strictObject({
    method: v.picklist(['GET', 'POST'], 'GET or POST'),
    path,
    query,
    headers,
    body: v.optional(body),
    classes,
  }),
  response: v.strictObject({
    status: v.picklist([200, 201, 202], '200, 201 or 202'),
    headers,
    body,
    classes,
  }),
})

const socket = v.strictObject(
  {
    request: v.strictObject({ path, query, headers, classes }, shapeOf('an object with path, headers and classes')),
    event: eventName,
    bytes: whole(TemplateLimits.stretchBytes, TemplateLimits.attachmentBytes),
    up: classes,
    down: classes,
    holdMs: range(1_000, TemplateLimits.socketHoldMs),
  },
  shapeOf('an object with request, event, bytes, up, down and holdMs'),
)

const named = <T>(value: v.GenericSchema<unknown, T>, most: number): v.GenericSchema<unknown, Record<string, T>> =>
  v.pipe(
    v.record(name, value, 'a map of names'),
    v.check((map) => Object.keys(map).length <= most, `at most ${most} entries`),
  )

const { thinkMs, restMs, coverMs, coverTail, coverBytes } = TemplateLimits
const burst = v.strictObject(
  { exchanges: whole(1, TemplateLimits.burst), gapMs: range(0, thinkMs) },
  shapeOf('an object with exchanges and gapMs'),
)
const factor = 'a number from 1 to 4'
const idle = v.strictObject(
  {
    afterMs: whole(10_000, 3_600_000),
    restMs: range(0, restMs),
    factor: v.pipe(v.number(factor), v.minValue(1, factor), v.maxValue(4, factor)),
    mostMs: whole(1_000, restMs),
  },
  shapeOf('an object with afterMs, restMs, factor and mostMs'),
)
const cover = v.pipe(
  v.strictObject(
    {
      mode: v.picklist(['off', 'adaptive', 'constant'], 'off, adaptive or constant'),
      everyMs: range(coverMs, restMs),
      tail: v.optional(range(1, coverTail)),
      bytes: whole(TemplateLimits.smallestClass, coverBytes),
    },
    shapeOf('an object with mode, everyMs and bytes'),
  ),
  v.check(
    ({ mode, tail }) => (mode === 'adaptive') === (tail !== undefined),
    'a tail where cover is adaptive, and only there',
  ),
)

export const templateSchema: v.GenericSchema<unknown, TemplateData> = v.strictObject({
  format: v.literal(1, '1'),
  id: identity,
  version: whole(1, 1_000_000),
  family: v.picklist(['node', 'chromium', 'firefox'], 'node, chromium or firefox'),
  page: v.strictObject({
    path: pattern(/^\/[\x21-\x7e]{0,255}$/, 'a path that starts with /'),
    headers,
    parts: v.optional(v.strictObject({ style: headers, script: headers, image: headers })),
  }),
  rhythm: v.pipe(
    v.strictObject({
      holdMs: range(1_000, TemplateLimits.holdMs),
      concurrency: whole(1, TemplateLimits.concurrency),
      polls: whole(1, TemplateLimits.concurrency),
      thinkMs: v.optional(range(0, TemplateLimits.thinkMs)),
      burst: v.optional(burst),
      idle: v.optional(idle),
      cover: v.optional(cover),
    }),
    v.check((rhythm) => rhythm.polls <= rhythm.concurrency, 'no more polls than concurrent exchanges'),
  ),
  kinds: v.strictObject({ poll: name, send: name, bulk: name }),
  holes: named(hole, TemplateLimits.holes),
  shapes: named(shape, TemplateLimits.shapes),
  socket: v.optional(socket),
})
