/**
 * Changed messages. A reader never throws; it answers undefined or other octets (the parcel's own authentication decides).
 * The one exception is decoration, which says nothing and may be changed into other decoration.
 */
import test from 'ava'
import fc from 'fast-check'
import { fastEqual, latin1, utf8 } from '#protocol/bytes.ts'
import { builtinIds, loadBuiltin } from '../builtin.ts'
import {
  allShapes,
  compileFixture,
  lookup,
  nameOf,
  numRuns,
  receiveRequest,
  receiveResponse,
  requestOf,
  responseOf,
  seeded,
  socketShapes,
} from '../test-support.ts'
import type { CompiledTemplate, Shape } from './compile.ts'
import { compileTemplate } from './compile.ts'
import { TemplateLimits } from './limits.ts'
import type { HoleData, HttpRequest, HttpResponse, Template } from './template.ts'

/** Whether the gateway would take the changed request for the one that was sent. */
function sameRequest(shape: Shape, changed: HttpRequest, sent: { token: Uint8Array; parcel: Uint8Array }): boolean {
  const { token, parcel } = receiveRequest(shape, changed)
  if (parcel === undefined || token === undefined || token === 'needs-body') return false
  return fastEqual(token, sent.token) && fastEqual(parcel, sent.parcel)
}

function sameResponse(shape: Shape, changed: HttpResponse, parcel: Uint8Array): boolean {
  const read = receiveResponse(shape, changed)
  return read !== undefined && fastEqual(read, parcel)
}

/** All positions of a short body, a sample of a long one's, its ends always included. */
function positions(length: number): number[] {
  const step = Math.max(1, Math.floor(length / 1_500))
  const all = Array.from({ length: Math.ceil(length / step) }, (_, index) => index * step)
  return [...all, ...[1, 2, 3, 4, 5].map((back) => length - back).filter((at) => at >= 0)]
}

function flip(body: Uint8Array, at: number, mask: number): Uint8Array {
  const copy = body.slice()
  copy[at] = copy[at]! ^ mask
  return copy
}

const replaceAt = (text: string, at: number, character: string): string =>
  text.slice(0, at) + character + text.slice(at + 1)

for (const shape of allShapes()) {
  const lengths = [shape.up.classes[0]!, shape.up.fit(2_000)]

  test(`${nameOf(shape)}: no octet of a request's body can be changed`, (t) => {
    for (const length of lengths) {
      const sent = requestOf(shape, length, 11)
      for (const at of positions(sent.body?.length ?? 0)) {
        t.false(sameRequest(shape, { ...sent, body: flip(sent.body!, at, 0x80) }, sent), `octet ${at}`)
        t.false(sameRequest(shape, { ...sent, body: sent.body!.slice(0, at) }, sent), `cut to ${at}`)
      }
      const longer = new Uint8Array([...(sent.body ?? []), 0x20])
      t.is(receiveRequest(shape, { ...sent, body: longer }).parcel, undefined)
    }
  })

  test(`${nameOf(shape)}: no octet of a response's body can be changed`, (t) => {
    for (const length of [shape.down.classes[0]!, shape.down.fit(2_000)]) {
      const sent = responseOf(shape, length, 12)
      for (const at of positions(sent.body.length)) {
        t.false(sameResponse(shape, { ...sent, body: flip(sent.body, at, 0x80) }, sent.parcel), `octet ${at}`)
        t.false(sameResponse(shape, { ...sent, body: sent.body.slice(0, at) }, sent.parcel), `cut to ${at}`)
      }
      t.is(receiveResponse(shape, { ...sent, body: new Uint8Array([...sent.body, 0x0a]) }), undefined)
      t.is(receiveResponse(shape, { ...sent, status: 404 }), undefined)
    }
  })

  test(`${nameOf(shape)}: no character of the target or of a header that carries something can be changed`, (t) => {
    const sent = requestOf(shape, lengths[0]!, 13)
    for (let at = 0; at < sent.target.length; at++) {
      t.false(sameRequest(shape, { ...sent, target: replaceAt(sent.target, at, '\u00e4') }, sent), `character ${at}`)
    }
    t.is(receiveRequest(shape, { ...sent, target: `${sent.target}&a=1` }).parcel, undefined)
    for (const [index, [name, value]] of sent.headers.entries()) {
      const others = sent.headers.filter((_, at) => at !== index)
      if (sameRequest(shape, { ...sent, headers: others }, sent)) continue
      for (let at = 0; at < value.length; at++) {
        const headers: [string, string][] = [...others, [name, replaceAt(value, at, '\x7f')]].map(([n, v]) => [n!, v!])
        t.false(sameRequest(shape, { ...sent, headers }, sent), `${name} ${at}`)
      }
    }
  })

  test(`${nameOf(shape)}: anything at all is read without throwing, and is not ours`, (t) => {
    const random = seeded(15)
    const short = fc.oneof(
      fc.string(),
      fc.constant('/'),
      fc.constant(requestOf(shape, lengths[0]!, 1).target.slice(0, -10)),
    )
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.integer({ min: 0, max: 5_000 }).map((length) => random(length)),
    )
    fc.assert(
      fc.property(short, short, bytes, (target, value, body) => {
        const header = (): string => value
        t.is(shape.decodeRequest({ target, header, body }), undefined)
        t.is(shape.decodeResponse({ status: 200, header, body }), undefined)
        const token = shape.readToken(target, header, body)
        t.true(token === undefined || token === 'needs-body' || token.length === 16)
      }),
      { numRuns: 25 * numRuns },
    )
  })
}

/** A built-in template whose decoration has one value only, so that every octet of a body counts. */
function withoutVariety(template: Template): CompiledTemplate {
  const urls = JSON.stringify(Object.values(template.data.shapes).map(({ request: { path, query } }) => [path, query]))
  const freeze = (name: string, hole: HoleData): HoleData => {
    if ('number' in hole) return { number: [hole.number[1], hole.number[1]] }
    // A URL has to vary.
    if ('run' in hole && !urls.includes(`{{${name}}}`)) return { oneOf: ['a'.repeat(hole.length[1])] }
    return 'oneOf' in hole ? { oneOf: hole.oneOf.slice(0, 1) } : hole
  }
  const entries = Object.entries(template.data.holes)
  const holes = Object.fromEntries(entries.map(([name, hole]) => [name, freeze(name, hole)]))
  return compileTemplate({ ...template, data: { ...template.data, holes } })
}

for (const shape of builtinIds().flatMap((id) => withoutVariety(loadBuiltin(id)).shapes)) {
  test(`${nameOf(shape)}: no bit of a body can be changed where decoration does not vary`, (t) => {
    const up = requestOf(shape, shape.up.fit(2_000), 14)
    const down = responseOf(shape, shape.down.fit(2_000), 14)
    t.true(sameRequest(shape, up, up) && sameResponse(shape, down, down.parcel))
    fc.assert(
      fc.property(fc.nat(), fc.nat(), fc.integer({ min: 0, max: 7 }), (first, second, bit) => {
        const changed = up.body && flip(up.body, first % up.body.length, 1 << bit)
        t.false(changed !== undefined && sameRequest(shape, { ...up, body: changed }, up))
        const answer = flip(down.body, second % down.body.length, 1 << bit)
        t.false(sameResponse(shape, { ...down, body: answer }, down.parcel))
      }),
      { numRuns: 200 * numRuns },
    )
  })
}

test('removing a header that carries something loses the request, removing another does not', (t) => {
  const lost = new Map<string, string[]>()
  for (const shape of [...allShapes(), ...socketShapes()]) {
    const sent = requestOf(shape, shape.up.max, 16)
    const read = sent.headers.filter((header) => {
      return !sameRequest(shape, { ...sent, headers: sent.headers.filter((other) => other !== header) }, sent)
    })
    lost.set(
      nameOf(shape),
      read.map(([name]) => name),
    )
  }
  t.deepEqual(lost.get('beacon snapshot'), ['authorization'])
  t.deepEqual(lost.get('gallery photo'), ['if-none-match'])
  t.deepEqual(lost.get('gallery upload'), ['content-type'])
  t.deepEqual(lost.get('support-chat sync'), ['content-type'])
  t.deepEqual(lost.get('beacon features'), [])
  t.deepEqual(lost.get('combinations download'), ['X-Trace', 'x-list'])
})

test('a response of another media type is not ours', (t) => {
  for (const shape of allShapes()) {
    const sent = responseOf(shape, shape.down.max, 17)
    t.is(receiveResponse(shape, { ...sent, headers: [['content-type', 'text/html']] }), undefined)
    t.is(receiveResponse(shape, { ...sent, headers: [] }), undefined)
  }
})

test('a hole that stands in two places has one value', (t) => {
  const shape = compileFixture().shape('send')
  const sent = requestOf(shape, 96, 18)
  const slug = sent.target.slice(1, 7)
  t.true(sameRequest(shape, sent, sent))
  const other = slug === 'aaaaaa' ? 'bbbbbb' : 'aaaaaa'
  t.is(receiveRequest(shape, { ...sent, target: sent.target.replace(slug, other) }).parcel, undefined)
  const headers = [['content-type', lookup(sent.headers)('content-type')!.replace(slug, other)]] as [string, string][]
  t.is(receiveRequest(shape, { ...sent, headers }).parcel, undefined)
})

test('a token or piece of the parcel that is longer than it has to be is refused, though its text is as long', (t) => {
  const chat = compileTemplate(loadBuiltin('support-chat')).shape('poll')
  const request = requestOf(chat, 96, 19)
  // 24 characters without padding are 18 octets.
  const body = utf8(latin1(request.body!).replace('==', 'AA'))
  t.is(chat.readToken(request.target, lookup(request.headers), body), undefined)
  t.is(receiveRequest(chat, { ...request, body }).parcel, undefined)

  const beacon = compileTemplate(loadBuiltin('beacon')).shape('poll')
  const response = responseOf(beacon, 128, 20)
  const [vector, rest] = [response.parcel.slice(0, 18), response.parcel.slice(18)]
  const text = latin1(response.body).replace(/"[^"]{100,}"/, `"${vector.toBase64()}.${rest.toBase64()}"`)
  t.true(text.includes(vector.toBase64()))
  t.is(receiveResponse(beacon, { ...response, body: utf8(text) }), undefined)
})

test('a request whose token is not one is refused even with a sound parcel', (t) => {
  const shape = compileTemplate(loadBuiltin('beacon')).shape('poll')
  const request = requestOf(shape, 96, 21)
  const target = request.target.replace(/h=[0-9a-f]+/, (hash) => `h=${hash.slice(2).toUpperCase()}`)
  t.not(target, request.target)
  t.is(receiveRequest(shape, { ...request, target }).parcel, undefined)
})

test('a body above the limit is not looked at', (t) => {
  const body = new Uint8Array(TemplateLimits.bodyBytes + 1)
  Object.defineProperty(body, 'buffer', { get: () => t.fail('looked at') })
  Object.defineProperty(body, 'subarray', { value: () => t.fail('looked at') })
  for (const shape of allShapes()) {
    const { target, headers } = requestOf(shape, shape.up.max, 22)
    t.is(shape.decodeRequest({ target, header: lookup(headers), body }), undefined)
    const response = responseOf(shape, shape.down.max, 22)
    t.is(shape.decodeResponse({ status: response.status, header: lookup(response.headers), body }), undefined)
  }
})
