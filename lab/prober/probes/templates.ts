/** Requests of every template, perfect but for the secret. */
import type { CompiledTemplate } from '#engine/compile.ts'
import type { Shape } from '#engine/shape.ts'
import { request, requestHeaders } from '../http2.ts'
import { garbage, octetsOf, requestOf } from '../member.ts'
import type { Probe } from '../probe.ts'
import { head, http1, octets, text } from '../probe.ts'

/** Every shape once. */
export const shapesOf = (templates: readonly CompiledTemplate[]): readonly Shape[] =>
  templates.flatMap(({ shapes }) => shapes)

const follow = head('GET', '/robots.txt')

const headEnd = (bytes: Uint8Array): number => text(bytes).indexOf('\r\n\r\n') + 4

function ofShape(shape: Shape): Probe[] {
  const name = `${shape.template} ${shape.name}`
  const made = requestOf(garbage(shape, shape.up.classes[0]!))
  const large = requestOf(garbage(shape, shape.up.max))
  const kept = octetsOf(made, 'keep-alive')
  const closing = octetsOf(made)
  const cut = headEnd(closing)
  const expecting = octetsOf({ ...made, headers: [...made.headers, ['expect', '100-continue']] })
  const by = (other: string): Uint8Array => octets(text(closing).replace(/^[A-Z]+/, other))
  const { method, target, headers, body } = made
  const lines = headers.map(([key, value]): [string, string] => [key, value])
  return [
    http1('template', name, closing),
    http1('template', `${name}, at its largest`, octetsOf(large)),
    http1('template', `${name}, kept alive`, kept),
    http1('template', `${name}, and more`, kept, octets(follow)),
    http1('template', `${name}, in two parts`, closing.subarray(0, cut - 20), 60, closing.subarray(cut - 20)),
    http1('template', `${name}, without its headers`, octetsOf({ ...made, headers: [] })),
    http1('template', `${name}, another method`, octetsOf({ ...made, method: method === 'GET' ? 'POST' : 'GET' })),
    http1('template', `${name}, HEAD`, by('HEAD')),
    http1('template', `${name}, OPTIONS`, by('OPTIONS')),
    http1('template', `${name}, a part of it`, octetsOf({ ...made, headers: [...headers, ['range', 'bytes=0-3']] })),
    http1(
      'template',
      `${name}, expects to go on`,
      expecting.subarray(0, headEnd(expecting)),
      60,
      expecting.subarray(headEnd(expecting)),
    ),
    http1('template', `${name}, without its query`, octetsOf({ ...made, target: target.split('?')[0]! })),
    {
      group: 'template',
      name: `${name}, HTTP/2`,
      action: { kind: 'http2', preface: true, steps: [request(1, requestHeaders(method, target, lines), body)] },
    },
  ]
}

export const templateProbes = (templates: readonly CompiledTemplate[]): readonly Probe[] =>
  shapesOf(templates).flatMap(ofShape)
