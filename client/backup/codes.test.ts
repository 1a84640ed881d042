/** The longest texts that a QR code holds. A card is as long where its owner's keys were changed often. */
import test from 'ava'
import { cardCode, codeImage, readCodeImage } from './codes.ts'

const lettersOf = (length: number): string => 'SOTTO-CARD:'.padEnd(length, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567')

test('up to the largest code it is drawn, and read back from a picture; beyond, it is said what to do', (t) => {
  for (const length of [3_391, 3_392, 4_296]) t.is(readCodeImage(codeImage(lettersOf(length))), lettersOf(length))
  t.notThrows(() => cardCode(lettersOf(4_296)))
  for (const make of [cardCode, codeImage]) {
    t.throws(() => make(lettersOf(4_297)), { code: 'E_CARD_CODE', message: /4297 letters, and 4296/ })
  }
})
