/** What a wire sees: sizes, repetition, variety. */
import test from 'ava'
import { latin1 } from '#protocol/bytes.ts'
import { compileBuiltins } from '../builtin.ts'
import { allShapes, nameOf, requestOf, responseOf } from '../test-support.ts'
import { TemplateLimits } from './limits.ts'
import type { HttpRequest } from './template.ts'

const headersLength = (headers: HttpRequest['headers']): number =>
  headers.reduce((sum, [name, value]) => sum + name.length + value.length + 4, 0)

test('every message of every class stays inside the caps of common edges', (t) => {
  for (const shape of allShapes()) {
    for (const length of shape.up.classes) {
      const { target, headers, body } = requestOf(shape, length, length)
      t.true(target.length <= 2_048, nameOf(shape))
      t.true(headers.every(([, value]) => value.length <= 3_072))
      t.true(headersLength(headers) <= 6_144 - TemplateLimits.headersReserve)
      t.true((body?.length ?? 0) <= 262_144)
    }
    for (const length of shape.down.classes) t.true(responseOf(shape, length, length).body.length <= 262_144)
  }
})

test('text messages and idle polls are small, files are not split more than they must', (t) => {
  for (const template of compileBuiltins()) {
    const [poll, send, bulk] = [template.shape('poll'), template.shape('send'), template.shape('bulk')]
    t.is(send.up.fit(700), 768)
    t.is(poll.down.fit(700), 768)
    t.true(poll.up.classes[0]! === 96 && poll.up.fit(320) <= 768)
    t.true((requestOf(send, 768, 1).body?.length ?? 0) <= 1_300)
    t.true(responseOf(poll, 768, 1).body.length <= 1_100)
    t.true(poll.down.max >= 180_000)
    t.true(/^beacon/.test(template.id) || bulk.up.max >= 190_000)
  }
})

test('beacon uses GET only and a photo is asked for in small headers', (t) => {
  const [beacon, gallery] = ['beacon', 'gallery'].map((id) => compileBuiltins().find((each) => each.id === id))
  t.true(beacon!.shapes.every((shape) => shape.method === 'GET'))
  t.true(headersLength(requestOf(gallery!.shape('poll'), 96, 1).headers) < 640)
})

test('no built-in template writes a cookie', (t) => {
  for (const shape of compileBuiltins().flatMap(({ shapes }) => shapes)) {
    t.false(requestOf(shape, shape.up.max, 1).headers.some(([name]) => name.toLowerCase() === 'cookie'))
  }
})

test('bodies of one class have one length where a browser is claimed', (t) => {
  const templates = compileBuiltins('chromium')
  t.true(templates.length >= 6)
  for (const shape of templates.flatMap(({ shapes }) => shapes)) {
    for (const length of shape.up.classes) {
      // Pictures and lines vary as pictures and lines do; a form around them does not.
      const lengths = Array.from({ length: 12 }, (_, seed) => requestOf(shape, length, seed).body?.length)
      if (shape.template !== 'gallery-chromium') t.is(new Set(lengths).size, 1, `${nameOf(shape)} ${length}`)
    }
  }
})

test('templates that claim Node have a header order of its fetch', (t) => {
  for (const template of compileBuiltins('node')) {
    for (const shape of template.shapes) {
      const names = requestOf(shape, shape.up.max, 1).headers.map(([name]) => name)
      const tail = names.slice(names.indexOf('accept-language'))
      const conditional = names.includes('if-none-match') ? ['pragma', 'cache-control'] : []
      t.deepEqual(tail, ['accept-language', 'sec-fetch-mode', 'user-agent', ...conditional])
    }
  }
})

const builtin = new Set(compileBuiltins().map(({ id }) => id))

test('no URL, token or stretch of payload comes twice', (t) => {
  for (const shape of allShapes()) {
    const urls = new Set<string>()
    const stretches = new Set<string>()
    let count = 0
    for (let seed = 0; seed < 40; seed++) {
      const { target, headers, body } = requestOf(shape, shape.up.classes[0]!, 1_000 + seed)
      urls.add(target)
      const down = responseOf(shape, shape.down.classes[0]!, 5_000 + seed)
      const up = [target.split('?')[1] ?? '', ...headers.map(([, value]) => value), latin1(body ?? new Uint8Array(0))]
      // Runs of 20 characters that only encoded octets have.
      for (const text of [...up, latin1(down.body)]) {
        for (const stretch of text.match(/[A-Za-z0-9+/_-]{20,}/g) ?? []) {
          if (!/\d/.test(stretch) || /formdata|WebKitForm|eyJhbGci|workbench/.test(stretch)) continue
          stretches.add(stretch)
          count++
        }
      }
    }
    // A method of gRPC has one URL.
    t.is(urls.size, shape.template === 'grpc-web' ? 1 : 40, nameOf(shape))
    t.is(stretches.size, count, nameOf(shape))
    t.true(count >= 40 || !builtin.has(shape.template), `${nameOf(shape)} ${count}`)
  }
})

test('URLs differ in length where they carry no more than a token', (t) => {
  for (const name of ['sync', 'message', 'attachment', 'photo']) {
    const shape = allShapes().find((each) => each.name === name)!
    const lengths = new Set(
      Array.from(
        { length: 40 },
        (_, seed) => requestOf(shape, 768 <= shape.up.max ? shape.up.classes[0]! : 96, seed).target.length,
      ),
    )
    t.true(lengths.size > 1, name)
  }
})

test('bindings differ between templates and shapes and stay the same', (t) => {
  const bindings = allShapes().map((shape) => shape.binding)
  t.is(new Set(bindings).size, bindings.length)
  t.deepEqual(
    allShapes().map((shape) => shape.binding),
    bindings,
  )
  t.regex(bindings[0]!, /^beacon@1#[0-9a-f]{8} features GET \/api\/features\/desktop\.json$/)
})
