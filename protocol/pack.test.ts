import test from 'ava'
import fc from 'fast-check'
import { concat, hex, u32, utf8 } from './bytes.ts'
import { ed25519PublicKey, ed25519Sign } from './crypto/ed25519.ts'
import { sha256 } from './crypto/hash.ts'
import { isSottoError } from './errors.ts'
import {
  CERTIFICATE_LENGTH,
  certifyPackKey,
  encodeCertificate,
  openCertificate,
  openPack,
  PackLimits,
  type PackManifest,
  parsePack,
  sealPack,
} from './pack.ts'

const runs = process.env.SOTTO_LONG === '1' ? 20_000 : 300
const filled = (value: number): Uint8Array => new Uint8Array(32).fill(value)
const rootSeed = filled(1)
const root = ed25519PublicKey(rootSeed)
const signingSeed = filled(2)
const start = 1_700_000_000
const day = 86_400
const now = (start + day) * 1000
const certificate = certifyPackKey(rootSeed, {
  key: ed25519PublicKey(signingSeed),
  from: start,
  until: start + 90 * day,
})
const manifest: PackManifest = {
  ...{ serial: 7, floor: 5, from: start, until: start + 30 * day, ttl: 3_600, overlap: 86_400, canary: 500 },
}
const templates = ['format: 1\n', 'id: ü\n']
const pack = (change: Partial<PackManifest> = {}, texts: readonly string[] = templates): Uint8Array =>
  sealPack(signingSeed, { certificate, manifest: { ...manifest, ...change }, templates: texts })

const codeOf = (work: () => unknown): string | undefined => {
  try {
    work()
    return undefined
  } catch (error) {
    return isSottoError(error) ? error.code : String(error)
  }
}
const open = (bytes: Uint8Array, change: Partial<Parameters<typeof openPack>[1]> = {}): ReturnType<typeof openPack> =>
  openPack(bytes, { root, now, floor: 0, ...change })

test('a pack comes back as it was made, under its hash', (t) => {
  const bytes = pack()
  const opened = open(bytes)
  t.deepEqual(opened, { hash: sha256(bytes), certificate, manifest, templates })
  t.deepEqual(pack(), bytes, 'the same content has the same octets')
})

test('what is opened is a copy', (t) => {
  const bytes = pack()
  const opened = open(bytes)
  const key = hex(opened.certificate.key)
  bytes.fill(0)
  t.is(hex(opened.certificate.key), key)
})

test('whatever octet is changed, cut or added, the pack is refused', (t) => {
  const bytes = pack()
  for (let at = 0; at < bytes.length; at++) {
    const altered = bytes.slice()
    altered[at]! ^= 1 << (at % 8)
    t.regex(codeOf(() => open(altered)) ?? '', /^E_PACK_(FORMAT|SIGNATURE)$/, `octet ${at}`)
    t.regex(codeOf(() => open(bytes.subarray(0, at))) ?? '', /^E_PACK_(FORMAT|SIGNATURE)$/, `cut at ${at}`)
  }
  t.is(
    codeOf(() => open(concat(bytes, Uint8Array.of(0)))),
    'E_PACK_FORMAT',
  )
})

test('another root, another time and a lower serial than the floor are refused, each by its name', (t) => {
  const bytes = pack()
  t.is(
    codeOf(() => open(bytes, { root: ed25519PublicKey(filled(9)) })),
    'E_PACK_SIGNATURE',
  )
  t.is(
    codeOf(() => open(bytes, { now: start * 1000 - 1 })),
    'E_PACK_EXPIRED',
  )
  t.is(
    codeOf(() => open(bytes, { now: (start + 30 * day) * 1000 })),
    'E_PACK_EXPIRED',
  )
  t.notThrows(() => open(bytes, { now: (start + 30 * day) * 1000 - 1 }))
  t.is(
    codeOf(() => open(bytes, { floor: 8 })),
    'E_PACK_FLOOR',
  )
  t.notThrows(() => open(bytes, { floor: 7 }))
})

test('a key that the root has not vouched for signs nothing', (t) => {
  const own = certifyPackKey(filled(3), { key: ed25519PublicKey(filled(3)), from: start, until: start + 90 * day })
  t.is(
    codeOf(() => open(sealPack(filled(3), { certificate: own, manifest, templates }))),
    'E_PACK_SIGNATURE',
  )
  // The genuine certificate, content signed by somebody else.
  const bytes = pack()
  const content = bytes.subarray(0, -64)
  const forged = concat(content, ed25519Sign(filled(3), concat(utf8('sotto/1/pack-content\n'), content)))
  t.is(
    codeOf(() => open(forged)),
    'E_PACK_SIGNATURE',
  )
})

test('signatures of one purpose do not serve another', (t) => {
  const body = concat(certificate.key, u32(certificate.from), u32(certificate.until))
  for (const label of ['', 'sotto/1/pack-content\n', 'sotto/1/pack\n']) {
    const signature = ed25519Sign(rootSeed, concat(utf8(label), body))
    t.is(openCertificate(concat(body, signature), root), undefined)
  }
  t.deepEqual(openCertificate(encodeCertificate(certificate), root), certificate)
  t.is(openCertificate(encodeCertificate(certificate), ed25519PublicKey(filled(9))), undefined)
  t.is(openCertificate(encodeCertificate(certificate).subarray(1), root), undefined)
  t.is(encodeCertificate(certificate).length, CERTIFICATE_LENGTH)
})

const bad: readonly [string, Partial<PackManifest>][] = [
  ['serial', { serial: 0, floor: 0 }],
  ['floor', { floor: 8 }],
  ['window', { until: start }],
  ['window', { from: start - 1 }],
  ['window', { until: start + 91 * day }],
  ['ttl', { ttl: PackLimits.ttlSeconds[0] - 1 }],
  ['ttl', { ttl: PackLimits.ttlSeconds[1] + 1 }],
  ['overlap', { overlap: PackLimits.overlapSeconds + 1 }],
  ['canary share', { canary: 0 }],
  ['canary share', { canary: 10_001 }],
]

/** A pack with any manifest at all, signed by the genuine key: what a thief of it could make. */
function signedAnyhow(change: Partial<PackManifest>): Uint8Array {
  const { serial, floor, from, until, ttl, overlap, canary } = { ...manifest, ...change }
  const bytes = pack()
  const head = bytes.subarray(0, 13 + CERTIFICATE_LENGTH)
  const fields = [serial, floor, from, until, ttl, overlap].map(u32)
  const content = concat(
    head,
    ...fields,
    Uint8Array.of(canary >>> 8, canary & 255),
    bytes.subarray(head.length + 26, -64),
  )
  return concat(content, ed25519Sign(signingSeed, concat(utf8('sotto/1/pack-content\n'), content)))
}

for (const [index, [field, change]] of bad.entries()) {
  test(`a manifest out of bounds is neither made nor taken: ${field} (${index})`, (t) => {
    t.throws(() => pack(change), { instanceOf: RangeError, message: new RegExp(field) })
    t.is(
      codeOf(() => open(signedAnyhow(change))),
      'E_PACK_FORMAT',
    )
  })
}

test('PackLimits.templates, templateBytes and bytes', (t) => {
  const many = Array.from({ length: PackLimits.templates }, () => 'a')
  t.is(open(pack({}, many)).templates.length, PackLimits.templates)
  t.throws(() => pack({}, [...many, 'a']), { instanceOf: RangeError })
  t.throws(() => pack({}, []), { instanceOf: RangeError })
  t.notThrows(() => open(pack({}, ['x'.repeat(PackLimits.templateBytes)])))
  t.throws(() => pack({}, ['x'.repeat(PackLimits.templateBytes + 1)]), { instanceOf: RangeError })
  const four = Array.from({ length: 4 }, () => 'x'.repeat(PackLimits.templateBytes))
  t.throws(() => pack({}, four), { instanceOf: RangeError })
  t.is(
    codeOf(() => open(new Uint8Array(PackLimits.bytes + 1))),
    'E_PACK_FORMAT',
  )
})

test('a certificate is short-lived', (t) => {
  const key = certificate.key
  t.throws(() => certifyPackKey(rootSeed, { key, from: start, until: start }), { instanceOf: RangeError })
  t.throws(() => certifyPackKey(rootSeed, { key, from: 0, until: PackLimits.validSeconds + 1 }), {
    instanceOf: RangeError,
  })
})

test('no octets make the reader do anything but refuse by a code', (t) => {
  const whole = pack()
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 400 }),
    fc
      .tuple(fc.nat(whole.length), fc.nat(whole.length))
      .map(([a, b]) => whole.subarray(Math.min(a, b), Math.max(a, b))),
  )
  const input = fc.oneof(
    fc.array(piece, { maxLength: 4 }).map((pieces) => concat(...pieces)),
    fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 }).map((changes) => {
      const altered = whole.slice()
      for (const [at, value] of changes) altered[at] = value
      return altered
    }),
    // The genuine head, and behind it whatever the sender likes.
    fc.uint8Array({ maxLength: 300 }).map((tail) => concat(whole.subarray(0, 13 + CERTIFICATE_LENGTH + 26), tail)),
  )
  fc.assert(
    fc.property(input, (bytes) => {
      const code = codeOf(() => open(bytes))
      if (code === undefined) return Buffer.compare(bytes, whole) === 0
      return /^E_PACK_(FORMAT|SIGNATURE)$/.test(code)
    }),
    { numRuns: runs },
  )
  t.notThrows(() => parsePack(whole))
})
