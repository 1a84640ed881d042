import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { randomBytes } from '#protocol/crypto/random.ts'
import { compileBuiltins } from '../../camouflage-templates/builtin.ts'
import { openDecoy } from './decoy.ts'
import { ask, exchange, serve } from './fixture.ts'

const folder = join(import.meta.dirname, 'sample-site')
const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
  statSync(join(folder, name)).isFile(),
)

async function site(t: ExecutionContext): Promise<number> {
  const { decoy, close } = await openDecoy({ kind: 'folder', folder }, (error) => t.fail(String(error)))
  t.teardown(close)
  return await serve(t, decoy)
}

test('every link and picture of the sample site leads somewhere inside it', async (t) => {
  const port = await site(t)
  const pages = files.filter((name) => name.endsWith('.html'))
  t.true(pages.length >= 8)
  const targets = new Set(
    pages.flatMap((name) =>
      [...readFileSync(join(folder, name), 'utf8').matchAll(/(?:href|src)="([^"#]+)"/g)].map(([, target]) =>
        target!.replaceAll('&amp;', '&'),
      ),
    ),
  )
  t.true(targets.size > 20)
  for (const target of targets) {
    t.regex(target, /^\/(?!\/)/, 'nothing from elsewhere')
    const { status, body } = await ask(port, `GET ${target}`)
    t.is(status, 200, target)
    t.true(body.length > 0)
  }
})

test('every file of the sample site is used, and all together are small', (t) => {
  const texts = files
    .filter((name) => /\.(html|css|js|txt|xml)$/.test(name))
    .map((name) => readFileSync(join(folder, name), 'utf8'))
    .join()
  const unused = files.filter(
    (name) => !texts.includes(name) && !/(\.html|^robots\.txt|^\.(answers|notices)\.yaml)$/.test(name),
  )
  t.deepEqual(unused, [])
  const octets = files.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0)
  t.true(octets < 600_000, `${octets}`)
})

test('pictures are what they say', (t) => {
  const magic: Record<string, string> = { png: '89504e47', jpg: 'ffd8ff', ico: '00000100' }
  const pictures = files.filter((name) => /\.(png|jpg|ico)$/.test(name))
  t.true(pictures.length >= 9)
  for (const name of pictures) {
    const start = readFileSync(join(folder, name)).subarray(0, 4).toString('hex')
    t.true(start.startsWith(magic[name.split('.').at(-1)!]!), name)
  }
})

test('the site’s own script and a stranger get ordinary answers where templates have their paths', async (t) => {
  const port = await site(t)
  t.like(JSON.parse((await ask(port, 'GET /api/support/v1/status')).body.toString()), { open: false })
  t.is((await ask(port, 'POST /collect')).status, 204)
  const missing = readFileSync(join(folder, '404.html'))
  const seen: string[] = []
  for (const shape of compileBuiltins().flatMap((template) => template.shapes)) {
    const parcel = randomBytes(shape.up.classes[0]!)
    const drawn = { token: randomBytes(16), parcel, host: 'workshop.example', random: randomBytes }
    const { method, target, body = new Uint8Array(0) } = shape.encodeRequest(drawn)
    const length = method === 'POST' ? `Content-Length: ${body.length}\r\n` : ''
    const head = `${method} ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${length}\r\n`
    const answer = await exchange(port, head, body)
    // A photo that is not there is not there.
    if (shape.name !== 'photo') t.false(answer.body.equals(missing), `${shape.template} ${shape.name}: ${target}`)
    t.is(answer.header('server'), 'nginx')
    t.true(answer.status < 500)
    seen.push(shape.template)
  }
  t.is(new Set(seen).size, compileBuiltins().length)
})
