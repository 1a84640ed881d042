import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import test from 'ava'
import { temporaryFolder } from './fixtures/temporary.ts'
import { WayLimits } from './limits.ts'
import { readWayChange, wantsToChangeWays } from './way-commands.ts'

const read = (line: string, typed = '') => {
  const stdin = new PassThrough().end(typed) as unknown as NodeJS.ReadStream
  return readWayChange(line.split(' '), { stdin, stderr: new PassThrough() })
}

test('which command lines change a way', (t) => {
  for (const line of ['proxy set tor', 'proxy clear', 'front set x --sni y', 'front clear x'])
    t.true(wantsToChangeWays(line.split(' ')), line)
  for (const line of ['proxy', 'proxy show', 'front show', 'proxy set --help', 'proxy set tor -h', 'chat proxy set'])
    t.false(wantsToChangeWays(line.split(' ')), line)
})

test('proxies as people write them', async (t) => {
  const places = {
    'http://proxy.corp:3128': ['http', 'proxy.corp', 3128],
    'https://Proxy.Example/': ['https', 'proxy.example', 443],
    'socks5://[fd00::1]:9050': ['socks5', 'fd00::1', 9050],
    'socks5://10.0.0.1': ['socks5', '10.0.0.1', 1080],
    tor: ['tor', '127.0.0.1', 9050],
    'tor://127.0.0.1:9150': ['tor', '127.0.0.1', 9150],
  }
  for (const [given, [kind, host, port]] of Object.entries(places)) {
    t.like(await read(`proxy set ${given} --json --state /x`), { kind: 'proxy', proxy: { kind, host, port } } as object)
  }
  t.deepEqual(await read('proxy clear'), { kind: 'proxy', proxy: undefined })
  const bad = ['', 'proxy.corp:3128', 'ftp://x', 'socks4://x', 'http://', 'http://a b', 'http://x:0', 'http://x:70000']
  bad.push(
    'http://x/path',
    'http://x?y',
    'socks5://x --pin 00',
    'tor --credentials',
    'http://x http://y',
    'tor --sni x',
  )
  for (const given of bad) await t.throwsAsync(read(`proxy set ${given}`.trim(), 'a:b'), { code: 'E_USAGE' }, given)
})

test('credentials come from a pipe or a file, and never from the command line', async (t) => {
  const credentials = { user: 'anna', password: 'a:b c' }
  t.like(await read('proxy set socks5://x --credentials', 'anna:a:b c\n'), { proxy: { credentials } })
  const file = join(await temporaryFolder(t), 'secret')
  await writeFile(file, 'anna:a:b c\n')
  t.like(await read(`proxy set http://x --credentials-file ${file}`), { proxy: { credentials } })
  const error = await t.throwsAsync(read('proxy set socks5://anna:hunter2@x'), { code: 'E_SECRET_IN_ARGV' })
  t.false(error!.message.includes('hunter2'))
  for (const typed of ['', 'anna', ':x', `${'u'.repeat(WayLimits.credentialBytes + 1)}:x`])
    await t.throwsAsync(read('proxy set http://x --credentials', typed), { code: 'E_USAGE' }, typed)
  t.like(await read('proxy set http://x --credentials', `${'u'.repeat(WayLimits.credentialBytes)}:x`), {
    kind: 'proxy',
  })
  await t.throwsAsync(read(`proxy set http://x --credentials-file ${file}.not`), { code: 'E_USAGE' })
})

test('fronts', async (t) => {
  const pin = 'ab'.repeat(32)
  const line = `front set workshop.example --sni cdn.example --host d1.cdn.example --address 192.0.2.1 --address 2001:db8::1`
  t.like(await read(`${line} --port 8443 --pin ${pin}`), {
    kind: 'front',
    gateway: 'workshop.example',
    front: {
      asks: 'd1.cdn.example',
      reach: { host: 'cdn.example', port: 8443, addresses: ['192.0.2.1', '2001:db8::1'] },
    },
  } as object)
  t.like(await read('front set x --sni cdn.example'), { front: { reach: { port: 443, addresses: [] } } } as object)
  t.deepEqual(await read('front clear x'), { kind: 'front', gateway: 'x', front: undefined })
  const many = Array.from({ length: WayLimits.addresses + 1 }, () => '--address 192.0.2.1').join(' ')
  for (const bad of ['set', 'set x', 'clear', 'set x --sni a/b', 'set x --sni y --address z', `set x --sni y ${many}`])
    await t.throwsAsync(read(`front ${bad}`), { code: 'E_USAGE' }, bad)
})
