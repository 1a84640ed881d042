/** The plainest template there can be: token in a header, parcel as the body. For tests of what lies above templates. */
import type { CompiledTemplate, Shape } from '#engine/compile.ts'
import type { Matcher } from '#engine/match.ts'
import { fromHex, hex } from '#protocol/bytes.ts'

const classes = [96, 320, 768, 4_096, 32_768, 200_000]
const sizes = {
  max: 200_000,
  classes,
  fit: (bytes: number): number => classes.find((size) => size >= bytes) ?? 200_000,
  within: (bytes: number): number => classes.findLast((size) => size <= bytes) ?? 96,
}

export interface Plain {
  readonly template: CompiledTemplate
  readonly shape: Shape
  readonly prefix: string
}

/** One of several: `path` is the folder of its requests, `mark` what its answers carry. */
export function plainOf(name: string, path: string = name, mark = '1'): Plain {
  const shape = plainShape(name, path, mark)
  const template = {
    ...{ id: name, family: 'node', page: '/', pageHeaders: [], bindingId: name },
    rhythm: { holdMs: [5_000, 7_000], concurrency: 4, polls: 1 },
    ...{ shapes: [shape], shape: () => shape },
  } as unknown as CompiledTemplate
  return { template, shape, prefix: `/${path}/` }
}

export function matcherOf(...plains: readonly Plain[]): Matcher {
  return {
    match: (method, target) =>
      plains.filter(({ prefix }) => method === 'POST' && target.startsWith(prefix)).map(({ shape }) => shape),
  }
}

const plainShape = (name: string, path: string, mark: string): Shape => ({
  template: name,
  family: 'node',
  name,
  binding: name,
  method: 'POST',
  path: [] as unknown as Shape['path'],
  up: sizes,
  down: sizes,
  encodeRequest: ({ token, parcel, random }) => ({
    method: 'POST',
    target: `/${path}/${hex(random(4))}`,
    headers: [['x-token', hex(token)]],
    body: parcel,
  }),
  decodeResponse: ({ status, header, body }) => (status === 200 && header('x-plain') === mark ? body : undefined),
  readToken: (_target, header) => fromHex(header('x-token') ?? '-'),
  decodeRequest: ({ body }) => body,
  encodeResponse: ({ parcel }) => ({ status: 200, headers: [['x-plain', mark]], body: parcel }),
})

const plain = plainOf('plain')

export const plainTemplate: CompiledTemplate = plain.template

export const plainMatcher: Matcher = matcherOf(plain)
