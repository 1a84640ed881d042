import test from 'ava'
import { addressesOf } from './names.ts'

const gateway = { name: 'Test', host: 'gateway.example', port: 443, addresses: [], certificate: undefined }
const answer = (...addresses: string[]) => ({ resolve: async () => addresses, timeoutMs: 1_000 })
const failing = {
  resolve: async (): Promise<string[]> => {
    throw new Error('ENOTFOUND')
  },
  timeoutMs: 1_000,
}

test('pinned addresses are the person’s word: nobody is asked, and nothing is judged', async (t) => {
  t.deepEqual(await addressesOf({ ...gateway, addresses: ['127.0.0.1'] }, failing), ['127.0.0.1'])
  t.deepEqual(await addressesOf({ ...gateway, host: '10.0.0.1' }, failing), ['10.0.0.1'])
})

test('an answer that cannot be true is told as such, and what could be true is kept', async (t) => {
  const error = await t.throwsAsync(addressesOf(gateway, answer('10.10.34.34', '::1')), { code: 'E_PATH_DNS' })
  t.regex(error!.message, /no website can have/)
  t.deepEqual(await addressesOf(gateway, answer('127.0.0.1', '1.2.3.4')), ['1.2.3.4'])
})

test('names of this machine, and of a proxy, may lead anywhere', async (t) => {
  t.deepEqual(await addressesOf({ ...gateway, host: 'localhost' }, answer('127.0.0.1')), ['127.0.0.1'])
  t.deepEqual(await addressesOf({ ...gateway, host: 'a.localhost' }, answer('::1')), ['::1'])
  t.deepEqual(await addressesOf({ ...gateway, isNear: true }, answer('10.1.1.1')), ['10.1.1.1'])
  await t.throwsAsync(addressesOf({ ...gateway, host: 'notlocalhost' }, answer('127.0.0.1')), { code: 'E_PATH_DNS' })
})

test('what led there before is left where the resolver fails, lies, or knows others', async (t) => {
  const known = { ...gateway, remembered: ['9.9.9.9'] }
  t.deepEqual(await addressesOf(known, failing), ['9.9.9.9'])
  t.deepEqual(await addressesOf(known, answer('127.0.0.1')), ['9.9.9.9'])
  t.deepEqual(await addressesOf(known, answer('1.2.3.4', '9.9.9.9')), ['1.2.3.4', '9.9.9.9'])
})

test('IPv6 only', async (t) => {
  const only = { ipv6Only: true, ...answer('1.2.3.4', '2606:4700::1') }
  t.deepEqual(await addressesOf(gateway, only), ['2606:4700::1'])
  await t.throwsAsync(addressesOf(gateway, { ipv6Only: true, ...answer('1.2.3.4') }), {
    code: 'E_PATH_DNS',
    message: /IPv6/,
  })
  t.deepEqual(await addressesOf({ ...gateway, remembered: ['2606::1'] }, { ipv6Only: true, ...failing }), ['2606::1'])
})
