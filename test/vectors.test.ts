/** The folder of published vectors: every file in it is read by a test, and what had no test of its own is checked here. */
import { existsSync, globSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { sha3_256, shake256 } from '@noble/hashes/sha3.js'
import test from 'ava'
import { base32, fromBase32 } from '#client/chat/base32.ts'
import { concat, fromHex, hex, utf8 } from '#protocol/bytes.ts'
import { mlkem768, portableMlkem768 } from '#protocol/crypto/mlkem.ts'
import * as noble from '#protocol/crypto/noble.ts'
import { pbkdf2Sha256 } from '#protocol/crypto/pbkdf2.ts'
import { x25519Agree, x25519PublicKey } from '#protocol/crypto/x25519.ts'
import { readVectors } from './helpers/vectors.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = join(root, '../shared/vectors')
const bytes = (text: string): Uint8Array => fromHex(text)!

test('every file of vectors is named by a test', (t) => {
  if (!existsSync(folder)) {
    t.log('the folder of published vectors is absent')
    t.pass()
    return
  }
  const tests = globSync('{protocol,client,test}/**/*.test.ts', { cwd: root }).map((file) =>
    readFileSync(join(root, file), 'utf8'),
  )
  const files = globSync('*/*', { cwd: folder })
  t.true(files.length >= 16, `${files.length} files`)
  for (const file of files) {
    // Those of Wycheproof are named without what all of their names end in.
    const name = file.startsWith('wycheproof/') ? `'${basename(file).replace(/_test\.json$/, '')}` : file
    t.true(
      tests.some((text) => text.includes(name) || text.includes(file)),
      file,
    )
  }
})

/** draft-connolly-cfrg-xwing-kem: we do not use it, but it is made of two primitives that we do. */
test('ML-KEM-768 and X25519 together make X-Wing', (t) => {
  const vectors = readVectors('hybrid-kem/xwing.json') as
    | Record<'eseed' | 'ss' | 'sk' | 'pk' | 'ct', string>[]
    | undefined
  if (vectors === undefined) {
    t.log('the folder of published vectors is absent')
    t.pass()
    return
  }
  t.true(vectors.length >= 3)
  for (const kem of [mlkem768, portableMlkem768]) {
    for (const { eseed, ss, sk, pk, ct } of vectors) {
      const expanded = shake256(bytes(sk), { dkLen: 96 })
      const [seed, secret] = [expanded.slice(0, 64), expanded.slice(64)]
      const [own, publicKey] = [kem.keygen(seed).publicKey, x25519PublicKey(secret)]
      t.is(hex(concat(own, publicKey)), pk)
      const [coins, ephemeral] = [bytes(eseed).slice(0, 32), bytes(eseed).slice(32)]
      const { shared, ciphertext } = kem.encapsulate(own, coins)!
      const share = x25519PublicKey(ephemeral)
      t.is(hex(concat(ciphertext, share)), ct)
      t.deepEqual(kem.decapsulate(seed, ciphertext), shared)
      const agreed = x25519Agree(secret, share)!
      t.deepEqual(x25519Agree(ephemeral, publicKey), agreed)
      t.is(hex(sha3_256(concat(shared, agreed, share, publicKey, utf8('\\.//^\\')))), ss)
    }
  }
})

test('PBKDF2 and base 32 are those of their RFCs', (t) => {
  const kdf = readVectors('kdf/rfc-kdf.json') as
    | { pbkdf2_hmac_sha256_rfc7914: { P: string; S: string; c: number; dkLen: number; dk: string }[] }
    | undefined
  const letters = readVectors('kdf/rfc4648-base32.json') as { base32: [string, string][] } | undefined
  if (kdf === undefined || letters === undefined) {
    t.log('the folder of published vectors is absent')
    t.pass()
    return
  }
  for (const pbkdf2 of [pbkdf2Sha256, noble.pbkdf2Sha256]) {
    for (const { P, S, c, dkLen, dk } of kdf.pbkdf2_hmac_sha256_rfc7914)
      t.is(hex(pbkdf2(utf8(P), utf8(S), c, dkLen)), dk)
  }
  t.true(letters.base32.length >= 7)
  for (const [text, padded] of letters.base32) {
    const plain = padded.replace(/=+$/, '')
    t.is(base32(utf8(text)), plain)
    t.deepEqual(fromBase32(plain), utf8(text))
  }
})
