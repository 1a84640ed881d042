import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import test from 'ava'
import { chromium } from 'playwright-core'
import { chromiumPath } from '../../camouflage-templates/fixtures/sites/record.ts'
import { startView } from './view.ts'

async function statusOf(port: number, headers: Record<string, string>, path = '/', method = 'GET'): Promise<number> {
  const asked = request({ host: '127.0.0.1', port, path, method, headers }).end()
  const [response] = (await once(asked, 'response')) as [IncomingMessage]
  response.destroy()
  return response.statusCode!
}

test('only who asks for this machine by its own name is answered, and no other website’s page', async (t) => {
  const view = await startView(0)
  t.teardown(() => view.close())
  const { port } = view
  for (const host of [`localhost:${port}`, `127.0.0.1:${port}`]) {
    t.is(await statusOf(port, { host }), 200)
    t.is(await statusOf(port, { host, origin: `http://${host}` }), 200)
    t.is(await statusOf(port, { host }, '/events'), 200)
    t.is(await statusOf(port, { host, origin: 'https://elsewhere.example' }, '/events'), 404)
    t.is(await statusOf(port, { host, origin: 'null' }, '/said', 'POST'), 404)
  }
  for (const host of ['rebound.example', `rebound.example:${port}`, 'localhost', 'localhost:1'])
    t.is(await statusOf(port, { host }, '/events'), 404)
})

/** Ways out of a page. */
const ROADS: Readonly<Record<string, string>> = {
  fetch: `fetch(away + 'fetch', { mode: 'no-cors' })`,
  beacon: `navigator.sendBeacon(away + 'beacon', 'x')`,
  request: `const r = new XMLHttpRequest(); r.open('POST', away + 'request'); r.send('x')`,
  events: `new EventSource(away + 'events')`,
  image: `new Image().src = away + 'image'`,
  script: `const s = document.createElement('script'); s.src = away + 'script'; document.head.append(s)`,
  style: `const l = document.createElement('link'); l.rel = 'stylesheet'; l.href = away + 'style'; document.head.append(l)`,
  frame: `const f = document.createElement('iframe'); f.src = away + 'frame'; document.body.append(f)`,
  form: `const f = document.createElement('form'); f.action = away + 'form'; f.target = '_blank'; document.body.append(f); f.submit()`,
  font: `new FontFace('f', 'url(' + away + 'font)').load().catch(() => {})`,
  media: `const v = document.createElement('video'); v.src = away + 'media'; v.load()`,
}

test('the page reaches nothing but its own server, whatever is tried from it', async (t) => {
  if (chromiumPath === undefined) {
    t.log('no Chromium on this machine: the page was not tried')
    t.pass()
    return
  }
  const reached: string[] = []
  const elsewhere = createServer((asked, response) => {
    reached.push(asked.url!)
    void text(asked).then(() => response.end())
  }).listen(0, '127.0.0.1')
  await once(elsewhere, 'listening')
  const view = await startView(0)
  const browser = await chromium.launch({ executablePath: chromiumPath, args: ['--no-sandbox', '--disable-gpu'] })
  t.teardown(async () => {
    await browser.close()
    view.close()
    elsewhere.close()
  })
  const away = `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}/`
  const page = await browser.newPage()
  await page.goto(`http://127.0.0.1:${view.port}/`)
  for (const [name, road] of Object.entries(ROADS)) {
    const refused = `new Promise((done) => document.addEventListener('securitypolicyviolation', done, { once: true }))`
    await page.evaluate(
      `(async () => { const away = '${away}'; const refused = ${refused}; ${road}; await refused })()`,
    )
    t.deepEqual(reached, [], name)
  }
  // From a page without the policy the same roads lead there.
  await page.goto(`${away}page`)
  for (const name of ['fetch', 'request', 'image', 'script', 'style']) {
    const asked = once(elsewhere, 'request')
    await page.evaluate(`(() => { const away = '${away}'; ${ROADS[name]} })()`)
    await asked
  }
  t.true(reached.includes('/image'))
})
