import test from 'ava'
import fc from 'fast-check'
import { concat } from '#protocol/bytes.ts'
import { prng } from '#test/helpers/prng.ts'
import { SEALED_LENGTHS } from '../sizes.ts'
import { FileLimits } from './limits.ts'
import { decodeFileNote, encodeFileNote, type FileNote } from './note.ts'

const rng = prng(1)
const note: FileNote = { key: rng.bytes(32), sid: rng.bytes(24), blob: rng.bytes(24), size: 12_345, name: 'plan.pdf' }
const picture = { width: 48, height: 48, pixels: rng.bytes(48 * 48 * 3) }
const all: readonly FileNote[] = [note, { ...note, picture }, { ...note, timer: 60 }, { ...note, picture, timer: 60 }]

test('what was said is read', (t) => {
  for (const each of all) t.deepEqual(decodeFileNote(encodeFileNote(each)), each)
})

test('without a picture it is as long as a short text, and with one it fits the largest class', (t) => {
  t.true(encodeFileNote({ ...note, name: 'n'.repeat(128), timer: 60 }).length <= 402)
  t.true(encodeFileNote({ ...note, name: 'n'.repeat(128), picture, timer: 60 }).length < SEALED_LENGTHS[2]! / 2)
})

test('cut, lengthened, or with what nobody knows: refused', (t) => {
  for (const each of all) {
    const body = encodeFileNote(each)
    for (let length = 0; length < body.length; length += 1 + Math.floor(body.length / 200))
      t.is(decodeFileNote(body.subarray(0, length)), undefined, `${length}`)
    t.is(decodeFileNote(concat(body, Uint8Array.of(0))), undefined)
    for (const flag of [1, 8, 128])
      t.is(decodeFileNote(concat(Uint8Array.of(body[0]! | flag), body.subarray(1))), undefined)
  }
  for (const bad of [
    { ...note, size: FileLimits.fileBytes + 1 },
    { ...note, timer: 0 },
    { ...note, timer: 2_419_201 },
    { ...note, picture: { ...picture, width: 49 } },
    { ...note, picture: { width: 0, height: 1, pixels: new Uint8Array(0) } },
    { ...note, picture: { ...picture, height: 47 } },
  ])
    t.is(decodeFileNote(encodeFileNote(bad)), undefined)
})

test('a name is made harmless by who reads it', (t) => {
  t.is(decodeFileNote(encodeFileNote({ ...note, name: '../\u202e.profile' }))!.name, '_.profile')
})

test('any octets: read or refused, never thrown', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (body) => {
      decodeFileNote(body)
      return true
    }),
  )
  t.pass()
})
