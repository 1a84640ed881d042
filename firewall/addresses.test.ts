import test from 'ava'
import { isPublic } from './addresses.ts'

test('which addresses a website can have', (t) => {
  const possible = ['1.1.1.1', '198.18.0.7', '223.255.255.255', '100.128.0.1', '2606:4700::1111', '2a00::1']
  possible.push('::ffff:1.1.1.1', '64:ff9b::101:101', '2002:101:101::1', '2400:cb00::1')
  for (const address of possible) t.true(isPublic(address), address)
  const impossible = [
    '0.0.0.0',
    '10.10.34.34',
    '100.64.0.1',
    '127.0.0.1',
    '127.255.255.254',
    '169.254.1.1',
    '172.31.255.255',
  ]
  impossible.push(
    '192.168.0.1',
    '192.0.2.1',
    '198.51.100.1',
    '203.0.113.1',
    '224.0.0.1',
    '240.0.0.1',
    '255.255.255.255',
  )
  impossible.push(
    '::',
    '::1',
    'fe80::1',
    'fe80::1%eth0',
    'fec0::1',
    'fd00::1',
    'fc00::1',
    'ff02::1',
    '2001:db8::1',
    '100::1',
  )
  // Given to nobody, to translators, tunnels and tests (IANA's registry for special purposes).
  impossible.push(
    '::ffff:0:10.0.0.1',
    '64:ff9b:1::1',
    '100:0:0:1::1',
    '2001::1',
    '2001:2::1',
    '3fff::1',
    '4000::1',
    '5f00::1',
  )
  // The same, as addresses of IPv6 that lead there.
  impossible.push(
    '::ffff:127.0.0.1',
    '::ffff:a00:1',
    '::127.0.0.1',
    '64:ff9b::7f00:1',
    '2002:c0a8:1::1',
    '::ffff:127.0.0.1%1',
  )
  for (const address of impossible) t.false(isPublic(address), address)
})
