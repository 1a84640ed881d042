import test from 'ava'
import fc from 'fast-check'
import { concat } from '../bytes.ts'
import { Limits } from '../constants.ts'
import { ReceiveBuffer } from './receive-buffer.ts'

interface Held {
  readonly fragments: readonly { readonly data: Uint8Array }[]
}

/** Octets of memory that the fragments keep, each buffer once. */
function memoryOf(buffer: ReceiveBuffer): number {
  const { fragments } = buffer as unknown as Held
  const buffers = new Set(fragments.map(({ data }) => data.buffer))
  return [...buffers].reduce((sum, { byteLength }) => sum + byteLength, 0)
}

test('an octet out of order does not keep its parcel in memory', (t) => {
  const buffer = new ReceiveBuffer()
  for (let i = 0; i < 100; i++) {
    const parcel = new Uint8Array(Limits.parcelBytes)
    t.deepEqual(buffer.accept(2 * i + 1, parcel.subarray(50, 51), false), [])
  }
  t.true(memoryOf(buffer) <= 200)
})

test('the same octets out of order again and again take no more room than once', (t) => {
  const buffer = new ReceiveBuffer()
  for (let i = 0; i < 300; i++) {
    const from = 1 + (i % 7)
    t.deepEqual(buffer.accept(from, new Uint8Array(200_000), false), [])
  }
  t.true(memoryOf(buffer) <= 2 * 200_007)
  t.true(buffer.fragmentCount < 10)
})

test('whatever pieces come in whatever order, the octets come out once and in order', (t) => {
  const content = Uint8Array.from({ length: 64 }, (_, i) => i)
  const piece = fc.tuple(fc.nat(63), fc.nat(20))
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
      const buffer = new ReceiveBuffer()
      const out: Uint8Array[] = []
      const seen = new Set<number>()
      for (const [start, length] of pieces) {
        const data = content.slice(start, start + length)
        for (let at = start; at < start + data.length; at++) seen.add(at)
        out.push(...(buffer.accept(start, data, false) ?? []))
        let whole = 0
        while (seen.has(whole)) whole++
        t.deepEqual(concat(...out), content.slice(0, whole))
      }
    }),
  )
  t.pass()
})

test('Limits.streamWindowOpen: who reads is sent more ahead than at first, and told of it now and then', (t) => {
  const buffer = new ReceiveBuffer()
  t.is(buffer.limit, Limits.streamWindow)
  t.is(buffer.consume(Limits.streamWindow / 4 - 1), undefined)
  t.is(buffer.consume(1), Limits.streamWindow / 4 + Limits.streamWindowOpen)
  t.is(buffer.consume(1), undefined)
  t.is(buffer.accept(buffer.limit, new Uint8Array(1), false), undefined, 'no octet beyond')
})
