import test from 'ava'
import fc from 'fast-check'
import { concat, fromLatin1, hex, readU16, u16 } from '#protocol/bytes.ts'
import { sha256 } from '#protocol/crypto/hash.ts'
import { encodeEnvelope, MessageType, pad } from '../envelope.ts'
import { faceFrom, jpegOf } from '../fixtures/faces.ts'
import { ChatLimits } from '../limits.ts'
import { INNER_LENGTHS, paddedLength } from '../sizes.ts'
import { AVATAR_JPEG_MAX, encodeAvatar, readAvatar, SMALL_SIDE } from './avatar.ts'
import { decodeAvatarStep, encodeAvatarStep } from './avatar-body.ts'

const salt = (octet: number): Uint8Array => new Uint8Array(16).fill(octet)
const small = new Uint8Array(SMALL_SIDE * SMALL_SIDE * 3).fill(7)
const built = (jpeg: Uint8Array, version = 1): Uint8Array => concat(Uint8Array.of(version), salt(1), small, jpeg)
const comment = (length: number): Uint8Array =>
  concat(Uint8Array.of(0xff, 0xfe), u16(length + 2), fromLatin1('x'.repeat(length)))
const withSegment = (jpeg: Uint8Array, segment: Uint8Array): Uint8Array =>
  concat(jpeg.subarray(0, 2), segment, jpeg.subarray(2))

test('what is read is what was made, and its hash covers all of it', (t) => {
  const face = faceFrom(40)
  const avatar = encodeAvatar(face, salt(1))
  t.deepEqual(readAvatar(avatar.bytes), avatar)
  t.deepEqual([avatar.jpeg, avatar.small, avatar.side], [face.jpeg, face.small, 160])
  t.is(hex(avatar.hash), hex(sha256(fromLatin1('sotto/1/avatar'), avatar.bytes)))
  t.not(hex(encodeAvatar(face, salt(2)).hash), hex(avatar.hash), 'the salt hides which picture it is')
})

test('what tells something beside the picture, follows it, or is none, is nothing', (t) => {
  const jpeg = jpegOf([200, 10, 10], 32)
  t.truthy(readAvatar(built(jpeg)))
  const refused: readonly [string, Uint8Array][] = [
    ['another version', built(jpeg, 2)],
    ['a comment', built(withSegment(jpeg, comment(9)))],
    ['Exif', built(withSegment(jpeg, concat(Uint8Array.of(0xff, 0xe1), u16(8), fromLatin1('Exif\0\0'))))],
    ['a trailer', built(concat(jpeg, fromLatin1('planted')))],
    ['cut off', built(jpeg.subarray(0, -2))],
    ['no picture', built(new Uint8Array(300))],
    ['a PNG', built(fromLatin1('\x89PNG\r\n\x1a\n'))],
    ['nothing behind the small one', built(new Uint8Array(0))],
    ['nothing', new Uint8Array(0)],
    ['no square', built(jpegOf([1, 2, 3], 32, 33))],
  ]
  for (const [what, bytes] of refused) t.is(readAvatar(bytes), undefined, what)
  t.throws(() => encodeAvatar({ ...faceFrom(1), jpeg: new Uint8Array(9) }, salt(1)), { instanceOf: RangeError })
})

test('ChatLimits.avatarSide: what claims to unfold to more is nothing', (t) => {
  const jpeg = jpegOf([9, 9, 9], ChatLimits.avatarSide)
  t.is(readAvatar(built(jpeg))?.side, ChatLimits.avatarSide)
  t.is(readAvatar(built(jpegOf([9, 9, 9], ChatLimits.avatarSide + 8))), undefined)
  const frame = jpeg.findIndex((octet, at) => octet === 0xff && jpeg[at + 1] === 0xc0)
  const bomb = jpeg.slice()
  bomb.set(concat(u16(65_535), u16(65_535)), frame + 5)
  t.is(readAvatar(built(bomb)), undefined)
  const second = bomb.subarray(frame, frame + 2 + readU16(bomb, frame + 2))
  t.is(readAvatar(built(concat(jpeg.subarray(0, -2), second, jpeg.subarray(-2)))), undefined, 'a second frame')
})

test('ChatLimits.avatarBytes: one more is nothing, and the longest fits one message, whatever rides along', (t) => {
  const jpeg = jpegOf([9, 9, 9], 16)
  const colours = (length: number): Uint8Array =>
    concat(Uint8Array.of(0xff, 0xe2), u16(length + 2), fromLatin1('ICC_PROFILE\0'), new Uint8Array(length - 12))
  const filler = AVATAR_JPEG_MAX - jpeg.length - 4
  const longest = readAvatar(built(withSegment(jpeg, colours(filler))))!
  t.is(longest.bytes.length, ChatLimits.avatarBytes)
  t.is(readAvatar(built(withSegment(jpeg, colours(filler + 1)))), undefined)
  const body = encodeAvatarStep({ step: 'give', avatar: longest })
  const zeros = new Uint8Array(16)
  const envelope = encodeEnvelope({
    ...{ id: zeros, chat: zeros, time: 1, counter: 1, previous: zeros, type: MessageType.avatar, body },
  })
  // The start of a session from a shelf, with all documents that there can be.
  const start = 1_849 + (ChatLimits.documents - 1) * 227
  const room = paddedLength(envelope.length, start)!
  t.true(room <= INNER_LENGTHS.at(-1)!)
  t.is(pad(envelope, room).length, room)
})

test('bodies: both ways, and nothing else', (t) => {
  const avatar = encodeAvatar(faceFrom(3), salt(3))
  const { hash } = avatar
  t.deepEqual(decodeAvatarStep(encodeAvatarStep({ step: 'ask', hash })), { step: 'ask', hash })
  t.deepEqual(decodeAvatarStep(encodeAvatarStep({ step: 'give', avatar })), { step: 'give', avatar })
  t.is(decodeAvatarStep(concat(Uint8Array.of(1), hash, Uint8Array.of(0))), undefined)
  t.is(decodeAvatarStep(concat(Uint8Array.of(3), hash)), undefined)
  t.is(decodeAvatarStep(new Uint8Array(0)), undefined)
})

test('whatever is changed in one: another hash, or nothing', (t) => {
  const { bytes, hash } = encodeAvatar(faceFrom(3), salt(3))
  const isSeen = fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, by) => {
    const other = bytes.slice()
    other[at] = other[at]! ^ by
    const read = readAvatar(other)
    return read === undefined || hex(read.hash) !== hex(hash)
  })
  t.notThrows(() => fc.assert(isSeen))
})
