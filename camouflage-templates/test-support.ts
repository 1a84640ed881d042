/** What the tests of templates share. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { CompiledTemplate, Shape } from '#engine/compile.ts'
import { compileTemplate } from '#engine/compile.ts'
import { loadTemplate } from '#engine/load.ts'
import type { HttpRequest, HttpResponse } from '#engine/template.ts'
import type { Random } from '#protocol/bytes.ts'
import { compileBuiltins } from './builtin.ts'

/** Runs of a property test: few by default, many with SOTTO_LONG=1. */
export const numRuns: number = process.env.SOTTO_LONG ? 200 : 4

/** Deterministic bytes (mulberry32), good enough for tests. */
export function seeded(seed: number): Random {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return mixed ^ (mixed >>> 14)
  }
  return (length) => {
    const words = new Uint32Array(Math.ceil(length / 4))
    for (let at = 0; at < words.length; at++) words[at] = next()
    return new Uint8Array(words.buffer, 0, length)
  }
}

/** No camouflage: combine what the built-in templates do not use. */
export function compileFixture(name: 'combinations' | 'containers' = 'combinations'): CompiledTemplate {
  const file = join(import.meta.dirname, 'fixtures', `${name}.yaml`)
  return compileTemplate(loadTemplate(readFileSync(file, 'utf8'), file))
}

/** Every shape of the built-in templates and the fixtures. */
export function allShapes(): Shape[] {
  const templates = [...compileBuiltins(), compileFixture(), compileFixture('containers')]
  const shapes = templates.flatMap((template) => template.shapes)
  if (shapes.length < 31) throw new Error('templates are missing')
  return shapes
}

/** What asks for a WebSocket: requests like any other, on no list of shapes. */
export function socketShapes(): Shape[] {
  const shapes = compileBuiltins().flatMap(({ socket }) => (socket === undefined ? [] : [socket.upgrade]))
  if (shapes.length < 1) throw new Error('the template with a socket is missing')
  return shapes
}

export const nameOf = (shape: Shape): string => `${shape.template} ${shape.name}`

const none = new Uint8Array(0)

export function lookup(headers: readonly (readonly [string, string])[]): (name: string) => string | undefined {
  const map = new Map(headers.map(([name, value]) => [name.toLowerCase(), value]))
  return (name) => map.get(name)
}

export interface Received {
  readonly token: Uint8Array | 'needs-body' | undefined
  readonly parcel: Uint8Array | undefined
}

/** What a gateway reads. */
export function receiveRequest(shape: Shape, request: HttpRequest): Received {
  const { target } = request
  const header = lookup(request.headers)
  const body = request.body ?? none
  return {
    token: shape.readToken(target, header, body.subarray(0, 4_096)),
    parcel: shape.decodeRequest({ target, header, body }),
  }
}

/** What a client reads. */
export function receiveResponse(shape: Shape, response: HttpResponse): Uint8Array | undefined {
  return shape.decodeResponse({ status: response.status, header: lookup(response.headers), body: response.body })
}

/** A request with everything drawn from one seed. */
export function requestOf(shape: Shape, parcelLength: number, seed: number): HttpRequest & Sent {
  const random = seeded(seed)
  const token = random(16)
  const parcel = random(parcelLength)
  return { ...shape.encodeRequest({ token, parcel, host: 'www.example.org', random }), token, parcel }
}
export interface Sent {
  readonly token: Uint8Array
  readonly parcel: Uint8Array
}

export function responseOf(shape: Shape, parcelLength: number, seed: number): HttpResponse & { parcel: Uint8Array } {
  const random = seeded(seed)
  const parcel = random(parcelLength)
  return { ...shape.encodeResponse({ parcel, random }), parcel }
}
