import { chacha20poly1305 } from '@noble/ciphers/chacha.js'
import test from 'ava'
import fc from 'fast-check'
import { PIECE_BYTES } from '#protocol/blobs.ts'
import { prng } from '#test/helpers/prng.ts'
import { CONTENT_BYTES, FileLimits } from './limits.ts'
import { Pieces, piecesOf } from './pieces.ts'

const key = prng(1).bytes(32)
const content = prng(2).bytes(4 * CONTENT_BYTES + 100)

function sealed(bytes: Uint8Array = content, with_: Uint8Array = key): Uint8Array[] {
  const pieces = new Pieces(with_, bytes.length)
  return Array.from({ length: pieces.count }, (_, i) =>
    pieces.seal(i, bytes.subarray(i * CONTENT_BYTES, i * CONTENT_BYTES + pieces.lengthOf(i))),
  )
}

test('what was sealed opens, and has one length', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 3 * CONTENT_BYTES + 5 }), (size) => {
      const bytes = content.subarray(0, size)
      const pieces = new Pieces(key, size)
      const opened = sealed(bytes).map((piece, i) => pieces.open(i, piece)!)
      return Buffer.concat(opened).equals(bytes) && sealed(bytes).every(({ length }) => length === PIECE_BYTES)
    }),
    { numRuns: 20 },
  )
  t.is(sealed().length, 5)
})

test('no piece opens when an octet of it was changed, or the end is missing', (t) => {
  const pieces = new Pieces(key, content.length)
  const [piece] = sealed()
  for (const at of [0, 1, 16_000, PIECE_BYTES - 17, PIECE_BYTES - 1]) {
    t.is(
      pieces.open(
        0,
        piece!.map((octet, i) => (i === at ? octet ^ 1 : octet)),
      ),
      undefined,
      `octet ${at}`,
    )
  }
  for (const length of [0, 15, 16, PIECE_BYTES - 1]) t.is(pieces.open(0, piece!.subarray(0, length)), undefined)
})

test('no piece opens in the place of another, of another file, or as the last one', (t) => {
  const [pieces, all] = [new Pieces(key, content.length), sealed()]
  for (const [i, piece] of all.entries()) {
    for (let j = 0; j < 5; j++) t.is(pieces.open(j, piece) !== undefined, i === j)
  }
  // Cut after four pieces, so that the fourth would be the last.
  const cut = new Pieces(key, 4 * CONTENT_BYTES)
  for (let i = 0; i < 4; i++) t.is(cut.open(i, all[i]!), undefined)
  t.is(new Pieces(prng(3).bytes(32), content.length).open(0, all[0]!), undefined)
})

test('padding is zeros: what a sender hides there is refused', (t) => {
  const pieces = new Pieces(key, content.length - 50)
  t.is(pieces.open(4, sealed()[4]!), undefined)
})

test('the number of pieces is a class, and the largest file fits the largest', (t) => {
  t.deepEqual([0, 1, CONTENT_BYTES, CONTENT_BYTES + 1, 8 * CONTENT_BYTES + 1].map(piecesOf), [1, 1, 1, 2, 10])
  t.is(piecesOf(FileLimits.fileBytes), 3_072)
  t.is(FileLimits.fileBytes, 100_614_144)
})

test('as the protocol says, by other code', (t) => {
  const all = sealed()
  const label = Uint8Array.from([...Buffer.from('sotto/1/file'), 0, 0, 0, 5])
  const nonce = (i: number): Uint8Array => Uint8Array.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, i, i === 4 ? 1 : 0])
  const padded = new Uint8Array(5 * 32_752)
  padded.set(content)
  for (const [i, piece] of all.entries())
    t.deepEqual(piece, chacha20poly1305(key, nonce(i), label).encrypt(padded.subarray(i * 32_752, (i + 1) * 32_752)))
})
