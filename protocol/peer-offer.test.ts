import test from 'ava'
import fc from 'fast-check'
import { concat, u32, utf8 } from './bytes.ts'
import { ed25519PublicKey, ed25519Sign } from './crypto/ed25519.ts'
import { encodeInvite } from './invite.ts'
import { PeerOfferLimits, parsePeerOffer, sealPeerOffer } from './peer-offer.ts'

const seed = new Uint8Array(32).fill(7)
const filled = (value: number) => new Uint8Array(32).fill(value)

function link(count = 1): string {
  const place = { host: 'anna.example', port: 443, addresses: ['192.0.2.7'], key: filled(1), cohort: filled(2) }
  const gateways = Array.from({ length: count }, () => place)
  return encodeInvite({
    name: 'Anna',
    gateways,
    code: new Uint8Array(16),
    template: 'plain',
    expires: 1,
    root: filled(3),
  })
}

/** As `sealPeerOffer`, without its checks. */
function signed(
  text: string,
  { magic = 'sotto/1/peer\n', version = 1, root = ed25519PublicKey(seed) } = {},
): Uint8Array {
  const content = concat(utf8(magic), u32(version), root, utf8(text))
  return concat(content, ed25519Sign(seed, concat(utf8('sotto/1/peer-offer\n'), content)))
}

test('an offer says whose node it is and where, however long ago it was made', (t) => {
  const offer = parsePeerOffer(sealPeerOffer(seed, 9, link()))
  t.is(offer?.version, 9)
  t.deepEqual(offer?.root, ed25519PublicKey(seed))
  t.is(offer?.invite.gateways[0]?.host, 'anna.example')
})

test('every changed octet is found', (t) => {
  const offer = sealPeerOffer(seed, 1, link())
  t.notThrows(() =>
    fc.assert(
      fc.property(fc.nat(offer.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const other = offer.slice()
        other[at]! ^= change
        return parsePeerOffer(other) === undefined
      }),
    ),
  )
})

test('other things that are signed are no offers', (t) => {
  t.truthy(parsePeerOffer(signed(link())))
  const others = [
    ...[signed(link(2)), signed(` ${link()}`), signed(`${link()}\n`), signed('sotto://'), signed('')],
    ...[
      signed(link(), { magic: 'sotto/1/gate\n' }),
      signed(link(), { version: 0 }),
      signed(link(), { root: filled(5) }),
    ],
    new Uint8Array(0),
  ]
  for (const other of others) t.is(parsePeerOffer(other), undefined)
  t.throws(() => sealPeerOffer(seed, 0, link()), { instanceOf: RangeError })
})

test('PeerOfferLimits.bytes', (t) => {
  const offer = signed(link())
  t.is(parsePeerOffer(concat(offer, new Uint8Array(PeerOfferLimits.bytes))), undefined)
  t.is(parsePeerOffer(signed('x'.repeat(PeerOfferLimits.bytes))), undefined)
})
