import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { isSottoError } from '#protocol/errors.ts'
import { openDecoy } from './decoy.ts'
import { ask, exchange, serve } from './fixture.ts'

function site(t: ExecutionContext, answers?: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'sotto-answers-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  writeFileSync(join(folder, 'index.html'), 'home')
  if (answers !== undefined) writeFileSync(join(folder, '.answers.yaml'), answers)
  return folder
}

const open = (folder: string) => openDecoy({ kind: 'folder', folder }, () => undefined)

test('fixed answers come before the files, first match first, and look like the server’s own', async (t) => {
  const { decoy } = await open(
    site(
      t,
      `- path: /api/status
  method: GET
  status: 200
  headers: [[Cache-Control, no-store], [content-type, application/json]]
  body: '{"open":false}'
- {path: /api/*, method: POST, status: 401, body: closed}
- {path: /api/*, status: 404}
- {path: /collect, status: 204}
`,
    ),
  )
  const port = await serve(t, decoy)
  const status = await ask(port, 'GET /api/status?x=1')
  t.deepEqual(status.headers, [
    ['Server', 'nginx'],
    ['Content-Type', 'application/json'],
    ['Content-Length', '14'],
    ['Connection', 'close'],
    ['Cache-Control', 'no-store'],
  ])
  t.is(status.body.toString(), '{"open":false}')
  t.is((await ask(port, 'HEAD /api/status')).status, 404, 'another method')
  const post = 'POST /api//v1/../v1/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 200000\r\n\r\n'
  const answer = await exchange(port, post, Buffer.alloc(200_000))
  t.is(answer.status, 401)
  t.is(answer.body.toString(), 'closed')
  const none = await ask(port, 'POST /collect')
  t.is(none.statusLine, 'HTTP/1.1 204 No Content')
  t.is(none.header('content-length'), undefined)
  t.is((await ask(port, 'GET /')).body.toString(), 'home')
  t.is((await ask(port, 'GET /apix')).status, 404)
  t.is((await ask(port, 'GET /.answers.yaml')).body.length, 146, 'the file itself is hidden')
})

test('a file of answers that cannot be used is a mistake of the configuration, with its line', async (t) => {
  const bad: [string, RegExp][] = [
    ['- {path: api, status: 200}', /\.answers\.yaml:1: 0\.path/],
    ['- {path: /a, status: 200}\n- {path: /b, status: 99}', /:2: 1\.status/],
    ['- {path: /a*b, status: 200}', /:1: 0\.path/],
    ['- {path: /a, status: 200, headers: [["A\\r\\nB", c]]}', /:1: 0\.headers/],
    ['- {path: /a, status: 200, colour: red}', /:1: 0\.colour/],
    ['path: /a', /:1: answers/],
    ['- [', /:\d: expected valid YAML/],
  ]
  for (const [text, message] of bad) {
    const error = await t.throwsAsync(open(site(t, text)))
    t.true(isSottoError(error, 'E_CONFIG'), String(error))
    t.regex(error.message, message)
  }
  await t.notThrowsAsync(open(site(t, '')))
})
