import { mkdtempSync, rmSync } from 'node:fs'
import type { NetworkInterfaceInfo } from 'node:os'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { hex } from '#protocol/bytes.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import { undiciDialer } from './dialers/undici.ts'
import { openBroker } from './library.ts'
import { networkFacts } from './network.ts'

const v4 = (address: string, netmask = '255.255.255.0', internal = false): NetworkInterfaceInfo => ({
  ...{ address, netmask, internal, family: 'IPv4', mac: '02:00:00:00:00:01', cidr: null },
})
const v6 = (address: string): NetworkInterfaceInfo => ({
  ...{ address, netmask: 'ffff:ffff:ffff:ffff::', internal: false, family: 'IPv6', mac: '', cidr: null, scopeid: 0 },
})
const head = 'Iface\tDestination\tGateway \tFlags\n'
const route = (name: string, gateway: string): string =>
  `${head}${name}\t0000A8C0\t00000000\t0001\n${name}\t00000000\t${gateway}\t0003\n`
const arp = (address: string, hardware: string): string =>
  `IP address       HW type     Flags       HW address            Mask     Device\n${address}      0x1         0x2         ${hardware}     *        wlan0\n`

const facts = (interfaces: Record<string, NetworkInterfaceInfo[]>, files: Record<string, string> = {}): string =>
  networkFacts({ interfaces: () => interfaces, read: (path) => files[path] ?? '' })

const home = { '/proc/net/route': route('wlan0', '0100A8C0'), '/proc/net/arp': arp('192.168.0.1', 'aa:bb:cc:00:00:01') }

test('another address on the same network is the same network', (t) => {
  const today = facts({ wlan0: [v4('192.168.0.17'), v6('2001:db8:1:2:aaaa::1'), v6('fe80::1')] }, home)
  const tomorrow = facts({ wlan0: [v4('192.168.0.93'), v6('2001:db8:1:2:bbbb::7'), v6('2001:db8:1:2:c::9')] }, home)
  t.is(today, tomorrow)
  t.regex(today, /router 192\.168\.0\.1 aa:bb:cc:00:00:01/)
})

test('another router with the same addresses is another network', (t) => {
  const cafe = { ...home, '/proc/net/arp': arp('192.168.0.1', 'aa:bb:cc:00:00:02') }
  t.not(facts({ wlan0: [v4('192.168.0.17')] }, home), facts({ wlan0: [v4('192.168.0.17')] }, cafe))
})

test('interfaces that the default route does not use make no difference', (t) => {
  const alone = facts({ lo: [v4('127.0.0.1', '255.0.0.0', true)], wlan0: [v4('192.168.0.17')] }, home)
  t.is(facts({ wlan0: [v4('192.168.0.17')], docker0: [v4('172.17.0.1', '255.255.0.0')] }, home), alone)
})

test('without the kernel’s tables the networks of all interfaces tell', (t) => {
  const one = facts({ en0: [v4('10.1.2.3', '255.255.0.0')], lo0: [v4('127.0.0.1', '255.0.0.0', true)] })
  t.is(one, 'en0 10.1.0.0/255.255.0.0')
  t.not(one, facts({ en0: [v4('10.2.2.3', '255.255.0.0')] }))
  t.is(facts({}), '')
})

test('the broker gives out salted octets: equal on one network, unlike on two machines', async (t) => {
  const folders = [1, 2].map(() => mkdtempSync(join(tmpdir(), 'sotto-network-')))
  let text = 'home'
  const dialer = () => undiciDialer({ connector: () => undefined as never })
  const open = (folder: string) =>
    openBroker({ folder, dialers: [dialer()], now: Date.now, random: randomBytes, network: () => text })
  const one = await open(folders[0]!)
  const other = await open(folders[1]!)
  const id = await one.network()
  t.is(id.length, 16)
  t.is(hex(await one.network()), hex(id))
  t.not(hex(await other.network()), hex(id))
  text = 'cafe'
  t.not(hex(await one.network()), hex(id))
  await one.close()
  await other.close()
  text = 'home'
  const again = await open(folders[0]!)
  t.is(hex(await again.network()), hex(id), 'and after a restart')
  await again.close()
  for (const folder of folders) rmSync(folder, { recursive: true })
})
