import test from 'ava'
import { pageRequest } from './page-request.ts'

const target = { id: 'e', name: 'Test', host: 'gateway.example', port: 8443, addresses: [], certificate: undefined }
const urlOf = (path: string): string | undefined =>
  pageRequest({ method: 'GET', target: path, headers: [], body: undefined }, target)?.url

test('a page asks its own site, whatever the path looks like', (t) => {
  for (const path of [
    '/',
    '/a?b=%20',
    '//elsewhere.example/',
    '//elsewhere.example',
    '/a//b',
    '/@elsewhere.example/',
  ]) {
    t.is(urlOf(path), `https://gateway.example:8443${path}`)
  }
})

test('what a page would spell otherwise is refused', (t) => {
  for (const path of ['/\\elsewhere.example/', '/a/../b', '/a"b', '/./', '/%2e%2e/a'])
    t.is(urlOf(path), undefined, path)
})
