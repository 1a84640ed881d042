import test from 'ava'
import { addToMap, isInMap, isPieceClass, mapLength, PIECE_BYTES, PIECES_MAX, pieceClass } from './blobs.ts'
import { Limits } from './constants.ts'

test('classes: the least that is enough, padding of a quarter at the most, and few of them', (t) => {
  const classes = Array.from({ length: PIECES_MAX }, (_, i) => i + 1).filter(isPieceClass)
  t.deepEqual(classes.slice(0, 16), [1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32])
  t.is(classes.at(-1), PIECES_MAX)
  t.is(classes.length, 42)
  for (let pieces = 1; pieces <= PIECES_MAX; pieces++) {
    t.is(pieceClass(pieces), classes.find((each) => each >= pieces)!)
    t.true(pieceClass(pieces) <= pieces * 1.25)
  }
})

test('what is no class', (t) => {
  for (const pieces of [0, -1, 1.5, 9, 11, 13, 17, 1_000, PIECES_MAX + 512, Number.NaN, Number.POSITIVE_INFINITY])
    t.false(isPieceClass(pieces), String(pieces))
})

test('maps', (t) => {
  t.deepEqual([1, 8, 9, PIECES_MAX].map(mapLength), [1, 1, 2, 384])
  const map = new Uint8Array(2)
  for (const index of [0, 7, 9]) addToMap(map, index)
  t.deepEqual([...map], [0b10000001, 0b01000000])
  t.deepEqual(
    Array.from({ length: 16 }, (_, i) => i).filter((index) => isInMap(map, index)),
    [0, 7, 9],
  )
})

test('a piece fits one message of a service, with the call around it', (t) => {
  t.true(PIECE_BYTES + 512 < Limits.messageBytes)
})
