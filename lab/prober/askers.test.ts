/** What is compared by the clock differs in what it says it differs in, and in nothing else. */
import test from 'ava'
import { createMatcher } from '#engine/match.ts'
import type { Shape } from '#engine/shape.ts'
import { latin1 } from '#protocol/bytes.ts'
import { compileBuiltins } from '../../camouflage-templates/builtin.ts'
import { formless, neighbours, strangers } from './askers.ts'
import type { Side } from './pairs.ts'

const templates = compileBuiltins('node')
const matcher = createMatcher(templates)
const arm = { port: 1, prefix: '' }

interface Parsed {
  readonly method: string
  readonly target: string
  readonly header: (name: string) => string | undefined
  readonly body: Uint8Array
  readonly length: number
}

function parsed({ next }: Side): Parsed {
  const octets = next()
  const end = latin1(octets).indexOf('\r\n\r\n')
  const [line = '', ...fields] = latin1(octets).slice(0, end).split('\r\n')
  const [method = '', target = ''] = line.split(' ')
  const header = (name: string): string | undefined =>
    fields.find((field) => field.toLowerCase().startsWith(`${name}: `))?.slice(name.length + 2)
  return { method, target, header, body: octets.subarray(end + 4), length: octets.length }
}

const tokenIn = (shape: Shape, { target, header, body }: Parsed): unknown => shape.readToken(target, header, body)

for (const template of templates) {
  const shape = template.shape('send')

  test(`${template.id}: with a token, without one, and at the path beside`, (t) => {
    const stranger = parsed(strangers(shape, arm))
    t.true(tokenIn(shape, stranger) instanceof Uint8Array)
    t.true(matcher.match(stranger.method, stranger.target).includes(shape))

    const none = parsed(formless(shape, arm))
    t.false(tokenIn(shape, none) instanceof Uint8Array)
    t.true(matcher.match(none.method, none.target).includes(shape), 'still a template’s path')
    t.is(none.length, stranger.length)

    const beside = parsed(neighbours(shape, arm, matcher))
    t.deepEqual(matcher.match(beside.method, beside.target), [])
    const other = [...beside.target.split('?')[0]!].filter((letter, i) => letter !== stranger.target[i])
    t.true(other.length >= 1 && beside.target.length === stranger.target.length)
  })
}
