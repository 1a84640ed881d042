/** Every template, shape and class through a real server and a real client on loopback, byte for byte. */

import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import test from 'ava'
import { Client } from 'undici'
import { fastEqual } from '#protocol/bytes.ts'
import { compileBuiltins } from '../builtin.ts'
import { compileFixture, nameOf, requestOf, responseOf } from '../test-support.ts'
import { createMatcher } from './match.ts'
import type { Shape } from './shape.ts'
import type { HttpResponse } from './template.ts'

interface Arrived {
  readonly shapes: readonly Shape[]
  readonly token: Uint8Array | 'needs-body' | undefined
  readonly parcel: Uint8Array | undefined
  readonly rawHeaders: readonly string[]
}

const templates = [...compileBuiltins(), compileFixture(), compileFixture('containers')]
const matcher = createMatcher(templates)
/** What the server answers next, and what it saw last. One exchange at a time. */
let answer: HttpResponse
let arrived: Arrived

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  const body = new Uint8Array(Buffer.concat(chunks))
  const target = request.url!
  const header = (name: string): string | undefined => request.headers[name] as string | undefined
  const shapes = matcher.match(request.method!, target)
  // Where shapes share a path, as a gateway finds out.
  const shape = shapes.find((each) => each.decodeRequest({ target, header, body }) !== undefined)
  arrived = {
    shapes,
    token: shape?.readToken(target, header, body.subarray(0, 4_096)),
    parcel: shape?.decodeRequest({ target, header, body }),
    rawHeaders: request.rawHeaders,
  }
  response.writeHead(answer.status, [...answer.headers, ['content-length', String(answer.body.length)]].flat())
  response.end(answer.body)
}

async function exchange(client: Client, shape: Shape, up: number, down: number, seed: number): Promise<void> {
  const sent = requestOf(shape, up, seed)
  const back = responseOf(shape, down, seed + 1)
  answer = back
  const response = await client.request({
    method: sent.method,
    path: sent.target,
    headers: sent.headers.flat(),
    body: sent.body ?? null,
  })
  const body = new Uint8Array(await response.body.arrayBuffer())
  const header = (name: string): string | undefined => response.headers[name] as string | undefined
  const parcel = shape.decodeResponse({ status: response.statusCode, header, body })
  const place = `${nameOf(shape)} ${up} ${down}`
  if (!arrived.shapes.includes(shape)) throw new Error(`${place}: not matched`)
  if (!(arrived.token instanceof Uint8Array) || !fastEqual(arrived.token, sent.token))
    throw new Error(`${place}: token`)
  if (!arrived.parcel || !fastEqual(arrived.parcel, sent.parcel)) throw new Error(`${place}: parcel up`)
  if (!parcel || !fastEqual(parcel, back.parcel)) throw new Error(`${place}: parcel down`)
  const written = arrived.rawHeaders.filter((_, at) => at % 2 === 0)
  const ours = sent.headers.map(([name]) => name)
  const rest = written.filter((name) => !ours.includes(name))
  if (written.slice(2, 2 + ours.length).join() !== ours.join()) throw new Error(`${place}: order ${written}`)
  if (rest.join() !== (sent.body ? 'host,connection,content-length' : 'host,connection'))
    throw new Error(`${place}: ${rest}`)
}

let server: Server
let client: Client
test.before(async () => {
  server = createServer((request, response) => void serve(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  client = new Client(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
})
test.after.always(async () => {
  await client.destroy()
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

for (const template of templates) {
  test.serial(`${template.id} arrives over HTTP in every shape and class`, async (t) => {
    t.true(template.shapes.length >= 2)
    for (const shape of template.shapes) {
      for (const [index, up] of shape.up.classes.entries()) await exchange(client, shape, up, shape.down.max, index)
      for (const [index, down] of shape.down.classes.entries()) await exchange(client, shape, shape.up.max, down, index)
    }
  })
}
