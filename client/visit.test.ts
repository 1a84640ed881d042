import test from 'ava'
import { compileBuiltins } from '../camouflage-templates/builtin.ts'
import { fits } from './fitting.ts'
import { firstRequest, partsOf } from './visit.ts'

const URL_ = 'https://site.example/start/'

test('what belongs to the site itself is loaded, in its order, once, and no more than a few', (t) => {
  const html = `<link rel="icon" href='/i.png'><LINK REL=stylesheet HREF=style.css?v=2><link rel="preload" href="/no">
    <script src="/a.js" defer></script><script>inline()</script><script src="https://else.example/x.js"></script>
    <img alt="" src="//site.example/p.png"><script src="/a.js"></script><img src="data:,x"><img src="http://[">`
  t.deepEqual(partsOf(html, URL_), [
    { kind: 'image', target: '/i.png' },
    { kind: 'style', target: '/start/style.css?v=2' },
    { kind: 'script', target: '/a.js' },
    { kind: 'image', target: '/p.png' },
  ])
  const many = Array.from({ length: 50 }, (_, i) => `<img src="/${i}">`).join('')
  t.is(partsOf(many, URL_).length, 8)
})

test('a page that is made to be slow to read is read in no time that counts', (t) => {
  const evil = '<img '.repeat(26_000) + 'src="'.repeat(200)
  const began = process.cpuUsage().user
  t.deepEqual(partsOf(evil, URL_), [])
  t.true(process.cpuUsage(undefined).user - began < 5_000_000)
})

test('templates go with a dialer of their family, version and system, that works here', (t) => {
  const template = compileBuiltins('chromium')[0]!
  const dialer = { family: 'chromium', version: '156', os: 'linux', alpn: ['h2'], knownLeaks: [] } as const
  t.true(fits(template, [dialer]))
  t.false(fits(template, []))
  t.false(fits(template, [{ ...dialer, version: '157' }]))
  t.false(fits(template, [{ ...dialer, os: 'win32' }]))
  t.false(fits(template, [{ ...dialer, unfit: 'of something' }]))
  t.false(fits(template, [{ ...dialer, family: 'node' }]))
  t.true(fits(compileBuiltins('node')[0]!, [{ ...dialer, family: 'node', version: '26' }]))
})

test('visitors come through the page, programs do not', (t) => {
  t.is(firstRequest(compileBuiltins('node')[0]!), undefined)
  t.like(firstRequest(compileBuiltins('chromium')[0]!), { method: 'GET', target: '/' })
})
