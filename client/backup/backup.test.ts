import { crc32, deflateSync } from 'node:zlib'
import test from 'ava'
import fc from 'fast-check'
import { concat, empty, fromHex, fromLatin1, hex, u32, utf8 } from '#protocol/bytes.ts'
import { sha256 } from '#protocol/crypto/hash.ts'
import { isSottoError } from '#protocol/errors.ts'
import { prng } from '#test/helpers/prng.ts'
import { base32 } from '../chat/base32.ts'
import { codeImage, drawnCode, readCodeImage } from './codes.ts'
import { CONTAINER_LENGTH, needsOf, openBackup, Profile, sealBackup } from './container.ts'
import { newDongle, readDongle } from './dongle.ts'
import { fromLetters, toLetters } from './letters.ts'
import { fromParts, toParts } from './parts.ts'
import { backupFile, readBackup } from './read.ts'

const { bytes: random } = prng(7)
/** `master` is 32 times 0x07; made by Python's hashlib and cryptography. */
const OLD =
  '0110000102030405060708090a0b0c0d0e0f5318218f0a523e4cd3cf14be1afa076915deb78d7e1abf10d805f0992e39e2d1c0a829c2f5d0539747fb1c4243a54f7b'
const master = random(32)
const dongle = random(32)
const password = 'correct horse battery'
const sealed = sealBackup(master, { password }, Profile.pbkdf2, random)
/** Of the quickest kind: what is tested with it has nothing to do with passwords. */
const quick = sealBackup(master, { dongle }, Profile.argon2id, random)

const refusal = async (work: () => unknown): Promise<string> => {
  try {
    await work()
    return 'no error'
  } catch (error) {
    return isSottoError(error) ? `${error.code}: ${error.message}` : String(error)
  }
}

test('each profile and each set of factors opens with what it was made with, and with nothing less', async (t) => {
  const both = { password, dongle }
  for (const profile of [Profile.pbkdf2, Profile.argon2id, Profile.argon2idStrong] as const) {
    const container = sealBackup(master, both, profile, random)
    t.is(container.length, CONTAINER_LENGTH)
    t.deepEqual(needsOf(container), { password: true, dongle: true, profile })
    t.deepEqual(openBackup(container, both), master)
    t.regex(await refusal(() => openBackup(container, { password })), /^E_BACKUP_LOCKED.*dongle/)
    t.regex(await refusal(() => openBackup(container, { dongle })), /^E_BACKUP_LOCKED.*password/)
    t.regex(await refusal(() => openBackup(container, { password, dongle: random(32) })), /^E_BACKUP_LOCKED/)
    t.regex(await refusal(() => openBackup(container, { password: 'wrong password', dongle })), /^E_BACKUP_LOCKED/)
  }
  t.deepEqual(openBackup(quick, { dongle, password: 'not asked for' }), master)
  t.deepEqual(openBackup(sealed, { password, dongle }), master, 'a dongle that is not asked for does no harm')
})

test('the old profile is read and not written', (t) => {
  t.throws(() => sealBackup(master, {}, Profile.argon2id, random), { instanceOf: RangeError })
  const old = fromHex(OLD)!
  t.deepEqual(needsOf(old), { password: true, dongle: false, profile: Profile.pbkdf2Old })
  t.is(hex(openBackup(old, { password: 'an old password' })), '07'.repeat(32))
})

test('the same password in another spelling of Unicode opens', (t) => {
  const container = sealBackup(master, { password: 'caf\u00e9 au lait' }, Profile.pbkdf2, random)
  t.deepEqual(openBackup(container, { password: 'cafe\u0301 au lait' }), master)
})

test('two backups of one identity have nothing in common but their header', (t) => {
  const other = sealBackup(master, { dongle }, Profile.argon2id, random)
  t.deepEqual(other.subarray(0, 2), quick.subarray(0, 2))
  for (let at = 2; at < CONTAINER_LENGTH; at += 8)
    t.notDeepEqual(other.subarray(at, at + 8), quick.subarray(at, at + 8))
})

test('no changed octet opens', async (t) => {
  for (let at = 0; at < CONTAINER_LENGTH; at++) {
    const changed = quick.map((octet, i) => (i === at ? octet ^ 1 : octet))
    t.regex(await refusal(() => openBackup(changed, { dongle })), /^E_BACKUP_(LOCKED|FORMAT|VERSION)/, `${at}`)
  }
  for (const length of [0, 1, 65, 67]) {
    t.regex(await refusal(() => needsOf(new Uint8Array(length))), /^E_BACKUP_FORMAT/)
  }
})

test('letters: what is written is read, however it is typed', (t) => {
  const text = toLetters(quick)
  t.regex(text, /^(?:[A-Z2-7]{5} ){5}[A-Z2-7]{5}(?:\n(?:[A-Z2-7]{5} ){5}[A-Z2-7]{5}){3}$/)
  t.deepEqual(fromLetters(text), quick)
  t.deepEqual(fromLetters(text.toLowerCase().replaceAll(' ', '-')), quick)
  t.deepEqual(fromLetters(text.replaceAll('O', '0').replaceAll('I', '1').replaceAll('B', '8')), quick)
  fc.assert(
    fc.property(fc.uint8Array({ minLength: CONTAINER_LENGTH, maxLength: CONTAINER_LENGTH }), (container) => {
      t.deepEqual(fromLetters(toLetters(container)), container)
    }),
    { numRuns: 50 },
  )
})

test('letters: a slip is found in its line, and none passes', async (t) => {
  const lines = toLetters(quick).split('\n')
  let named = 0
  for (const [i, line] of lines.entries()) {
    for (let at = 0; at < line.length; at++) {
      if (line[at] === ' ') continue
      const slip = line[at] === 'Q' ? 'Z' : 'Q'
      const typed = lines.with(i, line.slice(0, at) + slip + line.slice(at + 1)).join('\n')
      const told = await refusal(() => fromLetters(typed))
      t.regex(told, /^E_BACKUP_FORMAT/)
      if (told.includes(`line ${i + 1} of it`)) named++
    }
  }
  // Ten bits check a line: one slip in a thousand is found only by the whole.
  t.true(named >= 115, String(named))
  t.regex(await refusal(() => fromLetters(lines.toReversed().join('\n'))), /another order/)
  t.regex(await refusal(() => fromLetters(lines.slice(1).join('\n'))), /90 letters where a backup has 120/)
  t.regex(await refusal(() => fromLetters(lines.join('\n').replace(/.$/, '!'))), /character/)
  const other = toLetters(sealBackup(master, { dongle }, Profile.argon2id, random)).split('\n')
  t.regex(await refusal(() => fromLetters([...lines.slice(0, 3), other[3]].join('\n'))), /not all of one backup/)
})

test('three parts, in any order, each needed', async (t) => {
  const parts = await toParts(quick, 'all')
  for (const order of [parts, parts.toReversed(), [...parts, parts[0]!]]) t.deepEqual(await fromParts(order), quick)
  t.regex(await refusal(() => fromParts(parts.slice(0, 2))), /^E_BACKUP_PARTS: Part 3 of 3 is missing/)
  t.regex(await refusal(() => fromParts([parts[1]!])), /Part 1 and part 3 of 3/)
})

test('two of three parts, any two; one alone is nothing', async (t) => {
  const parts = await toParts(quick, 'two')
  const again = await toParts(quick, 'two')
  t.notDeepEqual(parts, again, 'drawn anew')
  for (const out of [0, 1, 2]) t.deepEqual(await fromParts(parts.filter((_, i) => i !== out)), quick)
  t.deepEqual(await fromParts(parts), quick)
  t.regex(await refusal(() => fromParts([parts[0]!, parts[0]!])), /^E_BACKUP_PARTS: One part is there/)
  t.regex(await refusal(() => fromParts([parts[0]!, again[1]!])), /^E_BACKUP_PARTS: The parts do not fit/)
  t.regex(await refusal(async () => fromParts([parts[0]!, (await toParts(quick, 'all'))[1]!])), /^E_BACKUP_PARTS/)
  const renumbered = parts[0]!.replace('SOTTO1:1', 'SOTTO1:2').replace(/:[A-Z2-7]{4}$/, '')
  const check = base32(sha256(utf8(renumbered))).slice(0, 4)
  t.regex(
    await refusal(() => fromParts([parts[0]!, `${renumbered}:${check}`])),
    /^E_BACKUP_PARTS: The parts do not fit/,
  )
})

test('parts of different backups, and damaged parts, are told', async (t) => {
  const other = await toParts(sealBackup(master, { dongle }, Profile.argon2id, random), 'all')
  for (const scheme of ['all', 'two'] as const) {
    const parts = await toParts(quick, scheme)
    t.regex(await refusal(() => fromParts([parts[0]!, parts[1]!, other[2]!])), /^E_BACKUP_PARTS: Part 3 belongs/)
    for (let at = 0; at < parts[1]!.length; at++) {
      const damaged = parts[1]!.slice(0, at) + (parts[1]![at] === '7' ? '6' : '7') + parts[1]!.slice(at + 1)
      t.regex(await refusal(() => fromParts([parts[0]!, damaged, parts[2]!])), /^E_BACKUP_(FORMAT|PARTS)/, damaged)
    }
    t.regex(await refusal(() => fromParts([parts[0]!, parts[1]!.slice(0, -1), parts[2]!])), /^E_BACKUP_FORMAT/)
  }
})

test('codes are read back from their pictures, alone and in files', async (t) => {
  for (const scheme of ['all', 'two'] as const) {
    const pictures = (await toParts(quick, scheme)).map(codeImage)
    t.deepEqual(await readBackup(pictures), quick)
    t.true(pictures.every(({ length }) => length < 10_000))
  }
  const [part] = await toParts(quick, 'all')
  t.is(readCodeImage(codeImage(part!)), part!)
  t.true(drawnCode(part!).split('\n').length > 15)
  const picture = codeImage(part!)
  t.regex(await refusal(() => readCodeImage(picture.subarray(0, 200))), /^E_BACKUP_FORMAT/)
  const huge = picture.slice()
  huge.fill(0xff, 16, 24)
  t.regex(await refusal(() => readCodeImage(huge)), /^E_BACKUP_FORMAT.*too large/)
})

test('a picture that unfolds to more than it says is not unfolded', async (t) => {
  const chunk = (name: string, content: Uint8Array): Uint8Array => {
    const named = concat(fromLatin1(name), content)
    return concat(u32(content.length), named, u32(crc32(named)))
  }
  const header = (side: number, interlace: number): Uint8Array =>
    chunk('IHDR', concat(u32(side), u32(side), Uint8Array.of(8, 0, 0, 0, interlace)))
  const signature = codeImage('X').subarray(0, 8)
  // What follows the headers would fail by itself, but late: the reason tells that nothing was unfolded.
  const rest = concat(chunk('IDAT', new Uint8Array(deflateSync(new Uint8Array(100_000)))), chunk('IEND', empty))
  const of = (...headers: readonly Uint8Array[]): (() => string) => {
    return () => readCodeImage(concat(signature, ...headers, rest))
  }
  t.regex(await refusal(of(header(100, 1))), /interlaced/)
  t.regex(await refusal(of(header(100, 0), header(20_000, 0))), /damaged/)
  t.regex(await refusal(of(chunk('tEXt', new Uint8Array(13)), header(20_000, 0))), /damaged/)
  t.regex(await refusal(of(header(5_000, 0))), /too large/)
  t.regex(await refusal(of(header(100, 0))), /no QR code/)
})

test('of several files, the one that is wrong is named; what does not belong together is told', async (t) => {
  const [first, second] = (await toParts(quick, 'two')).map(codeImage)
  t.regex(
    await refusal(() => readBackup([first!, second!.subarray(0, 200)], ['1.png', '2.png'])),
    /^E_BACKUP_FORMAT: 2\.png: .*damaged/,
  )
  t.regex(await refusal(() => readBackup([first!, utf8(backupFile(quick))])), /parts of one, and something else/)
  const other = codeImage('SOTTO-CARD:ABCDEFGH')
  t.regex(await refusal(() => readBackup([other], ['card.png'])), /^E_BACKUP_FORMAT: card\.png: .*something else/)
})

test('a file says what it is, and is read with everything around it', async (t) => {
  const file = utf8(backupFile(quick).replaceAll('\n', '\r\n'))
  t.deepEqual(await readBackup([file]), quick)
  t.regex(await refusal(() => readBackup([file.subarray(0, 150)])), /^E_BACKUP_FORMAT/)
  t.regex(await refusal(() => readBackup([new Uint8Array(0)])), /^E_BACKUP_FORMAT.*empty/)
  t.regex(await refusal(() => readBackup([random(100)])), /^E_BACKUP_FORMAT/)
  t.regex(await refusal(() => readBackup([new Uint8Array(70_000).fill(65)])), /^E_BACKUP_FORMAT/)
})

test('a dongle is read as it was made; a damaged one is told, without quoting it', async (t) => {
  const text = newDongle(random)
  const key = readDongle(text)
  t.is(key.length, 32)
  for (const bad of [
    '',
    'something else',
    text.slice(0, 30),
    text.replace(/:(.)/, (_, c) => `:${c === 'A' ? 'B' : 'A'}`),
  ]) {
    const told = await refusal(() => readDongle(bad))
    t.regex(told, /^E_BACKUP_DONGLE/)
    t.false(told.includes(text.slice(13, 30)))
  }
})

test('whatever is given as a backup, an error has a code', async (t) => {
  const any = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.string({ maxLength: 300 }).map((text) => utf8(text)),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(any, { maxLength: 3 }), async (sources) => {
      t.regex(await refusal(() => readBackup(sources)), /^E_BACKUP_(FORMAT|PARTS)/)
    }),
    { numRuns: 200 },
  )
})
