import test from 'ava'
import { concat, empty, hex, u16, utf8 } from '#protocol/bytes.ts'
import { ed25519PublicKey, ed25519Sign } from '#protocol/crypto/ed25519.ts'
import { sha256 } from '#protocol/crypto/hash.ts'
import {
  commitmentTo,
  compareChains,
  DOCUMENT_LENGTH,
  extendChain,
  NO_NEXT,
  nextOf,
  numberOf,
  readChain,
} from './documents.ts'
import { identityFrom } from './fixtures/people.ts'
import { commitmentOf, deriveIdentity, deriveSecrets } from './identity.ts'
import { keyPair } from './keys.ts'
import { ChatLimits } from './limits.ts'

const master = new Uint8Array(32).fill(1)

/** A chain with one more document, made by whoever has these keys. */
function extended(chain: Uint8Array, octet: number, next: Uint8Array = NO_NEXT): Uint8Array {
  const rootSeed = new Uint8Array(32).fill(octet)
  return extendChain(chain, { rootSeed, dh: keyPair(new Uint8Array(32).fill(octet + 1)).publicKey, next })
}

test('a chain names its owner, the newest keys, and what comes next', (t) => {
  for (const n of [0, 1, 5]) {
    const { chain } = deriveIdentity(master, n)
    const { rootSeed, dhSecret } = deriveSecrets(master, n)
    t.is(chain.length, (n + 1) * DOCUMENT_LENGTH)
    t.is(numberOf(chain), n)
    const { uid, root, dh } = readChain(chain)!
    t.deepEqual(uid, identityFrom(1).uid, 'the uid never changes')
    t.deepEqual([root, dh], [ed25519PublicKey(rootSeed), keyPair(dhSecret).publicKey])
    t.deepEqual(nextOf(chain), commitmentOf(master, n + 1))
  }
  // Golden: nothing in a chain is chosen, so that the paper backup makes it again.
  t.is(hex(sha256(deriveIdentity(master, 2).chain)).slice(0, 24), 'ab91e2e847f5966df1b4021a')
})

test('any changed octet of any document, and any cut, is refused', (t) => {
  const { chain } = deriveIdentity(master, 2)
  for (let at = 0; at < chain.length; at++) t.is(readChain(chain.with(at, chain[at]! ^ 1)), undefined, `octet ${at}`)
  for (const length of [0, 1, DOCUMENT_LENGTH - 1, DOCUMENT_LENGTH + 1, chain.length - 1])
    t.is(readChain(chain.subarray(0, length)), undefined, `${length} octets`)
  t.is(readChain(chain.subarray(DOCUMENT_LENGTH)), undefined, 'without its beginning')
  const [first, second, third] = [0, 1, 2].map((n) => chain.subarray(n * DOCUMENT_LENGTH, (n + 1) * DOCUMENT_LENGTH))
  t.is(readChain(concat(first!, third!)), undefined, 'one left out')
  t.is(readChain(concat(first!, third!, second!)), undefined, 'another order')
})

test('who has the keys of a device, and not the master secret, names no successor', (t) => {
  const { chain } = deriveIdentity(master)
  t.is(readChain(extended(chain, 40)), undefined, 'a key that nothing committed to')
  // The thief signs with the key that was stolen.
  const { rootSeed } = deriveSecrets(master)
  const dh = keyPair(new Uint8Array(32).fill(9)).publicKey
  t.is(readChain(extendChain(chain, { rootSeed, dh, next: NO_NEXT })), undefined, 'the same key again')
  const rewritten = extendChain(empty, {
    rootSeed,
    dh,
    next: commitmentTo(ed25519PublicKey(new Uint8Array(32).fill(40))),
  })
  t.not(readChain(rewritten), undefined, 'another first document is sound by itself')
  t.is(compareChains(chain, rewritten), 'other', 'and contradicts the one that is known')
  t.is(compareChains(chain, extended(rewritten, 40)), 'other')
})

test('a first document that commits to nothing is the last one', (t) => {
  const chain = extended(empty, 40)
  t.not(readChain(chain), undefined)
  t.is(readChain(extended(chain, 50)), undefined)
})

test('chains of one person compare by what they have in common', (t) => {
  const [one, two, three] = [0, 1, 2].map((n) => deriveIdentity(master, n).chain)
  t.is(compareChains(two!, two!), 'same')
  t.is(compareChains(one!, three!), 'newer')
  t.is(compareChains(three!, one!), 'older')
})

test('ChatLimits.documents: a longer chain is refused before it is verified', (t) => {
  const { documents } = ChatLimits
  t.not(readChain(deriveIdentity(master, documents - 1).chain), undefined)
  t.is(readChain(deriveIdentity(master, documents).chain), undefined)
})

test('a document of another person, number or version does not fit in', (t) => {
  const { chain } = deriveIdentity(master)
  const { rootSeed, dhSecret } = deriveSecrets(master, 1)
  const [root, dh] = [ed25519PublicKey(rootSeed), keyPair(dhSecret).publicKey]
  const signed = (unsigned: Uint8Array): Uint8Array =>
    concat(chain, unsigned, ed25519Sign(rootSeed, concat(utf8('sotto/1/document'), unsigned)))
  const rest = concat(sha256(chain), root, dh, NO_NEXT)
  const { uid } = identityFrom(1)
  const make = (version: number, n: number, of: Uint8Array): Uint8Array =>
    signed(concat(Uint8Array.of(version), u16(n), of, rest))
  t.not(readChain(make(1, 1, uid)), undefined)
  t.is(readChain(make(2, 1, uid)), undefined)
  t.is(readChain(make(1, 2, uid)), undefined)
  t.is(readChain(make(1, 1, identityFrom(2).uid)), undefined)
})
