/** Messages of the control stream, however they come. */
import test from 'ava'
import { AgreementType, ControlReader, encodeControl } from './agreement.ts'

test('messages come out whole, however they are cut', (t) => {
  const messages = [new Uint8Array(1_184).fill(1), new Uint8Array(0), new Uint8Array(2_048).fill(2)]
  const bytes = Buffer.concat(messages.map((content) => encodeControl(AgreementType.offer, content)))
  for (const size of [1, 2, 7, 1_187, 5_000]) {
    const reader = new ControlReader()
    const read: Uint8Array[] = []
    for (let at = 0; at < bytes.length; at += size)
      for (const { content } of reader.push(new Uint8Array(bytes.subarray(at, at + size)))!) read.push(content)
    t.deepEqual(read, messages, `${size} octets at a time`)
  }
})

test('one longer than any there is ends it', (t) => {
  t.is(new ControlReader().push(Uint8Array.of(AgreementType.offer, 0x08, 0x01)), undefined)
})

test('a parcel full of the shortest messages is not copied again for each', (t) => {
  const bytes = new Uint8Array(60_000)
  const { slice, set } = Uint8Array.prototype
  let copied = 0
  Uint8Array.prototype.slice = function (...range) {
    const result = slice.apply(this, range)
    copied += result.length
    return result
  }
  Uint8Array.prototype.set = function (source, at) {
    copied += source.length
    set.call(this, source, at)
  }
  try {
    t.is(new ControlReader().push(bytes)?.length, 20_000)
  } finally {
    Object.assign(Uint8Array.prototype, { slice, set })
  }
  t.true(copied <= 2 * bytes.length, `${copied} octets copied for ${bytes.length}`)
})
