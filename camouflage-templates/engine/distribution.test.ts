/**
 * Many messages of every built-in shape, taken apart by the template's own texts: every number, run and choice is spread as
 * the template declares, octets of ours are uniform, and lengths are those of the classes. Seeds are fixed; every bound is
 * one that a sound template exceeds once in ten thousand.
 */
import test from 'ava'
import { latin1, readU32 } from '#protocol/bytes.ts'
import { builtinIds, loadBuiltin } from '../builtin.ts'
import { requestOf, responseOf } from '../test-support.ts'
import { compileTemplate } from './compile.ts'
import { createContext } from './context.ts'
import { decodeText } from './encodings/text-encoding.ts'
import type { AnyHole } from './hole.ts'
import type { Values } from './pattern.ts'
import { scanAll } from './pattern.ts'
import type { BodyData, HeaderData, HoleData, Template } from './template.ts'

const MESSAGES = 400
/** One in ten thousand, of the normal distribution. */
const Z = 3.72

/** Largest chi-square that chance makes of `cells` equally filled ones (Wilson and Hilferty). */
function chiSquareBound(cells: number): number {
  const freedom = cells - 1
  const spread = 2 / (9 * freedom)
  return freedom * (1 - spread + Z * Math.sqrt(spread)) ** 3
}

/** `weights`: how often each cell is expected, in any unit. */
function chiSquare(counts: readonly number[], weights: readonly number[]): number {
  const total = counts.reduce((sum, count) => sum + count, 0)
  const all = weights.reduce((sum, weight) => sum + weight, 0)
  return counts.reduce((sum, count, at) => {
    const expected = (total * weights[at]!) / all
    return sum + (count - expected) ** 2 / expected
  }, 0)
}

/** Kolmogorov and Smirnov: largest distance from the uniform distribution over [from, to], in units of chance. */
function distance(values: readonly number[], [from, to]: readonly [number, number]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const far = sorted.map((value, index) => {
    const expected = (value - from + 0.5) / (to - from + 1)
    return Math.max(Math.abs((index + 1) / sorted.length - expected), Math.abs(index / sorted.length - expected))
  })
  return Math.max(...far) * Math.sqrt(sorted.length)
}
/** With room for the steps of whole numbers. */
const DISTANCE_BOUND = 2.23

function countOf<T>(values: readonly T[]): Map<T, number> {
  const counts = new Map<T, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  return counts
}

// ---- taking messages apart ----------------------------------------------------------------------------------------------

/** Texts of the template with holes, beside what a message has there. */
type Pairs = (readonly [text: string, written: string])[]

function bodyPairs(data: BodyData | undefined, body: Uint8Array): Pairs {
  const text = latin1(body)
  if (data?.text !== undefined) return [[data.text, text]]
  if (data?.ndjson !== undefined) {
    const { first, line } = data.ndjson
    const lines = text.split('\n').slice(0, -1)
    const head: Pairs = first === undefined ? [] : [[first, lines.shift()!]]
    return [...head, ...lines.map((each) => [line, each] as const)]
  }
  if (data?.engineio !== undefined) {
    const packets = text.split('\x1e')
    return data.engineio.packets.map((each, index) => [each, packets[index]!] as const)
  }
  if (data?.zip !== undefined) return [[data.zip.name, text.slice(30, 30 + body[26]! + 256 * body[27]!)]]
  return []
}

const headerPairs = (data: readonly HeaderData[], headers: readonly (readonly [string, string])[]): Pairs =>
  data.flatMap(([name, text], index) => {
    const written = headers[index]!
    // The host may stand anywhere and is not read.
    return text.includes('{{host}}') || written[0] !== name ? [] : [[text, written[1]] as const]
  })

function targetText(path: string, query: readonly HeaderData[]): string {
  const parameters = query.map(([name, value]) => `${name}=${value}`).join('&')
  return parameters === '' ? path : `${path}?${parameters}`
}

interface Seen {
  /** Of each hole, one of every message it stands in. */
  readonly values: Map<string, string[]>
  readonly holes: Map<string, AnyHole>
}

function collect(template: Template): Seen {
  const context = createContext(template)
  const seen: Seen = { values: new Map(), holes: new Map() }
  const take = (pairs: Pairs): void => {
    for (const [text, written] of pairs) {
      const values: Values = new Map()
      if (!scanAll(context.parse(text, []), written, values)) throw new Error(`${text} does not fit ${written}`)
      for (const [hole, value] of values) {
        seen.holes.set(hole.name, hole as AnyHole)
        const list = seen.values.get(hole.name) ?? []
        list.push(value)
        seen.values.set(hole.name, list)
      }
    }
  }
  for (const [index, shape] of compileTemplate(template).shapes.entries()) {
    const { request, response } = template.data.shapes[shape.name]!
    for (let at = 0; at < MESSAGES; at++) {
      const up = requestOf(shape, shape.up.classes[at % 2]!, 1_000_003 * index + 31 * at)
      take([[targetText(request.path, request.query), up.target], ...headerPairs(request.headers, up.headers)])
      take(bodyPairs(request.body, up.body ?? new Uint8Array(0)))
      const down = responseOf(shape, shape.down.classes[at % 2]!, 1_000_003 * index + 31 * at + 17)
      take([...headerPairs(response.headers, down.headers), ...bodyPairs(response.body, down.body)])
    }
  }
  return seen
}

// ---- what each kind of hole declares ---------------------------------------------------------------------------------------

/** Why the values are not spread as declared; undefined where they are. */
function fault(data: HoleData, hole: AnyHole, values: readonly string[]): string | undefined {
  if (values.some((value) => value.length < hole.min || value.length > hole.max)) return 'a length outside its bounds'
  if ('number' in data) return numberFault(data.number, values.map(Number))
  if ('oneOf' in data) return choiceFault(data.oneOf, values)
  if ('run' in data) {
    const [from, to] = data.length
    const lengths = Array.from({ length: to - from + 1 }, (_, at) => String(from + at))
    const spread = choiceFault(
      lengths,
      values.map(({ length }) => String(length)),
    )
    return spread ?? choiceFault([...hole.alphabet], [...values.join('')])
  }
  return hole.kind === 'filler' || hole.kind === 'host'
    ? 'a kind of its own'
    : octetFault((text) => decodeText(hole, text), values)
}

function numberFault(range: readonly [number, number], values: readonly number[]): string | undefined {
  if (range[1] - range[0] < 30) return choiceFault(series(range), values.map(String))
  const far = distance(values, range)
  return far < DISTANCE_BOUND ? undefined : `${far} from uniform`
}

const series = ([from, to]: readonly [number, number]): string[] =>
  Array.from({ length: to - from + 1 }, (_, at) => String(from + at))

function choiceFault(choices: readonly string[], values: readonly string[]): string | undefined {
  const expected = countOf(choices)
  const counts = countOf(values)
  const unknown = [...counts.keys()].find((value) => !expected.has(value))
  if (unknown !== undefined) return `${unknown} is none of them`
  if (expected.size === 1) return undefined
  const names = [...expected.keys()]
  const statistic = chiSquare(
    names.map((name) => counts.get(name) ?? 0),
    names.map((name) => expected.get(name)!),
  )
  return statistic < chiSquareBound(names.length) ? undefined : `chi-square ${statistic}`
}

function octetFault(decode: (text: string) => Uint8Array | undefined, values: readonly string[]): string | undefined {
  const counts = new Array<number>(256).fill(0)
  for (const value of values) for (const octet of decode(value) ?? []) counts[octet]!++
  const statistic = chiSquare(counts, new Array<number>(256).fill(1))
  return statistic < chiSquareBound(256) ? undefined : `octets: chi-square ${statistic}`
}

for (const id of builtinIds()) {
  test(`${id}: every hole is spread as the template declares`, (t) => {
    const template = loadBuiltin(id)
    const { values, holes } = collect(template)
    let checked = 0
    for (const [name, data] of Object.entries(template.data.holes)) {
      const list = values.get(name)
      // Those inside forms are drawn by the same code and stand elsewhere in most templates.
      if (list === undefined) continue
      checked++
      t.is(fault(data, holes.get(name)!, list), undefined, name)
    }
    t.true(checked >= Object.keys(template.data.holes).length - 4 && checked > 0)
  })

  test(`${id}: bodies are as long as class and decoration make them, and no longer than said`, (t) => {
    for (const shape of compileTemplate(loadBuiltin(id)).shapes) {
      for (const [direction, lengthOf] of [
        [shape.up, (length: number, seed: number) => requestOf(shape, length, seed).body?.length ?? 0],
        [shape.down, (length: number, seed: number) => responseOf(shape, length, seed).body.length],
      ] as const) {
        let largest = 0
        for (const length of direction.classes) {
          const lengths = Array.from({ length: 6 }, (_, seed) => lengthOf(length, seed))
          // A class is told from the one below it, whatever is drawn around.
          if (lengths[0]! > 0) t.true(Math.min(...lengths) > largest, `${shape.name} ${length}`)
          largest = Math.max(...lengths)
          t.true(largest <= 262_144)
        }
      }
    }
  })
}

test('bodies that are ciphertext are uniform octets', (t) => {
  for (const [id, kind] of [
    ['downloads', 'poll'],
    ['video', 'poll'],
  ] as const) {
    const shape = compileTemplate(loadBuiltin(id)).shape(kind)
    const counts = new Array<number>(256).fill(0)
    for (let seed = 0; seed < 40; seed++) {
      for (const octet of responseOf(shape, shape.down.fit(8_000), seed).body) counts[octet]!++
    }
    t.true(chiSquare(counts, new Array<number>(256).fill(1)) < chiSquareBound(256), id)
  }
})

test('samples of a fragment stay within their sizes, and are spread over them', (t) => {
  const shape = compileTemplate(loadBuiltin('video')).shape('bulk')
  const sizes: number[] = []
  const sequences: number[] = []
  for (let seed = 0; seed < 200; seed++) {
    const body = requestOf(shape, 24_576, seed).body!
    const trun = latin1(body.subarray(0, 200)).indexOf('trun')
    const count = readU32(body, trun + 8)
    sequences.push(readU32(body, latin1(body.subarray(0, 200)).indexOf('mfhd') + 8))
    // The last few make up the sum.
    for (let at = 0; at < count - 10; at++) sizes.push(readU32(body, trun + 16 + 4 * at))
  }
  t.true(sizes.every((size) => size >= 96 && size <= 420))
  const mean = sizes.reduce((sum, size) => sum + size, 0) / sizes.length
  t.true(Math.abs(mean - 258) < 10, `${mean}`)
  const cells = new Array<number>(13).fill(0)
  for (const size of sizes) cells[Math.floor((size - 96) / 25)]!++
  t.true(cells.every((count) => count > sizes.length / 13 / 2))
  t.true(distance(sequences, [1, 5_000]) < DISTANCE_BOUND)
})

test('the tests see what they are made to see', (t) => {
  t.is(choiceFault(['a', 'a', 'b'], [...'ab'.repeat(400)]) === undefined, false)
  t.is(choiceFault(['a', 'b'], ['c']), 'c is none of them')
  const even = Array.from({ length: 400 }, (_, at) => at * 2)
  t.is(numberFault([0, 799], even), undefined)
  t.regex(numberFault([0, 999], even)!, /from uniform/)
  t.regex(octetFault((text) => new Uint8Array(text.length), ['x'.repeat(1_000)])!, /chi-square/)
})
