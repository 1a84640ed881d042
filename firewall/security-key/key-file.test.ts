import test from 'ava'
import fc from 'fast-check'
import { isSottoError } from '#protocol/errors.ts'
import { FidoLimits } from '../limits.ts'
import { isKeyFile, keyFileText, readKeyFile } from './key-file.ts'

const octets = (length: number): Uint8Array => new Uint8Array(length).map((_, i) => i)
const text = keyFileText({ pin: true, salt: octets(32), credential: octets(64) })

const codeOf = (given: string): string => {
  try {
    readKeyFile(given)
    return 'no error'
  } catch (error) {
    return isSottoError(error) ? `${error.code}: ${error.message}` : String(error)
  }
}

test('what is written is read, with white space around it', (t) => {
  t.true(isKeyFile(text))
  t.true(
    keyFileText({ pin: true, salt: octets(32), credential: octets(FidoLimits.credentialBytes) }).length <=
      FidoLimits.fileBytes,
  )
  fc.assert(
    fc.property(
      fc.boolean(),
      fc.uint8Array({ minLength: 32, maxLength: 32 }),
      fc.uint8Array({ minLength: 1, maxLength: FidoLimits.credentialBytes }),
      (pin, salt, credential) => {
        t.deepEqual(readKeyFile(` \n${keyFileText({ pin, salt, credential })}\n`), { pin, salt, credential })
      },
    ),
    { numRuns: 100 },
  )
})

test('what is cut off, changed or too long is told without quoting it', (t) => {
  for (let at = 0; at < text.length - 1; at++) {
    const other = text[at] === 'A' ? 'B' : 'A'
    for (const bad of [text.slice(0, at), text.slice(0, at) + other + text.slice(at + 1)]) {
      if (!isKeyFile(bad)) continue
      t.regex(codeOf(bad), /^E_BACKUP_DONGLE: The file of the security key is cut off or damaged\.$/, bad)
    }
  }
  const tooLong = keyFileText({ pin: false, salt: octets(32), credential: octets(FidoLimits.credentialBytes + 1) })
  t.regex(codeOf(tooLong), /^E_BACKUP_DONGLE/)
  t.regex(codeOf(keyFileText({ pin: false, salt: octets(32), credential: octets(0) })), /^E_BACKUP_DONGLE/)
  t.false(isKeyFile('sotto-dongle:abc'))
})
