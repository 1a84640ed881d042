import test from 'ava'
import fc from 'fast-check'
import { fastEqual, latin1 } from '#protocol/bytes.ts'
import {
  allShapes,
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
import { TemplateLimits } from './limits.ts'
import type { HttpRequest } from './template.ts'

const seeds = fc.integer({ min: 0, max: 2 ** 31 })

/** Everything that a wire shows of a message. */
const textOf = (message: Partial<HttpRequest> & Pick<HttpRequest, 'headers' | 'body'>): string =>
  JSON.stringify([message.target, message.headers, latin1(message.body ?? new Uint8Array(0))])

for (const shape of [...allShapes(), ...socketShapes()]) {
  test(`${nameOf(shape)}: every class arrives, both ways`, (t) => {
    for (const length of shape.up.classes) {
      fc.assert(
        fc.property(seeds, (seed) => {
          const request = requestOf(shape, length, seed)
          const received = receiveRequest(shape, request)
          t.true(received.parcel !== undefined && fastEqual(received.parcel, request.parcel))
          t.deepEqual(received.token, request.token)
        }),
        { numRuns },
      )
    }
    for (const length of shape.down.classes) {
      fc.assert(
        fc.property(seeds, (seed) => {
          const response = responseOf(shape, length, seed)
          const received = receiveResponse(shape, response)
          t.true(received !== undefined && fastEqual(received, response.parcel))
        }),
        { numRuns },
      )
    }
  })

  test(`${nameOf(shape)}: content of any length from nothing to the largest class arrives in the class that holds it`, (t) => {
    const lengths = (max: number): fc.Arbitrary<number> =>
      fc.oneof(fc.constantFrom(0, 1, max - 1, max), fc.integer({ min: 0, max: Math.min(max, 2_000) }), fc.nat({ max }))
    /** Content in front, the rest filled up, as a session does it. */
    const filled = (content: Uint8Array, length: number): Uint8Array => {
      const parcel = seeded(length)(length)
      parcel.set(content)
      return parcel
    }
    const property = fc.property(lengths(shape.up.max), lengths(shape.down.max), seeds, (up, down, seed) => {
      const random = seeded(seed)
      const [above, below] = [random(up), random(down)]
      const drawn = { token: random(16), parcel: filled(above, shape.up.fit(up)), host: 'a.example', random }
      const received = receiveRequest(shape, shape.encodeRequest(drawn)).parcel
      t.true(received !== undefined && fastEqual(received.subarray(0, up), above))
      const back = receiveResponse(shape, shape.encodeResponse({ parcel: filled(below, shape.down.fit(down)), random }))
      t.true(back !== undefined && fastEqual(back.subarray(0, down), below))
    })
    fc.assert(property, { numRuns: 5 * numRuns })
  })

  test(`${nameOf(shape)}: parcels of one repeated octet arrive`, (t) => {
    for (const value of [0, 255]) {
      const token = new Uint8Array(16).fill(value)
      const up = new Uint8Array(shape.up.max).fill(value)
      const request = shape.encodeRequest({ token, parcel: up, host: 'a.example', random: seeded(1) })
      const received = receiveRequest(shape, request)
      t.deepEqual(received.token, token)
      t.true(received.parcel !== undefined && fastEqual(received.parcel, up))
      const down = new Uint8Array(shape.down.max).fill(value)
      const back = receiveResponse(shape, shape.encodeResponse({ parcel: down, random: seeded(1) }))
      t.true(back !== undefined && fastEqual(back, down))
    }
  })

  test(`${nameOf(shape)}: the same input and random octets make the same message`, (t) => {
    const up = (seed: number): string => textOf(requestOf(shape, shape.up.max, seed))
    const down = (seed: number): string => textOf(responseOf(shape, shape.down.max, seed))
    for (const text of [up, down]) {
      const first = text(7)
      t.true(first === text(7))
      t.true(first !== text(8))
    }
  })

  test(`${nameOf(shape)}: what is written and read is not changed by it`, (t) => {
    const token = new Uint8Array(16).fill(3)
    const parcel = new Uint8Array(shape.up.max).fill(5)
    const request = shape.encodeRequest({ token, parcel, host: 'a.example', random: seeded(1) })
    const before = request.body?.slice()
    receiveRequest(shape, request)
    t.true(token.every((value) => value === 3) && parcel.every((value) => value === 5))
    t.true(before === undefined || fastEqual(before, request.body!))
  })

  test(`${nameOf(shape)}: other lengths are refused by the writer`, (t) => {
    const random = seeded(1)
    const send = (tokenLength: number, length: number): unknown =>
      shape.encodeRequest({ token: random(tokenLength), parcel: random(length), host: 'a.example', random })
    const isInternal = { code: 'E_INTERNAL' }
    t.throws(() => send(16, shape.up.max + 1), isInternal)
    t.throws(() => send(16, shape.up.classes[0]! - 1), isInternal)
    t.throws(() => send(15, shape.up.max), isInternal)
    t.throws(() => shape.encodeResponse({ parcel: random(shape.down.max - 1), random }), isInternal)
  })

  test(`${nameOf(shape)}: the token is read from as little as it takes`, (t) => {
    const request = requestOf(shape, shape.up.max, 3)
    const header = lookup(request.headers)
    const blind = shape.readToken(request.target, header, undefined)
    if (blind !== 'needs-body') {
      t.deepEqual(blind, request.token)
      return
    }
    const body = request.body!
    let length = 0
    while (shape.readToken(request.target, header, body.subarray(0, length)) === 'needs-body') length++
    t.true(length <= TemplateLimits.tokenWithin)
    t.deepEqual(shape.readToken(request.target, header, body.subarray(0, length)), request.token)
    t.deepEqual(shape.readToken(request.target, header, body.subarray(0, length + 100)), request.token)
    t.is(shape.readToken(request.target, header, new Uint8Array(TemplateLimits.tokenWithin)), undefined)
  })
}
