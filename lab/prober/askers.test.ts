/** What is compared by the clock differs in what it says it differs in, and in nothing else. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { connect } from 'node:net'
import type { ExecutionContext } from 'ava'
import test from 'ava'
import { createMatcher } from '#engine/match.ts'
import type { Shape } from '#engine/shape.ts'
import { Carrier } from '#gateway/carrier.ts'
import type { Decoy } from '#gateway/decoy/decoy.ts'
import type { Cohort } from '#gateway/first-contact.ts'
import { WatchedMessage } from '#gateway/lead.ts'
import { Sessions, surroundings } from '#gateway/sessions.ts'
import { latin1 } from '#protocol/bytes.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import { TokenTable } from '#protocol/session/token-table.ts'
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

class CountingSessions extends Sessions {
  asked = 0

  override cohortOf(token: Uint8Array, key?: string): Cohort | undefined {
    this.asked++
    return super.cohortOf(token, key)
  }
}

/** A gateway's recognition in front of an empty website; resolves to how many tokens it looked up for one request. */
async function lookUps(t: ExecutionContext, { next }: Side): Promise<number> {
  const report = (error: unknown): void => t.fail(String(error))
  const tokens = new TokenTable()
  const own = { gatewaySecret: randomBytes(32), preferredAead: 1, tokens, services: [], admit: async () => undefined }
  const sessions = new CountingSessions({ ...surroundings(randomBytes), ...own, report })
  const decoy: Decoy = async (_request, response) => void response.end()
  const carrier = new Carrier({ matcher: () => matcher, tokens, sessions, decoy, report })
  const server = createServer({ IncomingMessage: WatchedMessage }, (request, response) => {
    t.true(carrier.take(request, response))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1', () => socket.write(next()))
  await once(socket, 'data')
  socket.destroy()
  server.close()
  return sessions.asked
}

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
  test(`${template.id}: a gateway looks up as much for a request without a token as for one with it`, async (t) => {
    t.is(await lookUps(t, strangers(shape, arm)), 1)
    t.is(await lookUps(t, formless(shape, arm)), 1)
  })
}
