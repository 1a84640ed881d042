import test, { type ExecutionContext } from 'ava'
import fc from 'fast-check'
import { base64url, concat, fromBase64url } from './bytes.ts'
import { sha256 } from './crypto/hash.ts'
import { isSottoError } from './errors.ts'
import { encodeInvite, INVITE_PREFIX, type Invite, InviteLimits, parseInvite } from './invite.ts'
import { encodeMessage } from './services/codec.ts'

const now = 1_700_000_000_000
const bytes = (length: number, fill: number): Uint8Array => new Uint8Array(length).fill(fill)

const gateway = {
  host: 'workshop.example',
  port: 443,
  addresses: ['192.0.2.7', '2001:db8::7'],
  key: bytes(32, 1),
  cohort: bytes(32, 2),
}

const invite: Invite = {
  name: 'The workshop',
  gateways: [gateway],
  code: bytes(16, 3),
  template: 'support-chat',
  expires: now / 1000 + 86_400,
  root: bytes(32, 4),
}

/** A link with a right checksum around any content. */
function linkOf(value: unknown): string {
  const payload = value instanceof Uint8Array ? value : encodeMessage(value)
  return INVITE_PREFIX + base64url(concat(payload, sha256(payload).subarray(0, 4)))
}

function refused(
  t: ExecutionContext,
  link: string,
  code: 'E_INVITE_FORMAT' | 'E_INVITE_VERSION' | 'E_INVITE_EXPIRED',
): void {
  const error = t.throws(() => parseInvite(link, now))
  t.true(isSottoError(error, code), String(error))
  if (link.length > 30) t.false(error.message.includes(link.slice(20, 30)), 'no part of the link in the text')
}

test('an invite comes back as it was', (t) => {
  t.deepEqual(parseInvite(encodeInvite(invite), now), invite)
  const two: Invite = {
    ...invite,
    gateways: [
      { ...gateway, tls: bytes(32, 5) },
      { ...gateway, host: '192.0.2.9', addresses: [] },
    ],
  }
  t.deepEqual(parseInvite(`  \n${encodeInvite(two)}\t\n`, now), two)
  t.deepEqual(parseInvite(encodeInvite({ ...invite, name: 'Fahrradküche 自転車' }), now).name, 'Fahrradküche 自転車')
})

test('the link of one gateway fits a QR code with room to spare', (t) => {
  t.true(encodeInvite({ ...invite, gateways: [{ ...gateway, tls: bytes(32, 5) }] }).length < 500)
})

test('a changed, missing or added character is noticed', (t) => {
  const link = encodeInvite(invite)
  for (let at = 0; at < link.length; at++) {
    refused(t, `${link.slice(0, at)}${link[at] === 'A' ? 'B' : 'A'}${link.slice(at + 1)}`, 'E_INVITE_FORMAT')
    refused(t, link.slice(0, at) + link.slice(at + 1), 'E_INVITE_FORMAT')
  }
  for (const bad of ['', 'sotto://', 'sotto://AAAA', `${link}A`, `${link}=`, `https://${link}`, link.toUpperCase()]) {
    refused(t, bad, 'E_INVITE_FORMAT')
  }
  refused(t, INVITE_PREFIX + 'A'.repeat(InviteLimits.characters), 'E_INVITE_FORMAT')
})

test('an expired invite says when; a newer one says what to do', (t) => {
  const link = encodeInvite(invite)
  const end = invite.expires * 1000
  t.deepEqual(parseInvite(link, end - 1), invite)
  const error = t.throws(() => parseInvite(link, end))
  t.true(isSottoError(error, 'E_INVITE_EXPIRED'))
  t.regex(error.message, /expired on 2023-11-15/)
  refused(t, linkOf({ v: 2, ...invite }), 'E_INVITE_VERSION')
  refused(t, linkOf({ v: 99, anything: true }), 'E_INVITE_VERSION')
})

test('content that is no invite is refused', (t) => {
  const good = { v: 1, ...invite }
  t.notThrows(() => parseInvite(linkOf(good), now))
  const place = (change: object): object => ({ ...good, gateways: [{ ...gateway, ...change }] })
  const { code: _, ...withoutCode } = good
  const bad: unknown[] = [
    null,
    [],
    'text',
    { ...good, v: 0 },
    { ...good, v: '1' },
    { ...good, v: -1 },
    withoutCode,
    { ...good, more: 1 },
    { ...good, name: '' },
    { ...good, name: 'x'.repeat(InviteLimits.nameCharacters + 1) },
    { ...good, name: 'two\nlines' },
    { ...good, name: 'turned\u202earound' },
    { ...good, code: bytes(15, 1) },
    { ...good, code: 'sixteen-characte' },
    { ...good, root: null },
    { ...good, template: 'Support' },
    { ...good, template: '../x' },
    { ...good, expires: 0 },
    { ...good, expires: 1.5 },
    { ...good, expires: 2 ** 40 },
    { ...good, gateways: [] },
    { ...good, gateways: {} },
    { ...good, gateways: [null] },
    { ...good, gateways: Array.from({ length: InviteLimits.gateways + 1 }, () => gateway) },
    place({ host: '' }),
    place({ host: 'Workshop.example' }),
    place({ host: 'workshop.example/path' }),
    place({ host: 'user@workshop.example' }),
    place({ host: 'workshop.example:80' }),
    place({ host: '192.0.2' }),
    place({ host: 'workshop.example.' }),
    place({ port: 0 }),
    place({ port: 65_536 }),
    place({ addresses: ['workshop.example'] }),
    place({ addresses: ['192.0.2.256'] }),
    place({ addresses: ['192.0.02.1'] }),
    place({ addresses: ['2001:DB8::7'] }),
    place({ addresses: ['2001:db8:0::7'] }),
    place({ addresses: Array.from({ length: InviteLimits.addresses + 1 }, () => '192.0.2.7') }),
    place({ key: bytes(31, 1) }),
    place({ tls: bytes(31, 1) }),
    place({ more: 1 }),
  ]
  for (const value of bad) refused(t, linkOf(value), 'E_INVITE_FORMAT')
})

test('another spelling of the same content is refused', (t) => {
  const { name, gateways, ...rest } = { v: 1, ...invite }
  refused(t, linkOf({ gateways, name, ...rest }), 'E_INVITE_FORMAT')
  const payload = fromBase64url(encodeInvite(invite).slice(INVITE_PREFIX.length))!.subarray(0, -4)
  // v as a 16-bit integer instead of a small one.
  const at = Buffer.from(payload).indexOf(Buffer.from([0xa1, 0x76, 0x01])) + 2
  const wide = concat(payload.subarray(0, at), Uint8Array.of(0xcd, 0, 1), payload.subarray(at + 1))
  refused(t, linkOf(wide), 'E_INVITE_FORMAT')
})

test('an invite that could not be read is not made', (t) => {
  t.throws(() => encodeInvite({ ...invite, gateways: [] }), { instanceOf: RangeError, message: /gateways/ })
  t.throws(() => encodeInvite({ ...invite, template: '' }), { instanceOf: RangeError, message: /template/ })
})

test('no text throws anything but an error for people', (t) => {
  const runs = process.env.SOTTO_LONG ? 20_000 : 500
  const payloads = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.object().map((value) => encodeMessage({ v: 1, ...value })),
  )
  fc.assert(
    fc.property(payloads, (payload) => {
      const error = t.throws(() => parseInvite(linkOf(payload), now))
      t.true(isSottoError(error))
    }),
    { numRuns: runs },
  )
  fc.assert(
    fc.property(fc.string(), (text) => {
      t.true(
        isSottoError(
          t.throws(() => parseInvite(text, now)),
          'E_INVITE_FORMAT',
        ),
      )
    }),
    { numRuns: runs },
  )
})
