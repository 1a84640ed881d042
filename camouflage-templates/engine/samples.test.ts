/**
 * The samples folder of every template shows one exchange of each shape as the wire does. They are compared byte for byte,
 * so that a change of the wire is seen; SOTTO_SAMPLES=write writes them again.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { concat, fastEqual, utf8 } from '#protocol/bytes.ts'
import { compileBuiltins } from '../builtin.ts'
import { requestOf, responseOf, seeded } from '../test-support.ts'
import { upgradeLines } from '../tools/preview/preview.ts'
import type { Shape } from './compile.ts'

const rewrite = process.env.SOTTO_SAMPLES === 'write'

function httpText(start: string, headers: readonly (readonly [string, string])[], body: Uint8Array): Uint8Array {
  const lines = [start, ...headers.map(([name, value]) => `${name}: ${value}`), '', '']
  return concat(utf8(lines.join('\r\n')), body)
}

/** Of the class that a text message takes, or the next above. */
function samplesOf(shape: Shape): [string, Uint8Array][] {
  const request = requestOf(shape, shape.up.fit(700), 20_260_101)
  const response = responseOf(shape, shape.down.fit(700), 20_260_102)
  const { method, target, headers, body } = request
  const length: [string, string][] = body ? [['content-length', String(body.length)]] : []
  const connection: [string, string][] = [
    ['host', 'www.example.org'],
    ['connection', 'keep-alive'],
  ]
  const all = [...connection, ...headers, ...length]
  return [
    [`${shape.name}.request.http`, httpText(`${method} ${target} HTTP/1.1`, all, body ?? new Uint8Array(0))],
    [`${shape.name}.response.http`, httpText(`HTTP/1.1 ${response.status} OK`, response.headers, response.body)],
  ]
}

function upgradeSample(shape: Shape): [string, Uint8Array][] {
  const request = requestOf(shape, shape.up.classes[0]!, 20_260_101)
  return [['upgrade.request.http', utf8(`${upgradeLines(request, seeded(20_260_101)).join('\r\n')}\r\n`)]]
}

for (const template of compileBuiltins()) {
  test(`${template.id}: messages are those of the samples`, (t) => {
    const folder = join(import.meta.dirname, '..', 'templates', template.id, 'samples')
    const samples = template.shapes.flatMap(samplesOf)
    if (template.socket !== undefined) samples.push(...upgradeSample(template.socket.upgrade))
    if (rewrite) mkdirSync(folder, { recursive: true })
    if (rewrite) for (const [name, bytes] of samples) writeFileSync(join(folder, name), bytes)
    t.deepEqual(readdirSync(folder).sort(), samples.map(([name]) => name).sort())
    for (const [name, bytes] of samples) t.true(fastEqual(readFileSync(join(folder, name)), bytes), name)
  })
}
