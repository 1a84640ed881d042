import { mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { isSottoError } from '#protocol/errors.ts'
import { openDecoy } from './decoy.ts'
import { ask, exchange, parseAnswer, rawExchange, serve } from './fixture.ts'
import { Site, type SiteLimits } from './site.ts'
import { staticDecoy } from './static.ts'

const MODIFIED = new Date('2026-03-01T10:00:00.750Z')
const LAST_MODIFIED = 'Sun, 01 Mar 2026 10:00:00 GMT'
const etagOf = (size: number): string => `"${Math.floor(MODIFIED.getTime() / 1000).toString(16)}-${size.toString(16)}"`

function write(folder: string, path: string, content: string | Buffer): void {
  const file = join(folder, path)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, content)
  utimesSync(file, MODIFIED, MODIFIED)
}

const files: Record<string, string | Buffer> = {
  'index.html': '<h1>home</h1>',
  '404.html': '<h1>lost</h1>',
  'site.css': 'body { color: teal }',
  'site.js': 'let a',
  'empty.txt': '',
  'photos/index.html': '<h1>photos</h1>',
  'photos/one.jpg': Buffer.from([0xff, 0xd8, 0xff, 0, 1, 2, 3]),
  'a b/ö.html': '<h1>umlaut</h1>',
  'bare/file.unknown': 'x',
  '.env': 'PASSWORD=planted',
  '.git/config': 'planted',
  'photos/.hidden': 'planted',
  '.well-known/acme-challenge/token': 'proof',
}

interface Place {
  readonly folder: string
  readonly port: number
  readonly site: Site
  now: number
}

async function place(t: ExecutionContext, limits: Partial<SiteLimits> = {}, content = files): Promise<Place> {
  const root = mkdtempSync(join(tmpdir(), 'sotto-decoy-'))
  t.teardown(() => rmSync(root, { recursive: true, force: true }))
  const folder = join(root, 'site')
  for (const [path, text] of Object.entries(content)) write(folder, path, text)
  write(root, 'outside.txt', 'planted')
  let now = 0
  const site = await Site.open({ folder, now: () => now, limits, onFault: (error) => t.log(String(error)) })
  const port = await serve(t, staticDecoy(site))
  return {
    ...{ folder, port, site },
    get now() {
      return now
    },
    set now(value) {
      now = value
    },
  }
}

test('a file comes with the headers of an ordinary server, in its order', async (t) => {
  const { port } = await place(t)
  const { statusLine, headers, body } = await ask(port, 'GET /')
  t.is(statusLine, 'HTTP/1.1 200 OK')
  t.is(body.toString(), String(files['index.html']))
  t.deepEqual(headers, [
    ['Server', 'nginx'],
    ['Content-Type', 'text/html'],
    ['Content-Length', '13'],
    ['Last-Modified', LAST_MODIFIED],
    ['Connection', 'close'],
    ['ETag', etagOf(13)],
    ['Accept-Ranges', 'bytes'],
  ])
})

test('a connection is kept, without a header that only Node sends', async (t) => {
  const { port } = await place(t)
  const raw = await rawExchange(
    port,
    'GET /site.css HTTP/1.1\r\nHost: a\r\n\r\nGET /site.js HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
  )
  const text = raw.toString('latin1')
  t.is(text.match(/HTTP\/1\.1 200 OK\r\nServer: nginx\r\nDate: /g)?.length, 2)
  t.regex(text, /\r\nConnection: keep-alive\r\n/)
  t.notRegex(text, /\r\nKeep-Alive:/i)
  t.true(text.indexOf('Server:') < text.indexOf('Date:') && text.indexOf('Date:') < text.indexOf('Content-Type:'))
})

test('media types by extension', async (t) => {
  const { port } = await place(t)
  const expected = [
    ['/site.css', 'text/css'],
    ['/site.js', 'application/javascript'],
    ['/photos/one.jpg', 'image/jpeg'],
    ['/empty.txt', 'text/plain'],
    ['/bare/file.unknown', 'application/octet-stream'],
  ] as const
  for (const [path, type] of expected) {
    const answer = await ask(port, `GET ${path}`)
    t.is(answer.header('content-type'), type)
    t.deepEqual(answer.body, Buffer.from(files[path.slice(1)]!))
  }
})

test('HEAD is GET without the body', async (t) => {
  const { port } = await place(t)
  for (const path of ['/', '/site.css', '/none', '/photos', '/bare/']) {
    const [head, get] = [await ask(port, `HEAD ${path}`), await ask(port, `GET ${path}`)]
    t.deepEqual(head.headers, get.headers)
    t.is(head.status, get.status)
    t.is(head.body.length, 0)
    t.true(get.body.length > 0)
  }
})

test('a folder without its slash redirects, one without an index is forbidden', async (t) => {
  const { port } = await place(t)
  const answer = await ask(port, 'GET /photos?page=2')
  t.is(answer.statusLine, 'HTTP/1.1 301 Moved Permanently')
  t.is(answer.header('location'), `http://site.example:${port}/photos/?page=2`)
  t.is(answer.body.length, 162)
  t.is((await ask(port, 'GET /photos/')).body.toString(), String(files['photos/index.html']))
  t.is((await ask(port, 'GET /a%20b')).header('location'), `http://site.example:${port}/a%20b/`)
  t.is((await ask(port, 'GET /bare/')).status, 403)
})

test('what is not there gets the site’s own page', async (t) => {
  const { port } = await place(t)
  for (const path of ['/none', '/none/', '/photos/none.jpg', '/site.css/', '/photos/one.jpg/more', '/a%2500']) {
    const answer = await ask(port, `GET ${path}`)
    t.is(answer.statusLine, 'HTTP/1.1 404 Not Found')
    t.is(answer.body.toString(), String(files['404.html']))
    t.deepEqual(
      answer.headers.map(([name]) => name),
      ['Server', 'Content-Type', 'Content-Length', 'Connection', 'ETag'],
    )
  }
  const bare = await place(t, {}, { 'index.html': 'home' })
  const answer = await ask(bare.port, 'GET /none')
  t.is(answer.status, 404)
  t.is(answer.body.length, 146)
})

test('nothing outside the site and nothing hidden is served, however it is spelled', async (t) => {
  const { port, folder, site } = await place(t)
  symlinkSync('../outside.txt', join(folder, 'link.txt'))
  symlinkSync('..', join(folder, 'up'))
  symlinkSync('site.css', join(folder, 'alias.css'))
  symlinkSync('.env', join(folder, 'env.txt'))
  await site.refresh()
  const paths = [
    '/../outside.txt',
    '/%2e%2e/outside.txt',
    '/..%2foutside.txt',
    '/photos/../../outside.txt',
    '/photos/..%2f..%2foutside.txt',
    '/....//outside.txt',
    '/..\\outside.txt',
    '/%5c..%5coutside.txt',
    '/link.txt',
    '/env.txt',
    '/up/outside.txt',
    '/.env',
    '/%2eenv',
    '/photos/.hidden',
    '/.git/config',
    '/.git/',
    '//etc/passwd',
    '/%00',
    '/index.html%00.png',
    '/%',
    '/%zz',
    '/%ff',
    '/%c0%ae%c0%ae/outside.txt',
  ]
  for (const path of paths) {
    const { status, body } = await ask(port, `GET ${path}`)
    t.true(status === 400 || status === 404, `${path}: ${status}`)
    t.false(body.includes('planted'), path)
  }
  t.is((await ask(port, 'GET /alias.css')).status, 200, 'a link inside the site')
  for (const path of ['/../site.css', '/photos/../../site.css', '/%2e%2e/site.css']) {
    t.is((await ask(port, `GET ${path}`)).status, 400, 'above the root')
  }
  t.is((await ask(port, 'GET /.well-known/acme-challenge/token')).body.toString(), 'proof')
})

test('spellings of a path that mean a file are that file', async (t) => {
  const { port } = await place(t)
  for (const path of [
    '/site.css?v=2',
    '//site.css',
    '/./site.css',
    '/photos/../site.css',
    '/%73ite.css',
    'http://x/site.css',
  ]) {
    t.is((await ask(port, `GET ${path}`)).body.toString(), String(files['site.css']), path)
  }
  t.is((await ask(port, 'GET /a%20b/%C3%B6.html')).body.toString(), String(files['a b/ö.html']))
})

test('other methods are refused as an ordinary server refuses them', async (t) => {
  const { port } = await place(t)
  for (const method of ['PUT', 'DELETE', 'PATCH', 'OPTIONS', 'PROPFIND']) {
    for (const path of ['/', '/none']) {
      const answer = await ask(port, `${method} ${path}`)
      t.is(answer.statusLine, 'HTTP/1.1 405 Not Allowed')
      t.is(answer.header('allow'), undefined)
      t.is(answer.body.length, 150)
    }
  }
  const post = (path: string, body = '{"a":1}') =>
    exchange(
      port,
      `POST ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    )
  t.is((await post('/')).status, 405)
  t.is((await post('/site.css', 'x'.repeat(300_000))).status, 405)
  t.is((await post('/none')).status, 404)
  t.is((await post('/photos')).status, 301)
})

test('conditional requests', async (t) => {
  const { port } = await place(t)
  const etag = etagOf(13)
  const status = async (...lines: string[]): Promise<number> => (await ask(port, 'GET /', ...lines)).status
  const unchanged = await ask(port, 'GET /', `If-None-Match: ${etag}`)
  t.is(unchanged.statusLine, 'HTTP/1.1 304 Not Modified')
  t.is(unchanged.body.length, 0)
  t.deepEqual(unchanged.headers, [
    ['Server', 'nginx'],
    ['Last-Modified', LAST_MODIFIED],
    ['Connection', 'close'],
    ['ETag', etag],
  ])
  t.is(await status(`If-None-Match: "x", W/${etag}`), 304)
  t.is(await status('If-None-Match: *'), 304)
  t.is(await status('If-None-Match: "other"'), 200)
  t.is(await status(`If-Modified-Since: ${LAST_MODIFIED}`), 304)
  t.is(await status('If-Modified-Since: Mon, 02 Mar 2026 10:00:00 GMT'), 200)
  t.is(await status('If-Modified-Since: nonsense'), 200)
  t.is(await status(`If-Modified-Since: ${LAST_MODIFIED}`, 'If-None-Match: "other"'), 200)
  t.is(await status(`If-Match: ${etag}`), 200)
  t.is(await status('If-Match: "other"'), 412)
  t.is(await status(`If-Match: W/${etag}`), 412)
  t.is(await status(`If-Unmodified-Since: ${LAST_MODIFIED}`), 200)
  t.is(await status('If-Unmodified-Since: Sat, 28 Feb 2026 10:00:00 GMT'), 412)
})

test('ranges', async (t) => {
  const { port } = await place(t)
  const get = (range: string, ...lines: string[]) => ask(port, 'GET /site.css', `Range: ${range}`, ...lines)
  const text = files['site.css'] as string
  const size = text.length
  const single: [string, string, string][] = [
    ['bytes=0-3', text.slice(0, 4), `bytes 0-3/${size}`],
    ['bytes=5-', text.slice(5), `bytes 5-${size - 1}/${size}`],
    ['bytes=-4', text.slice(-4), `bytes ${size - 4}-${size - 1}/${size}`],
    ['bytes=-999', text, `bytes 0-${size - 1}/${size}`],
    ['bytes=2-999', text.slice(2), `bytes 2-${size - 1}/${size}`],
    ['bytes=90-95, 1-1', text.slice(1, 2), `bytes 1-1/${size}`],
  ]
  for (const [range, body, contentRange] of single) {
    const answer = await get(range)
    t.is(answer.statusLine, 'HTTP/1.1 206 Partial Content')
    t.is(answer.body.toString(), body)
    t.is(answer.header('content-range'), contentRange)
    t.is(answer.header('content-length'), String(body.length))
    t.is(answer.header('accept-ranges'), undefined)
  }
  for (const range of ['bytes=99-', 'bytes=5-2', 'bytes=-0', 'bytes=', 'bytes=a-b', 'bytes=1-2-3', 'bytes=-']) {
    const answer = await get(range)
    t.is(answer.statusLine, 'HTTP/1.1 416 Requested Range Not Satisfiable', range)
    t.is(answer.header('content-range'), `bytes */${size}`)
  }
  for (const range of ['items=0-3', 'bytes=0-19,0-19', `bytes=${'0-0,'.repeat(17)}0-0`]) {
    const answer = await get(range)
    t.is(answer.status, 200, range)
    t.is(answer.body.toString(), text)
  }
  t.is((await get('bytes=0-3', `If-Range: ${etagOf(size)}`)).status, 206)
  t.is((await get('bytes=0-3', `If-Range: ${LAST_MODIFIED}`)).status, 206)
  t.is((await get('bytes=0-3', 'If-Range: "other"')).status, 200)
  t.is((await get('bytes=0-3', `If-Range: W/${etagOf(size)}`)).status, 200)
})

test('several ranges come in parts', async (t) => {
  const { port } = await place(t)
  const answer = await ask(port, 'GET /site.css', 'Range: bytes=0-1,-2')
  const boundary = /^multipart\/byteranges; boundary=([0-9]{20})$/.exec(answer.header('content-type') ?? '')?.[1]
  t.is(answer.status, 206)
  const part = (range: string, body: string): string =>
    `\r\n--${boundary}\r\nContent-Type: text/css\r\nContent-Range: bytes ${range}/20\r\n\r\n${body}`
  t.is(answer.body.toString(), `${part('0-1', 'bo')}${part('18-19', ' }')}\r\n--${boundary}--\r\n`)
  t.is(answer.header('content-length'), String(answer.body.length))
})

test('large files come from disk, whole and in ranges', async (t) => {
  const large = Buffer.alloc(300_000, 'abcdefg')
  const { port, site } = await place(t, { cachedFileBytes: 1_000 }, { 'index.html': 'home', 'large.bin': large })
  t.deepEqual((await ask(port, 'GET /large.bin')).body, large)
  const part = await ask(port, 'GET /large.bin', 'Range: bytes=1000-200999')
  t.is(part.status, 206)
  t.deepEqual(part.body, large.subarray(1_000, 201_000))
  t.is((await ask(port, 'GET /large.bin', 'Range: bytes=0-1,5-6')).status, 200)
  t.is((await ask(port, 'HEAD /large.bin')).header('content-length'), '300000')
  const entry = site.find('/large.bin')
  t.true(entry?.kind === 'file' && site.cached(entry.file) === undefined)
})

test('memory for contents is bounded, and the oldest gives way', async (t) => {
  const content = { 'index.html': 'home', 'a.txt': 'a'.repeat(400), 'b.txt': 'b'.repeat(400), 'c.txt': 'c'.repeat(400) }
  const { port, site } = await place(t, { cacheBytes: 1_000 }, content)
  const kept = (path: string): boolean => {
    const entry = site.find(path)
    return entry?.kind === 'file' && site.cached(entry.file) !== undefined
  }
  for (const path of ['/a.txt', '/b.txt', '/c.txt']) await ask(port, `GET ${path}`)
  t.deepEqual([kept('/a.txt'), kept('/b.txt'), kept('/c.txt')], [false, true, true])
  t.is((await ask(port, 'GET /a.txt')).body.length, 400)
})

test('a changed site is served changed; until then no request touches the disk', async (t) => {
  const here = await place(t)
  await ask(here.port, 'GET /site.css')
  writeFileSync(join(here.folder, 'site.css'), 'body { color: crimson; }')
  writeFileSync(join(here.folder, 'new.html'), 'new')
  rmSync(join(here.folder, 'site.js'))
  t.is((await ask(here.port, 'GET /site.css')).body.toString(), String(files['site.css']))
  here.now += 5_000
  await ask(here.port, 'GET /site.css')
  await here.site.refresh()
  t.is((await ask(here.port, 'GET /site.css')).body.toString(), 'body { color: crimson; }')
  t.is((await ask(here.port, 'GET /new.html')).body.toString(), 'new')
  t.is((await ask(here.port, 'GET /site.js')).status, 404)
})

test('a file that changes or goes between two walks does not break an answer', async (t) => {
  const { folder, port } = await place(t)
  writeFileSync(join(folder, 'site.css'), 'longer than it was when it was found')
  rmSync(join(folder, 'photos'), { recursive: true })
  const answer = await ask(port, 'GET /site.css')
  t.is(answer.header('content-length'), '20')
  t.is(answer.body.length, 20)
  t.is(
    (await rawExchange(port, 'GET /photos/one.jpg HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')).indexOf(
      'planted',
    ),
    -1,
  )
})

test('a folder that is no site is a mistake of the configuration', async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'sotto-decoy-'))
  t.teardown(() => rmSync(root, { recursive: true, force: true }))
  const open = (folder: string, limits = {}) => t.throwsAsync(Site.open({ folder, limits }))
  for (const [folder, message] of [
    [join(root, 'none'), /there is no folder/],
    [root, /there is no index\.html/],
  ] as const) {
    const error = await open(folder)
    t.true(isSottoError(error, 'E_CONFIG'))
    t.regex(error.message, message)
  }
  for (let n = 0; n < 5; n++) write(root, `${n}.html`, 'x')
  t.regex((await open(root, { files: 3 })).message, /more than 3 files/)
})

test('a visitor who sends a byte at a time gets the same answer', async (t) => {
  const { folder } = await place(t)
  const { decoy, close } = await openDecoy({ kind: 'folder', folder }, (error) => t.fail(String(error)))
  const port = await serve(t, decoy)
  const request = 'GET /site.css HTTP/1.1\r\nHost: site.example\r\nConnection: close\r\n\r\n'
  const slow = await rawExchange(port, '', ...[...request].map((character) => Buffer.from(character)))
  t.deepEqual(parseAnswer(slow).headers, (await ask(port, 'GET /site.css')).headers)
  await close()
})
