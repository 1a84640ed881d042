/**
 * Templates and messages with anything done to them. The run in the tests is bounded; SOTTO_LONG=1 makes it long. Whatever
 * comes, a template is loaded or refused with its line, a message is read or not, and nothing throws, hangs or grows.
 */
import test from 'ava'
import fc from 'fast-check'
import { concat, utf8 } from '#protocol/bytes.ts'
import { builtinIds, builtinText } from '../builtin.ts'
import { bases, refusalOf } from '../refusal-support.ts'
import { allShapes, lookup, nameOf, requestOf, responseOf, seeded, socketShapes } from '../test-support.ts'
import { TemplateLimits } from './limits.ts'

const long = process.env.SOTTO_LONG !== undefined
const texts = [...Object.values(bases), ...builtinIds().map(builtinText)]

// ---- templates ------------------------------------------------------------------------------------------------------------

/** Values that a hostile file would try where another stands. */
const hostile = [
  '',
  '~',
  '-1',
  '0',
  '1e309',
  '.nan',
  '99999999999999999999',
  'true',
  '[]',
  '{}',
  '[[[[[[[[]]]]]]]]',
  '"{{sealed}}"',
  '"{{sealed}}{{sealed}}"',
  '"{{host}}"',
  '"{{"',
  '"}}"',
  '"\\u0000"',
  '"\\r\\nset-cookie: a=b"',
  '&a [*a]',
  '!!js/function "x"',
  '<<: *a',
  '__proto__',
  'constructor',
  `"${'a'.repeat(3_000)}"`,
  `[${'1,'.repeat(500)}1]`,
]

/** One change of a text: a line taken away, doubled or moved, a value replaced, characters put anywhere. */
const edit = fc.record({
  kind: fc.constantFrom('drop', 'double', 'swap', 'value', 'insert', 'cut'),
  first: fc.nat(),
  second: fc.nat(),
  value: fc.oneof(fc.constantFrom(...hostile), fc.string({ maxLength: 30 })),
})
type Edit = typeof edit extends fc.Arbitrary<infer T> ? T : never

function edited(text: string, { kind, first, second, value }: Edit): string {
  const lines = text.split('\n')
  const [a, b] = [first % lines.length, second % lines.length]
  if (kind === 'drop') return lines.toSpliced(a, 1 + (b % 4)).join('\n')
  if (kind === 'double') return lines.toSpliced(a, 0, ...lines.slice(b, b + 3)).join('\n')
  if (kind === 'swap') return lines.with(a, lines[b]!).with(b, lines[a]!).join('\n')
  if (kind === 'value')
    return lines
      .with(
        a,
        lines[a]!.replace(/([:-]) .*/, (_, mark: string) => `${mark} ${value}`),
      )
      .join('\n')
  const at = first % (text.length + 1)
  return kind === 'insert' ? text.slice(0, at) + value + text.slice(at) : text.slice(0, at)
}

test('templates that were changed anyhow are sound or refused with a line of theirs', (t) => {
  const seen = { sound: 0, refused: 0 }
  const property = fc.property(fc.nat(), fc.array(edit, { minLength: 1, maxLength: 4 }), (which, edits) => {
    const text = edits.reduce(edited, texts[which % texts.length]!)
    const refusal = refusalOf(text)
    if (refusal === undefined) seen.sound++
    else {
      seen.refused++
      t.is(refusal.code, 'E_TEMPLATE')
      t.true(refusal.line >= 1 && refusal.line <= text.split('\n').length + 1)
      t.true(refusal.expectation.length > 0 && refusal.expectation.length < 300, refusal.expectation)
    }
  })
  fc.assert(property, { numRuns: long ? 50_000 : 250, seed: 20_260_103 })
  t.true(seen.refused > 20)
})

test('texts that are no templates at all are refused', (t) => {
  const property = fc.property(fc.oneof(fc.string(), fc.json(), fc.constantFrom(...hostile)), (text) => {
    t.is(refusalOf(text)?.code, 'E_TEMPLATE')
  })
  fc.assert(property, { numRuns: long ? 20_000 : 200, seed: 1 })
  t.is(refusalOf('a: '.repeat(TemplateLimits.fileBytes))?.code, 'E_TEMPLATE')
  t.is(refusalOf(`${'['.repeat(20_000)}`)?.code, 'E_TEMPLATE')
})

// ---- messages ---------------------------------------------------------------------------------------------------------------

/** One change of some octets: cut, doubled, moved, overwritten. */
const splice = fc.record({
  kind: fc.constantFrom('cut', 'double', 'overwrite', 'insert', 'zero'),
  from: fc.nat(),
  length: fc.nat({ max: 400 }),
  octets: fc.uint8Array({ minLength: 1, maxLength: 12 }),
})
type Splice = typeof splice extends fc.Arbitrary<infer T> ? T : never

function spliced(bytes: Uint8Array, { kind, from, length, octets }: Splice): Uint8Array {
  const at = from % (bytes.length + 1)
  const [before, middle, after] = [bytes.subarray(0, at), bytes.subarray(at, at + length), bytes.subarray(at + length)]
  if (kind === 'cut') return concat(before, after)
  if (kind === 'double') return concat(before, middle, middle, after)
  if (kind === 'insert') return concat(before, octets, middle, after)
  if (kind === 'zero') return concat(before, new Uint8Array(middle.length), after)
  return concat(before, octets, bytes.subarray(Math.min(bytes.length, at + octets.length)))
}

for (const shape of [...allShapes(), ...socketShapes()]) {
  test(`${nameOf(shape)}: messages that were changed anyhow are read or not, and never as something between`, (t) => {
    const up = requestOf(shape, shape.up.fit(700), 1)
    const down = responseOf(shape, shape.down.fit(700), 2)
    const largest = responseOf(shape, shape.down.max, 3)
    const property = fc.property(fc.array(splice, { minLength: 1, maxLength: 3 }), fc.boolean(), (splices, ofLarge) => {
      const header = lookup(up.headers)
      const changed = splices.reduce(spliced, up.body ?? utf8(up.target))
      const request =
        up.body === undefined
          ? { body: new Uint8Array(0), target: Buffer.from(changed).toString('latin1') }
          : { body: changed, target: up.target }
      const parcel = shape.decodeRequest({ ...request, header })
      t.true(parcel === undefined || shape.up.classes.includes(parcel.length))
      const token = shape.readToken(request.target, header, request.body.subarray(0, TemplateLimits.tokenWithin))
      t.true(token === undefined || token === 'needs-body' || token.length === 16)
      const answer = ofLarge ? largest : down
      const body = splices.reduce(spliced, answer.body)
      const back = shape.decodeResponse({ status: answer.status, header: lookup(answer.headers), body })
      t.true(back === undefined || shape.down.classes.includes(back.length))
    })
    fc.assert(property, { numRuns: long ? 20_000 : 60, seed: 4 })
  })

  test(`${nameOf(shape)}: headers and targets of any length are read in bounded steps`, (t) => {
    const random = seeded(9)
    const { headers, target } = requestOf(shape, shape.up.classes[0]!, 5)
    for (const filler of ['a', '.', ',', '"', '{', '%', '\n', '0', '9']) {
      const value = filler.repeat(20_000)
      const body = utf8(filler.repeat(TemplateLimits.bodyBytes))
      t.is(shape.decodeRequest({ target: target + value, header: lookup(headers), body }), undefined)
      t.is(shape.decodeRequest({ target, header: () => value, body }), undefined)
      t.is(shape.decodeResponse({ status: 200, header: () => value, body }), undefined)
      const token = shape.readToken(target, () => value, random(4_096))
      t.true(token === undefined || token === 'needs-body' || token.length === 16)
    }
  })
}
