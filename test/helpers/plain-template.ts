/** The plainest template there can be: token in a header, parcel as the body. For tests of what lies above templates. */
import type { CompiledTemplate, Shape } from '#engine/compile.ts'
import type { Matcher } from '#engine/match.ts'
import { fromHex, hex } from '#protocol/bytes.ts'

const classes = [96, 320, 768, 4_096, 32_768, 200_000]
const sizes = {
  max: 200_000,
  classes,
  fit: (bytes: number): number => classes.find((size) => size >= bytes) ?? 200_000,
}

const shape: Shape = {
  template: 'plain',
  name: 'plain',
  binding: 'plain',
  method: 'POST',
  path: [] as unknown as Shape['path'],
  up: sizes,
  down: sizes,
  encodeRequest: ({ token, parcel, random }) => ({
    method: 'POST',
    target: `/plain/${hex(random(4))}`,
    headers: [['x-token', hex(token)]],
    body: parcel,
  }),
  decodeResponse: ({ status, header, body }) => (status === 200 && header('x-plain') === '1' ? body : undefined),
  readToken: (_target, header) => fromHex(header('x-token') ?? '-'),
  decodeRequest: ({ body }) => body,
  encodeResponse: ({ parcel }) => ({ status: 200, headers: [['x-plain', '1']], body: parcel }),
}

export const plainTemplate: CompiledTemplate = {
  id: 'plain',
  family: 'node',
  page: '/',
  pageHeaders: [],
  bindingId: 'plain',
  rhythm: { holdMs: [5_000, 7_000], concurrency: 4, polls: 1 },
  shapes: [shape],
  shape: () => shape,
} as CompiledTemplate

export const plainMatcher: Matcher = {
  match: (method, target) => (method === 'POST' && target.startsWith('/plain/') ? [shape] : []),
}
