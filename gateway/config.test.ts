import test from 'ava'
import { isSottoError } from '#protocol/errors.ts'
import { parseConfig } from './config.ts'

const base = `# what I decided
name: The workshop
domain: workshop.example
listen:
  https: 0.0.0.0:443
  certificate: fullchain.pem
  key: /etc/keys/privkey.pem
decoy:
  folder: site
templates: [support-chat, gallery]
`
const withListen = (text: string): string => base.replace(/listen:.*decoy:/s, `listen:\n${text}\ndecoy:`)
const withDecoy = (text: string): string => base.replace(/decoy:.*templates:/s, `decoy:\n${text}\ntemplates:`)
const parse = (text: string) => parseConfig(text, '/srv/sotto/gateway.yaml')

test('a configuration with its defaults; paths count from its folder', (t) => {
  t.deepEqual(parse(base), {
    name: 'The workshop',
    domain: 'workshop.example',
    port: 443,
    addresses: [],
    listen: {
      kind: 'https',
      host: '0.0.0.0',
      port: 443,
      certificate: '/srv/sotto/fullchain.pem',
      key: '/etc/keys/privkey.pem',
    },
    acme: undefined,
    decoy: { kind: 'folder', folder: '/srv/sotto/site' },
    front: undefined,
    templates: ['support-chat', 'gallery'],
    mailbox: { policy: 'disk' },
    node: false,
    holdMs: 50_000,
    storeBytes: undefined,
    fileBytes: undefined,
    mailboxLimits: {},
  })
})

test('every way to listen and every decoy', (t) => {
  t.deepEqual(parse(withListen('  unix: gateway.sock')).listen, { kind: 'unix', path: '/srv/sotto/gateway.sock' })
  for (const [text, host] of [
    ['127.0.0.1:8080', '127.0.0.1'],
    ["'[::1]:8080'", '::1'],
    ['localhost:8080', 'localhost'],
  ] as const) {
    t.deepEqual(parse(withListen(`  http: ${text}`)).listen, { kind: 'http', host, port: 8080 })
  }
  t.deepEqual(parse(withDecoy('  upstream: http://127.0.0.1:8081/')).decoy, {
    kind: 'upstream',
    url: 'http://127.0.0.1:8081',
  })
  const behind = withListen('  unix: gateway.sock').replace('folder: site', 'accel: "@decoy"')
  t.deepEqual(parse(behind).decoy, { kind: 'accel', location: '@decoy' })
})

test('a certificate that the gateway gets itself: the authority, and only where the gateway has TLS and a name', (t) => {
  t.deepEqual(parse(`${base}acme: {}\n`).acme, {
    directory: 'https://acme-v02.api.letsencrypt.org/directory',
    email: undefined,
    http: { host: '0.0.0.0', port: 80 },
    authority: undefined,
  })
  const own = 'acme: {directory: "https://ca.example/dir", email: a@b.example, http: "[::]:8080", authority: ca.pem}\n'
  t.deepEqual(parse(base + own).acme, {
    directory: 'https://ca.example/dir',
    email: 'a@b.example',
    http: { host: '::', port: 8080 },
    authority: '/srv/sotto/ca.pem',
  })
  for (const [text, message] of [
    [`${withListen('  unix: gateway.sock')}acme: {}\n`, /acme only beside https/],
    [`${base.replace('workshop.example', '192.0.2.7')}acme: {}\n`, /a domain beside acme/],
    [`${base}acme: {directory: "http://ca.example/dir"}\n`, /an https URL/],
    [`${base}acme: {email: nobody}\n`, /an e-mail address/],
  ] as const) {
    t.regex(t.throws(() => parse(text)).message, message)
  }
})

test('what stands in front: its website and its certificate', (t) => {
  const behind = withListen('  unix: gateway.sock').replace('folder: site', 'accel: "@site"')
  t.deepEqual(parse(`${behind}front: {kind: nginx, folder: /srv/www, certificate: chain.pem}\n`).front, {
    kind: 'nginx',
    site: { kind: 'folder', folder: '/srv/www' },
    certificate: '/srv/sotto/chain.pem',
    key: undefined,
  })
  t.deepEqual(parse(`${behind}front: {kind: caddy, upstream: "http://127.0.0.1:3000"}\n`).front?.site, {
    kind: 'upstream',
    url: 'http://127.0.0.1:3000',
  })
  t.is(parse(`${base}front: {kind: none}\n`).front?.site, undefined)
})

test('limits, policy, hold and the public place', (t) => {
  const config = parse(`${base}port: 8443
addresses: [192.0.2.7, '2001:db8::7']
mailbox: {policy: ram}
hold: 20
limits: {storeBytes: 2 GiB, fileBytes: 1 GiB, queuesPerMember: 10, ramBytes: 64MiB, diskBytesPerMember: 1000}
`)
  t.like(config, {
    port: 8443,
    holdMs: 20_000,
    mailbox: { policy: 'ram' },
    storeBytes: 2 * 1024 ** 3,
    fileBytes: 1024 ** 3,
  })
  t.deepEqual(config.addresses, ['192.0.2.7', '2001:db8::7'])
  t.deepEqual(config.mailboxLimits, { queuesPerMember: 10, ramBytes: 64 * 1024 ** 2, diskBytesPerMember: 1000 })
})

const cases: [what: string, text: string, line: number, message: RegExp][] = [
  ['no host', base.replace('0.0.0.0:443', 'everywhere'), 5, /listen\.https: expected host:port.*found "everywhere"/],
  ['a port too high', base.replace('0.0.0.0:443', '0.0.0.0:70000'), 5, /listen\.https: expected host:port/],
  ['a missing name', base.replace(/^#.*\nname.*\n/, ''), 1, /name: this field is missing/],
  ['an unknown field', `${base}colour: green\n`, 11, /colour: there is no such field/],
  [
    'an unknown field inside',
    base.replace('  folder: site', '  folder: site\n  secret: x'),
    10,
    /decoy\.secret: there is no such/,
  ],
  ['https without a key', base.replace(/ {2}key.*\n/, ''), 4, /listen: expected certificate and key beside https/],
  ['a key without https', withListen('  unix: x\n  key: y'), 4, /listen: expected certificate and key/],
  ['two ways to listen', base.replace('  key:', '  unix: x\n  key:'), 4, /listen: expected exactly one of/],
  ['no way to listen', withListen('  {}'), 4, /listen: expected exactly one of/],
  ['plain http for everybody', withListen('  http: 0.0.0.0:80'), 5, /listen\.http: expected a loopback address/],
  [
    'two decoys',
    base.replace('  folder: site', '  folder: site\n  accel: "@decoy"'),
    8,
    /decoy: expected exactly one of/,
  ],
  ['an upstream with a path', withDecoy('  upstream: http://127.0.0.1/x'), 9, /decoy\.upstream: expected an origin/],
  ['an upstream of another kind', withDecoy('  upstream: file:///etc'), 9, /decoy\.upstream: expected an origin/],
  ['accel without a web server in front', withDecoy('  accel: "@decoy"'), 8, /decoy: expected accel only beside/],
  ['an accel path', withDecoy('  accel: /decoy'), 9, /decoy\.accel: expected a named location/],
  ['a bad template', base.replace('gallery', '../gallery'), 10, /templates\.1: expected the name of a template/],
  ['a template twice', base.replace('gallery', 'support-chat'), 10, /templates: expected each template once/],
  ['no template', base.replace('[support-chat, gallery]', '[]'), 10, /templates: expected at least one/],
  [
    'a domain with a scheme',
    base.replace('workshop.example', 'https://workshop.example'),
    3,
    /domain: expected a domain/,
  ],
  ['a bad address', `${base}addresses: [workshop]\n`, 11, /addresses\.0: expected an IP address/],
  ['a hold that edges would cut', `${base}hold: 120\n`, 11, /hold: expected a whole number from 1 to 50, found "120"/],
  ['a size without a unit of ours', `${base}limits: {ramBytes: 5 GB}\n`, 11, /limits\.ramBytes: expected a size like/],
  ['a field twice', `${base}name: Again\n`, 11, /expected valid YAML/],
  ['broken YAML', `${base}hold: [\n`, 12, /expected valid YAML/],
  ['an alias', `${base}hold: &x 3\n`, 11, /expected plain YAML/],
  ['an empty file', '', 1, /expected fields like name/],
]

for (const [what, text, line, message] of cases) {
  test(`${what} is refused with its line`, (t) => {
    const error = t.throws(() => parse(text))
    t.true(isSottoError(error, 'E_CONFIG'), String(error))
    t.regex(error.message, message)
    t.regex(error.message, new RegExp(`^/srv/sotto/gateway\\.yaml:${line}: `))
  })
}
