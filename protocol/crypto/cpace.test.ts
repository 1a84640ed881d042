/** CPace against the values of its draft, appendix B.3 and the points that must be refused; the group's OPRF of RFC 9497. */
import { ristretto255_oprf } from '@noble/curves/ed25519.js'
import type { ExecutionContext } from 'ava'
import test from 'ava'
import fc from 'fast-check'
import { readVectors } from '#test/helpers/vectors.ts'
import { concat, empty, fromHex, hex, utf8 } from '../bytes.ts'
import { type CpaceRun, type CpaceSide, cpaceGenerator, cpaceKey, cpaceShare, withLengths } from './cpace.ts'

const bytes = (text: string): Uint8Array => fromHex(text.toLowerCase())!

/** draft-irtf-cfrg-cpace, appendix B.3. */
const draft = {
  PRS: '50617373776F7264',
  CI: '0B415F696E69746961746F720B425F726573706F6E646572',
  sid: '7E4B4791D6A8EF019B936C79FB7F2C57',
  g: '222B6B195FE84B1652BADB6F6A3AE3D24341E7306967F0B8115B40D5698C7E56',
  ya: 'DA3D23700A9E5699258AEF94DC060DFDA5EBB61F02A5EA77FAD53F4FF0976D08',
  ADa: '414461',
  Ya: 'D6BAC480F2C386C394EFC7C47ADB9925DCD2630B64F240C50F8D0EEC482B9157',
  yb: 'D2316B454718C35362D83D69DF6320F38578ED5984651435E2949762D900B80D',
  ADb: '414462',
  Yb: '3EA7E0B19560D7C0B0F5734F63B955286DFA8232B5EBE63324E2D9E7433F7258',
  ISK_IR:
    'B69EFFBF61B51D56401C0F65601ABE428DE8206FEAAF0E32198896DCAE7B35CD2B38950A39DFD5D4A79164614C2984F7DAA460B588C1E80C3FA2068AF7900447',
}
/** No element of the group, and the neutral one. */
const invalid = [
  '2B3C6B8C4F3800E7AEF6864025B4ED79BD599117E427C41BD47D93D654B4A51C',
  '0000000000000000000000000000000000000000000000000000000000000000',
]

function check(t: ExecutionContext, v: typeof draft): void {
  const run = bytes(v.sid)
  const generator = cpaceGenerator({ secret: bytes(v.PRS), channel: bytes(v.CI), run })
  t.is(hex(generator), v.g.toLowerCase())
  const [ya, yb] = [bytes(v.ya), bytes(v.yb)]
  t.is(hex(cpaceShare(generator, ya)), v.Ya.toLowerCase())
  t.is(hex(cpaceShare(generator, yb)), v.Yb.toLowerCase())
  const first = { share: bytes(v.Ya), data: bytes(v.ADa) }
  const second = { share: bytes(v.Yb), data: bytes(v.ADb) }
  for (const [random, theirs] of [
    [ya, second.share],
    [yb, first.share],
  ] as const) {
    t.is(hex(cpaceKey({ random, theirs, run, first, second })!), v.ISK_IR.toLowerCase())
  }
}

test('generator, shares and key are those of the draft', (t) => {
  check(t, draft)
  const published = readVectors('oprf/cpace.json') as { G_Coffee25519: typeof draft } | undefined
  if (published === undefined) t.log('the folder of published vectors is absent')
  else check(t, published.G_Coffee25519)
})

test('lengths are those of the draft, on both sides of 128', (t) => {
  t.is(hex(withLengths(utf8('1234'), utf8('5'), empty, utf8('6789'))), '04313233340135000436373839')
  t.is(hex(withLengths(new Uint8Array(127)).subarray(0, 2)), '7f00')
  t.is(hex(withLengths(new Uint8Array(128)).subarray(0, 3)), '800100')
})

test('no element, the neutral element, and other lengths make no key', (t) => {
  const side = { share: bytes(draft.Ya), data: empty }
  const common = { random: bytes(draft.ya), run: bytes(draft.sid), first: side, second: side }
  const bad = [...invalid.map(bytes), empty, bytes(draft.Yb).subarray(1), concat(bytes(draft.Yb), Uint8Array.of(0))]
  for (const theirs of bad) t.is(cpaceKey({ ...common, theirs }), undefined, hex(theirs))
  t.throws(() => cpaceShare(bytes(draft.g), new Uint8Array(31)), { instanceOf: RangeError })
})

interface Sides {
  readonly run: CpaceRun
  readonly first: Uint8Array
  readonly second: Uint8Array
}

function keys(a: Sides, b: Sides, [ya, yb]: readonly [Uint8Array, Uint8Array]): (string | undefined)[] {
  const shares = [cpaceShare(cpaceGenerator(a.run), ya), cpaceShare(cpaceGenerator(b.run), yb)] as const
  const key = (own: Sides, random: Uint8Array, theirs: Uint8Array): string | undefined => {
    const first: CpaceSide = { share: shares[0], data: own.first }
    const second: CpaceSide = { share: shares[1], data: own.second }
    const made = cpaceKey({ random, theirs, run: own.run.run, first, second })
    return made && hex(made)
  }
  return [key(a, ya, shares[1]), key(b, yb, shares[0])]
}

test('the keys are equal exactly where secret, channel, run and both sides’ data are', (t) => {
  const octets = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length })
  const some = fc.uint8Array({ maxLength: 200 })
  const sides = fc.record({
    ...{ secret: some, channel: some, run: octets(16), first: some, second: some, ya: octets(32), yb: octets(32) },
    part: fc.constantFrom('none', 'secret', 'channel', 'run', 'first', 'second'),
  })
  fc.assert(
    fc.property(sides, ({ secret, channel, run, first, second, ya, yb, part }) => {
      fc.pre(ya.some((octet) => octet !== 0 && octet !== 0xf0) && yb.some((octet) => octet !== 0 && octet !== 0xf0))
      const other = (name: string, of: Uint8Array): Uint8Array => (part === name ? concat(of, Uint8Array.of(1)) : of)
      const a = { run: { secret, channel, run }, first, second }
      const run2 = { secret: other('secret', secret), channel: other('channel', channel), run: other('run', run) }
      const b = { run: run2, first: other('first', first), second: other('second', second) }
      const [one, two] = keys(a, b, [ya, yb])
      return one !== undefined && two !== undefined && (one === two) === (part === 'none')
    }),
    { numRuns: 40 },
  )
  t.pass()
})

interface OprfFile {
  readonly identifier: string
  readonly mode: number
  readonly skSm: string
  readonly vectors: readonly Record<'Blind' | 'BlindedElement' | 'EvaluationElement' | 'Input' | 'Output', string>[]
}

test('the group and its map are those of RFC 9497', (t) => {
  const files = readVectors('oprf/oprf-rfc9497.json') as OprfFile[] | undefined
  if (files === undefined) {
    t.log('the folder of published vectors is absent')
    t.pass()
    return
  }
  const file = files.find(({ identifier, mode }) => identifier === 'ristretto255-SHA512' && mode === 0)!
  t.true(file.vectors.length >= 2)
  for (const { Blind, BlindedElement, EvaluationElement, Input, Output } of file.vectors) {
    const { oprf } = ristretto255_oprf
    const evaluated = oprf.blindEvaluate(bytes(file.skSm), bytes(BlindedElement))
    t.is(hex(evaluated), EvaluationElement)
    t.is(hex(oprf.finalize(bytes(Input), bytes(Blind), evaluated)), Output)
  }
})
