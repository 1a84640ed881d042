/** Every rule with its good and its bad example; the built-in templates; a site that is a folder, and one that is asked. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { builtinIds, builtinText } from '../../builtin.ts'
import type { Finding } from './lint.ts'
import { fails, lintTemplate } from './lint.ts'
import type { Rule } from './rule.ts'
import { REFUSED, rules } from './rules.ts'
import type { Site } from './site.ts'
import { folderSite, openSite } from './site.ts'

const templates = join(import.meta.dirname, '..', '..')
const read = (file: string): string => readFileSync(join(templates, file), 'utf8')
const models = { model: read('fixtures/lint-model.yaml'), browser: read('fixtures/lint-browser.yaml') }

/** Has everything but /gone, and nothing that takes a POST under /static. */
const site: Site = {
  ask: async (method, target) => {
    if (target.startsWith('/gone')) return { status: 404, ms: undefined }
    return { status: method === 'POST' && target.startsWith('/static') ? 405 : 200, ms: undefined }
  },
}

const told = (findings: readonly Finding[]): string[] =>
  findings.map(({ rule, path, found }) => `${rule} ${path}: ${found}`)

for (const [name, text] of Object.entries(models)) {
  test(`the ${name} gives no rule a reason`, async (t) => {
    t.deepEqual(told(await lintTemplate(text, 'model.yaml', site)), [])
  })
}

function exampleOf(rule: Rule): { bad: string; line: number } | undefined {
  const model = models[rule.example.model ?? 'model']
  const at = model.indexOf(rule.example.good)
  if (at < 0) return undefined
  const bad = model.slice(0, at) + rule.example.bad + model.slice(at + rule.example.good.length)
  return { bad, line: model.slice(0, at).split('\n').length }
}

for (const rule of rules) {
  test(`${rule.id}: silent about its good example, not about its bad one`, async (t) => {
    const example = exampleOf(rule)
    if (example === undefined) return t.fail('the good example does not stand in the model')
    const findings = await lintTemplate(example.bad, 'bad.yaml', site)
    const own = findings.filter((finding) => finding.rule === rule.id)
    t.true(own.length > 0, told(findings).join('\n'))
    t.true(own.every(({ severity }) => severity === rule.severity))
    t.is(fails(own), rule.severity === 'error')
    t.true(own.every(({ line }) => line > 1 && line <= example.bad.split('\n').length))
  })
}

test('every rule says what, why and how to mend, under a name of its own', (t) => {
  t.true(rules.length > 25)
  t.is(new Set(rules.map(({ id }) => id)).size, rules.length)
  for (const { id, what, why, mend, example } of rules) {
    t.regex(id, /^[a-z][a-z-]+$/)
    for (const text of [what, why, mend]) t.regex(text, /^[^a-z].{20,}\.\)?$/, id)
    t.not(example.good, example.bad)
  }
})

test('what the engine refuses is told with its line, and no rule is asked', async (t) => {
  const text = models.model.replace('family: node', 'family: lynx')
  const [finding, ...more] = await lintTemplate(text, 'bad.yaml', site)
  t.deepEqual(more, [])
  t.like(finding, { rule: REFUSED, severity: 'error', file: 'bad.yaml', line: 5, path: 'family' })
  t.is((await lintTemplate('{', 'bad.yaml'))[0]?.rule, REFUSED)
})

test('findings name the line', async (t) => {
  const text = models.model.replace('"content":"{{sealed}}"', '"title":"{{sealed}}"')
  const [finding] = await lintTemplate(text, 'bad.yaml')
  const line = text.slice(0, text.indexOf('"title"')).split('\n').length - 1
  t.like(finding, { rule: 'entropy-in-words', line })
})

for (const id of builtinIds()) {
  test(`${id}: comes without errors`, async (t) => {
    const findings = await lintTemplate(builtinText(id), id)
    t.deepEqual(told(findings.filter(({ severity }) => severity === 'error')), [])
    for (const line of told(findings)) t.log(line)
  })
}

test('a folder as the site: files are there, posts are refused, nothing above it is looked at', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sotto-lint-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  mkdirSync(join(folder, 'site'))
  writeFileSync(join(folder, 'secret'), '')
  writeFileSync(join(folder, 'site', 'index.html'), '')
  writeFileSync(join(folder, 'site', 'help.html'), '')
  const opened = folderSite(join(folder, 'site'))
  const status = async (method: 'GET' | 'POST', target: string): Promise<number> =>
    (await opened.ask(method, target)).status
  t.is(await status('GET', '/'), 200)
  t.is(await status('GET', '/help?x=1'), 200)
  t.is(await status('GET', '/help/more'), 404)
  t.is(await status('POST', '/help'), 405)
  t.is(await status('GET', '/../secret'), 404)
  t.is(await status('GET', '/%2e%2e/secret'), 404)
  const findings = await lintTemplate(models.model, 'model.yaml', opened)
  t.deepEqual(new Set(findings.map(({ rule }) => rule)), new Set(['path-the-site-lacks', 'method-the-site-refuses']))
  await t.throwsAsync(openSite(join(folder, 'absent')), { code: 'E_USAGE' })
})

test('a server as the site: what it answers at once is no place for a poll', async (t) => {
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`)
    request.resume()
    response.writeHead(request.url === '/api/messages' ? 404 : 200).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => void server.close())
  const opened = await openSite(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  const findings = await lintTemplate(models.model, 'model.yaml', opened)
  t.deepEqual(
    findings.map(({ rule, path }) => `${rule} ${path}`),
    ['hold-without-reason shapes.sync.request.path', 'path-the-site-lacks shapes.message.request.path'],
  )
  t.is(asked[0], 'GET /')
  t.true(asked.includes('POST /api/events/sync'))
  server.closeAllConnections()
})

test('a site that is not there is an error, not a finding', async (t) => {
  const opened = await openSite('http://127.0.0.1:1')
  await t.throwsAsync(lintTemplate(models.model, 'model.yaml', opened), { code: 'E_PATH_REFUSED' })
})
