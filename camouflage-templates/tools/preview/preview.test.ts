import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { compileTemplate } from '#engine/compile.ts'
import { utf8 } from '#protocol/bytes.ts'
import { builtinFolder, loadBuiltin } from '../../builtin.ts'
import { besides, previewTemplate } from './preview.ts'
import { printableBody, printableMessage } from './printable.ts'

const preview = (id: string, seed = 1) =>
  previewTemplate({
    template: compileTemplate(loadBuiltin(id)),
    seed,
    sample: (name) => readFileSync(join(builtinFolder, id, 'samples', name)),
  })

test('each shape both ways, the engine’s own octets: what stands there is read back', (t) => {
  const template = compileTemplate(loadBuiltin('support-chat'))
  const messages = preview('support-chat')
  t.deepEqual(
    messages.map(({ shape, direction }) => `${shape} ${direction}`),
    template.shapes.flatMap(({ name }) => [`${name} request`, `${name} response`]),
  )
  for (const { shape: name, direction, parcel, wire } of messages) {
    const shape = template.shapes.find((each) => each.name === name)!
    const end = wire.indexOf('')
    const body = utf8(wire.slice(end + 1).join('\n'))
    const header = (wanted: string): string | undefined =>
      wire
        .slice(1, end)
        .find((line) => line.toLowerCase().startsWith(`${wanted}: `))
        ?.slice(wanted.length + 2)
    if (body.length > 4_000) continue
    t.is(header('content-length'), String(body.length))
    const read =
      direction === 'request'
        ? shape.decodeRequest({ target: wire[0]!.split(' ')[1]!, header, body })
        : shape.decodeResponse({ status: 200, header, body })
    t.is(read?.length, parcel, `${name} ${direction}`)
  }
})

test('a WebSocket: the request that asks for it beside a sample, an event and its acknowledgement', (t) => {
  const [asked, event, answer] = preview('websocket').slice(-3)
  t.is(asked!.wire[0], asked!.sample![0]!.replace(/device=[0-9a-f]+/, /device=[0-9a-f]+/.exec(asked!.wire[0]!)![0]))
  t.deepEqual(
    asked!.wire.map((line) => line.split(':')[0]),
    asked!.sample!.map((line) => line.split(':')[0]).map((name, at) => (at === 0 ? asked!.wire[0] : name)),
  )
  t.is(event!.wire[0], '451-0["sync",{"_placeholder":true,"num":0}]')
  t.is(event!.wire.at(-1), `(${event!.parcel + 16} octets)`)
  t.is(answer!.wire[0], '461-0[{"_placeholder":true,"num":0}]')
  t.is(answer!.wire.at(-1), `(${answer!.parcel} octets)`)
})

test('the same seed, the same messages', (t) => {
  t.deepEqual(preview('beacon', 7), preview('beacon', 7))
  t.notDeepEqual(preview('beacon', 7), preview('beacon', 8))
})

test('pictures are shown in hex with their length, parts of forms each as it is', (t) => {
  const upload = preview('gallery').find(({ shape, direction }) => shape === 'upload' && direction === 'request')!
  const text = upload.wire.join('\n')
  t.regex(text, /Content-Disposition: form-data; name="album"\n\n[a-z-]+\n/)
  t.regex(text, /Content-Type: image\/png\n\n89 50 4e 47 0d 0a 1a 0a [0-9a-f ]+\n[\s\S]*\(\d+ octets\)\n/)
  t.regex(text, /^------formdata-undici-0\d{11}--$/m)
  t.true(upload.wire.every((line) => /^[\x20-\x7e]*$/.test(line)))
})

test('two columns, message and sample, within the width', (t) => {
  const [first] = preview('support-chat')
  const lines = besides(first!, 100).split('\n')
  t.true(lines.every((line) => line.length <= 100))
  t.regex(lines[2]!, /^as Sotto writes it +\| a sample$/)
  t.true(lines.some((line) => /^host: www\.example\.org +\| host: www\.example\.org$/.test(line)))
  t.true(besides({ ...first!, sample: undefined }, 100).includes('| no sample'))
})

test('nothing of a sample reaches the terminal that it would obey', (t) => {
  const lines = printableMessage(utf8('GET /\u001b[2J HTTP/1.1\r\nx: \u0007\r\n\r\n\u001b]0;title'))
  t.true(lines.every((line) => /^[\x20-\x7e]*$/.test(line)))
  t.deepEqual(printableBody(new Uint8Array(0), ''), [])
  t.deepEqual(printableBody(Uint8Array.of(0, 255), 'application/octet-stream'), ['00 ff', '(2 octets)'])
})
