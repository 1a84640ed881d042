import test from 'ava'
import { ed25519PublicKey } from './crypto/ed25519.ts'
import type { GatewayList } from './gateway-list.ts'
import { GatewayListLimits, isSignedUnder, isValidAt, parseGatewayList, sealGatewayList } from './gateway-list.ts'

const seed = new Uint8Array(32).fill(1)
const root = ed25519PublicKey(seed)
const place = (n: number, more = {}) => ({
  ...{ host: `g${n}.example.org`, port: 443, addresses: ['192.0.2.1'], key: new Uint8Array(32).fill(n) },
  ...more,
})
const list: GatewayList = {
  ...{ version: 7, from: 1_900_000_000, until: 1_900_086_400 },
  gateways: [place(1), place(2, { tls: new Uint8Array(32).fill(9), addresses: [] })],
}

test('a list says what was signed, and to nobody else’s key', (t) => {
  const bytes = sealGatewayList(seed, list)
  t.deepEqual(parseGatewayList(bytes), list)
  t.true(isSignedUnder(root, bytes))
  t.false(isSignedUnder(ed25519PublicKey(new Uint8Array(32).fill(2)), bytes))
  t.deepEqual(
    [list.from - 1, list.from, list.until - 1, list.until].map((second) => isValidAt(list, second * 1000)),
    [false, true, true, false],
  )
})

test('no octet may change, come or go', (t) => {
  const bytes = sealGatewayList(seed, list)
  for (let at = 0; at < bytes.length; at++) {
    const other = bytes.slice()
    other[at]! ^= 1
    t.false(parseGatewayList(other) !== undefined && isSignedUnder(root, other), `octet ${at}`)
  }
  for (const other of [bytes.slice(1), bytes.slice(0, -1), new Uint8Array([...bytes, 0]), new Uint8Array(0)]) {
    t.false(parseGatewayList(other) !== undefined && isSignedUnder(root, other))
  }
})

test('GatewayListLimits, and fields that no invite would have either', (t) => {
  const refused = (change: object): void => {
    t.throws(() => sealGatewayList(seed, { ...list, ...change }), { instanceOf: RangeError })
  }
  refused({ gateways: Array.from({ length: GatewayListLimits.gateways + 1 }, (_, n) => place(n)) })
  refused({ until: list.from + GatewayListLimits.validSeconds + 1 })
  refused({ until: list.from })
  for (const version of [0, -1, 1.5, 2 ** 32]) refused({ version })
  for (const more of [{ host: 'G.example.org' }, { port: 0 }, { addresses: ['nowhere'] }, { key: seed.slice(1) }]) {
    refused({ gateways: [place(1, more)] })
  }
  refused({ gateways: [place(1, { cohort: seed })] })
  t.is(parseGatewayList(new Uint8Array(GatewayListLimits.bytes + 1)), undefined)
  const most = Array.from({ length: GatewayListLimits.gateways }, (_, n) =>
    place(n, {
      host: `${`${'a'.repeat(60)}.`.repeat(4)}x${n}`,
      addresses: Array.from({ length: 4 }, (_, i) => `2001:db8:1111:2222:3333:4444:5555:666${i}`),
    }),
  )
  t.true(sealGatewayList(seed, { ...list, gateways: most }).length < GatewayListLimits.bytes, 'the largest fits')
  t.deepEqual(
    parseGatewayList(sealGatewayList(seed, { ...list, gateways: [] }))?.gateways,
    [],
    'none: all are withdrawn',
  )
})
