/** From recordings to templates: two recorded with Chromium, and made-up ones for what they do not have. */
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { isSottoError } from '#protocol/errors.ts'
import type { MadeUp } from './har-support.ts'
import { checkCarries, makeHar, secretsIn } from './har-support.ts'
import type { Learned } from './learn.ts'
import { learnTemplate } from './learn.ts'
import { LearnLimits } from './limits.ts'

const fixtures = join(import.meta.dirname, '..', '..', 'fixtures', 'har')
const recorded = (name: string): string => readFileSync(join(fixtures, `${name}.har`), 'utf8')
const chat = recorded('chat')
const gallery = recorded('gallery')

const everything = ({ text, samples }: Learned): string => [text, ...samples.values()].join('\n')

for (const [name, har] of Object.entries({ chat, gallery })) {
  test(`${name}: the template is taken by the engine, and carries`, async (t) => {
    checkCarries(t, await learnTemplate(har, `${name}.har`, name))
  })

  test(`${name}: nothing of the visitor is in template, samples or report`, async (t) => {
    const learned = await learnTemplate(har, `${name}.har`, name)
    const secrets = [...secretsIn(har), 'Anna', 'anna', '4f1c', 'Berg', 'localhost', '127.0.0.1', 'eyJ', 'Headless']
    t.true(secrets.length > 12)
    const all = everything(learned) + JSON.stringify([learned.report.dropped, learned.report.kept])
    t.deepEqual(
      secrets.filter((secret) => all.includes(secret)),
      [],
    )
  })

  test(`${name}: the same recording gives the same template`, async (t) => {
    t.is((await learnTemplate(har, 'a', name)).text, (await learnTemplate(har, 'b', name)).text)
  })
}

test('chat: slots stand where the entropy is, sizes and holds are those of the recording', async (t) => {
  const { data, report } = await learnTemplate(chat, 'chat.har', 'chat')
  t.like(data, { id: 'chat', family: 'chromium', page: { path: '/' }, kinds: { poll: 'sync', send: 'messages' } })
  const { sync, messages } = data.shapes
  t.is(sync?.request.body?.text, '{"cursor":"{{cursor}}","state":"{{state}}","rtt":{{rtt}},"typing":{{typing}}}')
  t.is(sync?.response.body.text, '{"events":"{{events}}","retryAfter":1500,"typing":false}')
  t.is(messages?.request.path, '/api/chat/messages')
  t.like(data.holes, { cursor: { token: 'base64' }, state: { payload: 'base64' }, content: { payload: 'base64' } })
  t.true('number' in data.holes.rtt! && data.holes.rtt.number[0] >= 20 && data.holes.rtt.number[1] <= 400)
  t.true(messages!.request.classes.every((length) => length >= 300 && length <= 2_600))
  t.true(messages!.request.classes.some((length) => length >= 640 && length <= 1_024))
  t.true(sync!.response.classes.at(-1)! <= 6_000)
  t.true(data.rhythm.holdMs[0] >= 1_100 && data.rhythm.holdMs[1] <= 2_400 && data.rhythm.polls === 3)
  t.deepEqual(
    report.lint.filter(({ severity }) => severity === 'error'),
    [],
  )
  const dropped = report.dropped.map(({ where }) => where)
  t.true(dropped.includes('POST /api/chat/sync: header authorization'))
  t.true(dropped.includes('POST /api/chat/sync: header cookie'))
  const profile = report.routes.find(({ route }) => route === 'GET /api/profile')
  t.regex(profile?.reason ?? '', /1 exchanges were recorded, 4 are needed/)
})

test('chat: headers are those of the browser, in its order, with the gateway’s name for the site’s', async (t) => {
  const { data } = await learnTemplate(chat, 'chat.har', 'chat')
  const headers = data.shapes.sync!.request.headers.map(([name, value]) => `${name.toLowerCase()}: ${value}`)
  t.deepEqual(
    headers.map((line) => line.split(':')[0]),
    [
      ...['sec-ch-ua-platform', 'user-agent', 'sec-ch-ua', 'content-type', 'sec-ch-ua-mobile', 'accept', 'origin'],
      ...['sec-fetch-site', 'sec-fetch-mode', 'sec-fetch-dest', 'referer', 'accept-encoding', 'accept-language'],
    ],
  )
  t.true(headers.includes('origin: https://{{host}}'))
  t.true(headers.includes('referer: https://{{host}}/'))
  t.is(data.page.headers[0]![0], 'sec-ch-ua')
})

test('gallery: pictures carry, chunks that say who made them are left out, words of queries too', async (t) => {
  const { data, report } = await learnTemplate(gallery, 'gallery.har', 'gallery')
  const { request, response } = data.shapes.uploads!
  t.deepEqual(response.body.png?.chunks, [{ type: 'pHYs', hex: '00000b1300000b1301' }])
  t.true((request.body?.png?.sizes.length ?? 0) > 4)
  t.deepEqual(
    request.query.map(([name]) => name),
    ['album', 'ref', 's'],
  )
  t.is(request.query[0]![1], '')
  t.true(report.open.some(({ where, what }) => where.endsWith('?album') && what.includes('oneOf')))
  const photos = report.routes.find(({ route }) => route === 'GET /photos/*/*')
  t.regex(photos?.reason ?? '', /no place for a payload/)
  t.true(report.open.some(({ where }) => where === 'rhythm'))
})

// ---- made-up recordings ------------------------------------------------------------------------------------------------

const base64 = (octets: number): string => randomBytes(octets).toString('base64')
const many = (count: number, make: (at: number) => MadeUp): MadeUp[] =>
  Array.from({ length: count }, (_, at) => make(at))
let answers = 0
const post = (value: object, more: Partial<MadeUp> = {}): MadeUp => ({
  ...{ method: 'POST', url: '/api/sync', type: 'application/json', body: JSON.stringify(value) },
  ...{ answer: JSON.stringify({ next: base64(200 + 100 * (answers++ % 9)) }) },
  ...more,
})
/** What carries, beside whatever a test is about. */
const carrying = (at: number): { cursor: string; state: string } => ({
  cursor: base64(16),
  state: base64(100 + 120 * at),
})

test('a program on Node: family, headers as recorded, holds from the answers that waited', async (t) => {
  const har = makeHar(many(10, (at) => post(carrying(at), { waitMs: 4_000 + 300 * at, headers: { 'x-build': 'r41' } })))
  const { data } = await learnTemplate(har, 'made-up', 'program')
  t.is(data.family, 'node')
  t.deepEqual(
    data.shapes.sync!.request.headers.map(([name]) => name),
    ['content-type', 'x-build', 'accept', 'accept-language', 'sec-fetch-mode', 'user-agent', 'accept-encoding'],
  )
  t.deepEqual(data.rhythm.holdMs, [4_300, 6_700])
})

test('words, names and addresses are not copied; enumerations, numbers and identifiers are drawn', async (t) => {
  const har = makeHar(
    many(12, (at) =>
      post({
        ...carrying(at),
        text: ['How are you?', 'See you at nine, then', 'Über alles, nothing'][at % 3],
        userName: 'bella',
        contact: 'bella@mail.example',
        seen: '10.11.12.13',
        kind: ['note', 'note', 'call'][at % 3],
        order: `ord-${1000 + 37 * at}-${at % 2 ? 'a7' : 'b9'}f${at}`,
        account: 48_113_377,
        sentAt: 1_790_000_000_000 + 1_000 * at,
        ratio: at / 7,
        offline: at % 2 === 0,
        nothing: null,
        tags: [],
      }),
    ),
  )
  const learned = await learnTemplate(har, 'made-up', 'words')
  const all = everything(learned)
  for (const secret of ['How are', 'nine', 'alles', 'bella', '10.11', '48113377']) t.false(all.includes(secret), secret)
  const { data, report } = learned
  const text = data.shapes.sync!.request.body!.text!
  t.regex(text, /"text":"","userName":"","contact":"","seen":"[^"]*","kind":"\{\{kind\}\}"/)
  t.regex(text, /"sentAt":179\{\{sentAt\}\},"ratio":0,"offline":\{\{offline\}\},"nothing":null,"tags":\[\]/)
  t.deepEqual(data.holes.account, { number: [10_000_000, 99_999_999] })
  t.deepEqual('oneOf' in data.holes.kind! && [...data.holes.kind.oneOf].sort(), ['call', 'note', 'note'])
  const reasons = new Map(report.dropped.map(({ where, what }) => [where.split('.').at(-1), what]))
  t.is(reasons.get('contact'), 'an e-mail address')
  t.is(reasons.get('seen'), 'an IP address')
  t.is(reasons.get('text'), 'words that differ')
  checkCarries(t, learned)
})

test('a key that stays the same is a credential, a hash of the application’s own is not', async (t) => {
  const key = randomBytes(24).toString('hex')
  const hash = randomBytes(32).toString('hex')
  const har = makeHar(many(8, (at) => post({ ...carrying(at), device: key, sha256Hash: hash })))
  const learned = await learnTemplate(har, 'made-up', 'keys')
  t.false(everything(learned).includes(key))
  t.true(learned.text.includes(hash))
})

test('a form with a picture in it', async (t) => {
  const form = (at: number): MadeUp => {
    const boundary = `----formdata-undici-0${10_000_000_000 + Math.floor(Math.random() * 8e10)}`
    const head = `--${boundary}\r\nContent-Disposition: form-data; name="size"\r\n\r\n${640 + at}\r\n`
    const file = `--${boundary}\r\nContent-Disposition: form-data; name="photo"; filename="IMG_${1000 + 13 * at}.png"\r\nContent-Type: image/png\r\n\r\n`
    const body = `${head}${file}${'p'.repeat(700 + 250 * at)}\r\n--${boundary}--\r\n`
    const url = `/photos?s=${randomBytes(16).toString('hex')}`
    const answer = JSON.stringify({ ticket: base64(150 + 80 * at) })
    return { method: 'POST', url, type: `multipart/form-data; boundary=${boundary}`, body, answer }
  }
  const learned = await learnTemplate(makeHar(many(10, form)), 'made-up', 'forms')
  const { request } = learned.data.shapes.photos!
  t.is(request.body?.multipart?.boundary, '----formdata-undici-0{{boundary}}')
  t.deepEqual(request.body?.multipart?.parts[0]?.text, '{{size}}')
  t.regex(JSON.stringify(request.body?.multipart?.parts[1]?.headers), /filename=\\"IMG_\{\{file\}\}\.png/)
  checkCarries(t, learned)
})

test('headers: constants of the application are kept and said, keys of a device are not, nor what begins with a colon', async (t) => {
  const device = randomBytes(12).toString('hex')
  const headers = { ':authority': 'site.example', 'x-build': 'r41', 'x-device': device, 'x-request': 'varies' }
  const har = makeHar(many(10, (at) => post(carrying(at), { headers: { ...headers, 'x-request': `r${at}` } })))
  const learned = await learnTemplate(har, 'made-up', 'headers')
  const names = learned.data.shapes.sync!.request.headers.map(([name]) => name)
  t.true(names.includes('x-build'))
  t.false(names.some((name) => ['x-device', 'x-request', ':authority'].includes(name)))
  t.false(everything(learned).includes(device))
  const kept = learned.report.kept.map(({ where, what }) => `${where}: ${what}`)
  t.true(kept.includes('POST /api/sync: header x-build: «r41»'))
  t.true(learned.report.dropped.some(({ where, what }) => where.endsWith('x-device') && what.includes('key')))
})

test('a form of pairs', async (t) => {
  const har = makeHar(
    many(10, (at) => ({
      ...{ method: 'POST', url: '/sync', type: 'application/x-www-form-urlencoded' },
      body: `since=${randomBytes(16).toString('hex')}&who=bella+berg&page=${at}&state=${randomBytes(100 + 100 * at).toString('base64url')}`,
      answer: JSON.stringify({ events: base64(120 + 110 * at) }),
    })),
  )
  const learned = await learnTemplate(har, 'made-up', 'pairs')
  t.is(learned.data.shapes.sync!.request.body?.text, 'since={{since}}&who=&page={{page}}&state={{state}}')
  checkCarries(t, learned)
})

test('Firefox: its order is that of the recording, and lint has nothing against it', async (t) => {
  const headers = {
    'User-Agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0',
    Accept: '*/*',
    'Accept-Language': 'en-US,en;q=0.5',
    'Accept-Encoding': 'gzip, deflate, br, zstd',
    Referer: 'https://site.example/',
    'Content-Type': '',
    Origin: 'https://site.example',
    'Sec-Fetch-Dest': 'empty',
    'Sec-Fetch-Mode': 'cors',
    'Sec-Fetch-Site': 'same-origin',
  }
  const har = makeHar(
    many(10, (at) => post(carrying(at), { waitMs: 5_000 + 300 * at })),
    headers,
  )
  const text = har.replace('"*/*"', '"text/html,*/*;q=0.8"')
  const { data, report } = await learnTemplate(text, 'made-up', 'firefox')
  t.is(data.family, 'firefox')
  t.deepEqual(
    data.shapes.sync!.request.headers.slice(0, 3).map(([name]) => name),
    ['User-Agent', 'Accept', 'Accept-Language'],
  )
  t.deepEqual(
    report.lint.map(({ rule }) => rule),
    ['compression'],
  )
})

test('raw octets, a longer token in hex, and a second sealed member of fixed length', async (t) => {
  const har = makeHar(
    many(10, (at) => ({
      ...{ method: 'POST', url: `/api/blobs?s=${randomBytes(20).toString('hex')}`, type: 'application/octet-stream' },
      body: 'z'.repeat(300 + 200 * at),
      answer: JSON.stringify({ receipt: base64(32), state: base64(120 + 90 * at) }),
    })),
  )
  const learned = await learnTemplate(har, 'made-up', 'blobs')
  t.is(learned.data.shapes.blobs!.request.query[0]![1], '{{s}}{{sRest}}')
  t.deepEqual(learned.data.holes.sRest, { payload: 'hex', exact: 4 })
  t.deepEqual(learned.data.holes.receipt, { payload: 'base64', exact: 32 })
  checkCarries(t, learned)
})

const unusable: readonly [string, string, RegExp][] = [
  [
    'nothing but pages',
    makeHar(many(6, (at) => ({ url: `/page${at}`, answerType: 'text/html', answer: '<p>' }))),
    /GET \/\*: no place|text\/html is no kind/,
  ],
  ['no POST and nothing random', makeHar(many(6, () => ({ url: '/api/news' }))), /nothing in the request looks random/],
  [
    'random only in the answer',
    makeHar(many(8, (at) => ({ url: `/api/news?n=${at}`, answer: JSON.stringify({ a: base64(700 + at) }) }))),
    /no place for a token/,
  ],
  [
    'a token and no payload',
    makeHar(many(8, () => post({ cursor: base64(16) }))),
    /no place for a payload of 96 octets or more in the request/,
  ],
  [
    'a payload and no token',
    makeHar(many(8, (at) => post({ state: base64(100 + 99 * at) }))),
    /no place for a token.*state \(100 to 793 octets, base64\)/,
  ],
  [
    'all messages shorter than a text message',
    makeHar(many(8, (at) => post({ cursor: base64(16), state: base64(100 + at) }))),
    /no request carries 640 to 1024 octets/,
  ],
  [
    'base64 of words',
    makeHar(
      many(8, (at) =>
        post({ cursor: base64(16), state: Buffer.from('all work and no play '.repeat(30 + at)).toString('base64') }),
      ),
    ),
    /no place for a payload/,
  ],
  [
    'an answer that caches keep',
    makeHar(
      many(8, (at) => ({
        url: `/f?s=${randomBytes(16).toString('hex')}&x=${base64(16)}`,
        answerType: 'application/octet-stream',
        answer: 'z'.repeat(700 + at),
        answerHeaders: { 'cache-control': 'max-age=600' },
      })),
    ),
    /caches may keep its answers \(cache-control: «max-age=600»\)/,
  ],
  [
    'a picture of a kind that templates do not write',
    makeHar(many(8, (at) => post(carrying(at), { answerType: 'image/jpeg', answer: 'x'.repeat(900) }))),
    /image\/jpeg is no kind of body/,
  ],
  [
    'uploads that the recording left out',
    makeHar(many(8, () => ({ method: 'POST', url: '/up', type: 'multipart/form-data; boundary=x', body: ' ' }))),
    /does not have the parts of its forms/,
  ],
  ['errors only', makeHar(many(8, (at) => post(carrying(at), { status: 500 }))), /its answers have status 500/],
  [
    'a client nobody knows',
    makeHar(
      many(8, (at) => post(carrying(at))),
      { 'user-agent': 'Mozilla/5.0 (Lynx)' },
    ),
    /is none of node, chromium, firefox/,
  ],
  [
    'no User-Agent',
    makeHar(
      many(8, (at) => post(carrying(at))),
      {},
    ),
    /no request has a User-Agent/,
  ],
  [
    'sealed octets where words belong',
    makeHar(many(8, (at) => post({ cursor: base64(16), title: base64(100 + 120 * at) }))),
    /POST \/api\/sync: it would give away \(entropy-in-words\): .*title/,
  ],
  ['an empty recording', JSON.stringify({ log: { entries: [] } }), /the recording is empty/],
]

for (const [name, har, reason] of unusable) {
  test(`no template: ${name}`, async (t) => {
    const error = await t.throwsAsync(learnTemplate(har, 'made-up', 'none'))
    t.true(isSottoError(error, 'E_LEARN'), String(error))
    t.regex(error?.message ?? '', reason)
  })
}

const entry = JSON.parse(makeHar([])).log.entries[0]
const har = (change: object): string => JSON.stringify({ log: { entries: [{ ...entry, ...change }] } })
const broken: readonly [string, string, RegExp][] = [
  ['no JSON', '<html>', /made-up: this is no JSON, so no HAR/],
  ['no log', '{}', /made-up: log is missing/],
  ['entries that are none', '{"log":{"entries":7}}', /log\.entries: expected a list of exchanges/],
  ['no time', har({ startedDateTime: 'yesterday' }), /log\.entries\.0\.startedDateTime: expected a time/],
  ['no URL', har({ request: { ...entry.request, url: 'site' } }), /log\.entries\.0\.request\.url: expected a URL/],
  [
    'headers that are none',
    har({ response: { ...entry.response, headers: [{ name: 1 }] } }),
    /log\.entries\.0\.response\.headers\.0\.name: expected a name/,
  ],
  [
    'too many headers',
    har({ request: { ...entry.request, headers: Array(LearnLimits.headers + 1).fill({ name: 'a', value: '' }) } }),
    /expected at most 200 headers/,
  ],
  [
    'too many exchanges',
    `{"log":{"entries":[${'1,'.repeat(LearnLimits.entries)}1]}}`,
    /expected (at most 50000 exchanges|a value of type Object)/,
  ],
]

for (const [name, text, message] of broken) {
  test(`no recording: ${name}`, async (t) => {
    const error = await t.throwsAsync(learnTemplate(text, 'made-up', 'none'))
    t.true(isSottoError(error, 'E_HAR'), String(error))
    t.regex(error?.message ?? '', message)
  })
}

test('bodies deeper or larger than is looked into are passed over', async (t) => {
  const deep = `${'['.repeat(60)}${']'.repeat(60)}`
  const wide = JSON.stringify(
    Object.fromEntries(Array.from({ length: LearnLimits.fields + 1 }, (_, at) => [`m${at}`, 1])),
  )
  for (const body of [deep, wide]) {
    const text = makeHar(many(6, () => ({ method: 'POST', url: '/api', type: 'application/json', body })))
    await t.throwsAsync(learnTemplate(text, 'made-up', 'none'), {
      code: 'E_LEARN',
      message: /the recording has 0 of its bodies/,
    })
  }
  const endless = `${'['.repeat(100_000)}`
  const text = makeHar(many(6, () => ({ method: 'POST', url: '/api', type: 'application/json', body: endless })))
  await t.throwsAsync(learnTemplate(text, 'made-up', 'none'), { code: 'E_LEARN' })
})

test('other sites in the recording are left alone', async (t) => {
  const tracker = many(30, (at) => post(carrying(at), { url: `https://tracker.example/collect?u=${at}` }))
  const { report, data } = await learnTemplate(
    makeHar([...tracker, ...many(8, (at) => post(carrying(at)))]),
    'made-up',
    'own',
  )
  t.is(report.foreign, 30)
  t.true(Object.values(data.shapes).every(({ request }) => request.path === '/api/sync'))
})
